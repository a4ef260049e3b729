"""Answers that are ready to be sent: bytes, and the tag by which a client knows them again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

from starlette.responses import Response

from tallow.service.limits import READY_BYTES

VARY = "Accept, Accept-Encoding, Authorization"


@dataclass(frozen=True)
class ReadyAnswer:
    """An answer as it is sent.

    Attributes
    ----------
    token
        Of which state of the store it is.
    until
        Until when the clock changes nothing of it, in microseconds since 1970 UTC.
    digest
        Of all that the answer says, in whatever format.
    tag
        The entity tag, strong: other bytes have another one.
    """

    token: Hashable
    until: int
    digest: str
    tag: str
    media_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def response(self, if_none_match: str | None) -> Response:
        """Return the answer; without its body, if the client has it."""
        if if_none_match is not None and is_named(if_none_match, self.tag):
            return Response(None, 304, self.headers)
        return Response(self.body, 200, self.headers, self.media_type)


class ReadyAnswers:
    """The answers that were sent last; bounded in bytes. For the loop's thread alone."""

    def __init__(self, bytes_max: int = READY_BYTES) -> None:
        self.bytes, self._bytes_max = 0, bytes_max
        self._answers: OrderedDict[Hashable, ReadyAnswer] = OrderedDict()

    def get(self, key: Hashable, token: Hashable, now: int) -> ReadyAnswer | None:
        """Return an answer, if it is still the answer."""
        found = self._answers.get(key)
        if found is None or found.token != token or now >= found.until:
            return None
        self._answers.move_to_end(key)
        return found

    def last(self, key: Hashable) -> ReadyAnswer | None:
        """Return what was answered last, whether or not it is still the answer."""
        return self._answers.get(key)

    def put(self, key: Hashable, ready: ReadyAnswer) -> None:
        """Keep an answer; those that were not asked for longest go."""
        there = self._answers.pop(key, None)
        self.bytes -= 0 if there is None else len(there.body)
        if len(ready.body) > self._bytes_max:
            return
        self._answers[key] = ready
        self.bytes += len(ready.body)
        while self.bytes > self._bytes_max:
            self.bytes -= len(self._answers.popitem(last=False)[1].body)


def is_named(if_none_match: str, tag: str) -> bool:
    """Say whether a client has what a tag is of."""
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag in tags or "*" in tags

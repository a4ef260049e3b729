"""One subscription's conversation with the stream, whoever carries its messages."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import orjson

from tallow.client.errors import ServiceError
from tallow.client.newest_rows import NewestRows, StreamUpdate

SUBPROTOCOL = "tallow.v1"
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
"""Longest message that is taken: the service keeps to 256 KiB, but for one row that is longer."""

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 5.0
FINAL_CODES = frozenset({1003, 1009, 4400})
"""Codes with which the service closes where to connect again would end the same way."""

_ID = "a"


class Conversation:
    """What is said on a connection, and what is held over all connections of a subscription.

    Parameters
    ----------
    subscription
        The fields of ``subscribe`` that say what is wanted.

    Attributes
    ----------
    newest
        Rows and members, kept when a connection breaks.
    """

    def __init__(self, subscription: Mapping[str, Any]) -> None:
        self._subscription = {
            name: value for name, value in subscription.items() if value is not None
        }
        self.newest = NewestRows()
        self._stream = ""
        self._failed = 0

    def take(self, text: str | bytes) -> tuple[StreamUpdate | None, str | None]:
        """Take a message; return what it changed, and what is to be sent, if anything.

        Raises
        ------
        ServiceError
            If the service does not take the subscription, with its reason.
        """
        message = orjson.loads(text)
        match message["type"]:
            case "welcome":
                self._stream, self._failed = message["stream"], 0
                self.newest.types = message.get("types", {})
                return None, self._subscribe()
            case "subscribed":
                self.newest.begin(self._stream, message)
                return None, None
            case "heartbeat":
                self.newest.pass_to(message["seq"])
                return None, None
            case "error":
                raise ServiceError(400, message["title"], message["detail"])
        return self.newest.take(message), None

    def _subscribe(self) -> str:
        asked = {"type": "subscribe", "id": _ID, **self._subscription}
        if self.newest.seq is not None:
            asked |= {"stream": self.newest.stream, "seq": self.newest.seq}
        return orjson.dumps(asked).decode()

    def seconds_to_wait(self) -> float:
        """Return after how long to connect again: longer each time, and not all clients at once."""
        longest = min(FIRST_WAIT_SECONDS * 2.0**self._failed, LONGEST_WAIT_SECONDS)
        self._failed += 1
        return float(random.uniform(longest / 2, longest))

    @staticmethod
    def require_may_return(code: int | None, reason: str) -> None:
        """Raise `ServiceError` for a code after which there is no use in connecting again."""
        if code in FINAL_CODES:
            raise ServiceError(code, "Closed", reason)


def stream_url(url: str, ticket: str | None) -> str:
    """Return where the stream of a service is."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}[parts.scheme]
    query = "" if ticket is None else f"ticket={quote(ticket)}"
    return urlunsplit((scheme, parts.netloc, f"{parts.path.rstrip('/')}/v1/stream", query, ""))

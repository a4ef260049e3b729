"""What requests say, read as the old server read it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request

from tallow.service.writes.bodies import read_body

FORM = "application/x-www-form-urlencoded"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_WHOLE = re.compile(r"[+-]?\d{1,18}")


class UnreadableError(ValueError):
    """A body is no JSON, or a value is of another kind than it must be."""


@dataclass(frozen=True)
class OldRequest:
    """A request to the old API.

    Attributes
    ----------
    request
        As it came.
    path
        What stands in the path, by name.
    zone
        By whose clocks times are answered.
    """

    request: Request
    path: Mapping[str, str]
    zone: ZoneInfo

    def query(self, name: str) -> str:
        """Return a parameter, the first of its name; empty where there is none."""
        return next(iter(self.request.query_params.getlist(name)), "")

    def count(self, name: str, default: int) -> int:
        """Return a whole number above 0; else the default."""
        text = self.query(name)
        found = int(text) if _WHOLE.fullmatch(text) else 0
        return found if found > 0 else default

    async def body(self) -> dict[str, Any]:
        """Return the first value of the body, an object, by names in lower case.

        Raises
        ------
        UnreadableError
            If there is none.
        RefusedError
            If the body is too long, or does not come.
        """
        said = await read_body(self.request, lambda _size: None)
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        # The old server had read a form's body before it looked for JSON in it.
        if kind == FORM or not said.strip():
            raise UnreadableError("EOF")
        try:
            found, _ = _DECODER.raw_decode(said.decode("utf-8", "replace").lstrip())
        except (ValueError, RecursionError) as error:
            raise UnreadableError(str(error)) from error
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise UnreadableError(f"must be an object, not {type(found).__name__}")
        return {name.lower(): value for name, value in found.items()}


def _refuse(name: str) -> Any:
    raise UnreadableError(f"{name} is no number")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def read_moment(text: str) -> datetime:
    """Return the moment of a text in RFC 3339, which says its zone; `UnreadableError` else."""
    if not _MOMENT.fullmatch(text):
        raise UnreadableError(f"cannot parse {text[:64]!r} as RFC 3339")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise UnreadableError(f"cannot parse {text!r}: {error}") from error


def optional_moment(said: Mapping[str, Any], name: str) -> datetime | None:
    """Return a moment of a body; None where it says none."""
    text = field(said, name, (str,))
    return None if text is None else read_moment(text)


def field(said: Mapping[str, Any], name: str, kinds: tuple[type, ...]) -> Any:
    """Return a value of a body; None where it is absent or null; `UnreadableError` by its kind."""
    value = said.get(name.lower())
    is_flag = isinstance(value, bool)
    if value is None or (isinstance(value, kinds) and is_flag == (bool in kinds)):
        return value
    raise UnreadableError(f"{name}: must be {kinds[0].__name__}, not {type(value).__name__}")


def texts(said: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of texts of a body; empty where it is absent."""
    return each_of(field(said, name, (list,)) or [], name)


def each_of(values: Iterable[Any], name: str) -> list[str]:
    """Return values that are all texts; null is an empty one, as in the old server."""
    found = ["" if each is None else each for each in values]
    if not all(isinstance(each, str) for each in found):
        raise UnreadableError(f"{name}: must have texts only")
    return found

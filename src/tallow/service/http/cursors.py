"""Cursors: where the next page of an answer begins, and of which state of the store it is."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import NamedTuple

import orjson

from tallow.core.errors import ParameterError, excerpt
from tallow.core.time import now_us
from tallow.service.limits import ANSWER_VALUES_MAX

_VERSION = 1


class Cursor(NamedTuple):
    """The place of a page in an answer that stays as it was, whatever is written meanwhile.

    Attributes
    ----------
    known_at, final_at
        What the store knew then counts, and which bars were final; microseconds since 1970 UTC.
    row
        The page's first row in the whole answer.
    """

    known_at: int
    final_at: int
    row: int


def digest_of(question: object) -> str:
    """Return a short digest of a question: a cursor belongs to it alone."""
    return hashlib.blake2b(repr(question).encode("utf-8", "replace"), digest_size=9).hexdigest()


def write_cursor(cursor: Cursor, digest: str) -> str:
    """Return a cursor as text that clients give back as it is."""
    return base64.urlsafe_b64encode(orjson.dumps([_VERSION, digest, *cursor])).decode()


def read_cursor(text: str, digest: str) -> Cursor:
    """Return the cursor of a text; `ParameterError` if none was given out for the question."""
    try:
        said = orjson.loads(base64.b64decode(text.encode(), b"-_", validate=True))
        version, question, *numbers = said
        known_at, final_at, row = (int(each) for each in numbers if type(each) is int)
    except (ValueError, TypeError, binascii.Error) as error:
        raise _wrong(text) from error
    now = now_us()
    is_possible = 0 <= known_at <= now and 0 <= final_at <= now and 0 < row < ANSWER_VALUES_MAX
    if version != _VERSION or question != digest or not is_possible:
        raise _wrong(text)
    return Cursor(known_at, final_at, row)


def _wrong(text: str) -> ParameterError:
    return ParameterError(
        f"cursor: {excerpt(text)}; must be the one that an answer to the same question gave; ask "
        "without it for the first page"
    )

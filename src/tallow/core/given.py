"""Names and paths as users give them: impossible ones are refused at once, in words."""

from __future__ import annotations

import os
from pathlib import Path

from tallow.core.errors import TallowError, excerpt
from tallow.core.limits import FILE_NAME_BYTES_MAX, NAME_CHARACTERS_MAX, PATH_BYTES_MAX


def name_text(what: str, given: object, error: type[TallowError]) -> str:
    """Return a name, such as an instrument's, a zone's or a pattern.

    Raises `error` if it is not text, is longer than `NAME_CHARACTERS_MAX`, or has half of a
    surrogate pair, which no file, column or database holds.
    """
    if not isinstance(given, str):
        raise error(f"{what}={excerpt(given)}; must be text")
    if len(given) > NAME_CHARACTERS_MAX:
        raise error(f"{what}={excerpt(given)}; at most {NAME_CHARACTERS_MAX:,} characters are read")
    try:
        given.encode()
    except UnicodeEncodeError as problem:
        raise error(f"{what}={excerpt(given)}; has what is no character; correct it") from problem
    return given


def file_path(what: str, given: str | os.PathLike[str], error: type[TallowError]) -> Path:
    """Return a path, with ``~`` as the user's own folder; `what` it is begins an error's message.

    Raises `error` if no file can have this name: a zero byte, characters that no file system knows,
    more bytes than systems take, a user whom nobody knows.
    """
    try:
        path = Path(given)
        text = os.fsencode(path)
    except (ValueError, TypeError) as problem:
        raise error(
            f"{what}: {excerpt(given)}; no file can have this name; correct it"
        ) from problem
    if b"\0" in text:
        raise error(f"{what}: {excerpt(given)}; has a zero byte; no file can have this name")
    longest = max(map(len, text.split(os.fsencode(os.sep))))
    if len(text) > PATH_BYTES_MAX or longest > FILE_NAME_BYTES_MAX:
        raise error(
            f"{what}: {excerpt(given)}; is too long; at most {FILE_NAME_BYTES_MAX} bytes a name, "
            f"and {PATH_BYTES_MAX:,} in all"
        )
    try:
        return path.expanduser()
    except RuntimeError as problem:
        raise error(
            f"{what}: {excerpt(given)}; {problem}; write the folder's whole name"
        ) from problem

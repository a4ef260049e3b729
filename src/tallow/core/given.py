"""Names and paths as users give them: impossible ones are refused at once, in words."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tallow.core.disk import may_access
from tallow.core.errors import TallowError, excerpt, shorten
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
    shown = excerpt(str(given) if isinstance(given, Path) else given)
    try:
        path = Path(given)
        text = os.fsencode(path)
    except (ValueError, TypeError) as problem:
        raise error(f"{what}: {shown}; no file can have this name; correct it") from problem
    if b"\0" in text:
        raise error(f"{what}: {shown}; has a zero byte; no file can have this name")
    longest = max(map(len, text.split(os.fsencode(os.sep))))
    if len(text) > PATH_BYTES_MAX or longest > FILE_NAME_BYTES_MAX:
        raise error(
            f"{what}: {shown}; is too long; at most {FILE_NAME_BYTES_MAX} bytes a name, "
            f"and {PATH_BYTES_MAX:,} in all"
        )
    try:
        return path.expanduser()
    except RuntimeError as problem:
        raise error(f"{what}: {shown}; {problem}; write the folder's whole name") from problem


def require_file(
    path: Path,
    error: type[TallowError],
    instead: str,
    missing: Callable[[Path], str] = lambda _path: "the path must exist; check its spelling",
) -> None:
    """Raise `error` if a path is no file that this user may read.

    `instead` says what to name where it is a folder, `missing` what to do where there is none.
    """
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
        may_read = is_folder or may_access(path, os.R_OK)
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise error(f"{path}: no such file; {missing(path)}") from problem
    except PermissionError:
        is_folder = may_read = False
    except OSError as problem:
        raise error(f"{path}: {problem.strerror}; must be a file; check its spelling") from problem
    if is_folder:
        raise error(f"{path}: is a folder; a file is needed; {instead}")
    if not may_read:
        raise error(
            f"{path}: this user may not read it; ask its owner for the right to, or name a copy of "
            "your own"
        )


def read_written(
    what: str,
    path: Path,
    load: Callable[[str], Any],
    limit: tuple[int, str],
    error: type[TallowError],
) -> Any:
    """Return what is made of the text of a file that people write: TOML, or a table.

    Raises `error` if it cannot be read, or is no such text; or if it has more bytes than `limit`
    says, which asks, too, what it should be. `what` it is begins a message.
    """
    longest, is_it = limit
    try:
        with path.open("rb") as file:
            content = file.read(longest + 1)
        text = content.decode("utf-8-sig") if len(content) <= longest else None
        read = None if text is None else load(text)
    except OSError as problem:
        raise error(f"{what}: {path}; cannot be read: {problem.strerror}") from problem
    except (ValueError, RecursionError) as problem:
        # Not only what the parser says itself: a date of 31 February, brackets without end.
        kind = "TOML" if load is tomllib.loads else "text in UTF-8"
        raise error(f"{what}: {path}; is no {kind} ({shorten(problem)}); correct it") from problem
    if text is None:
        raise error(f"{what}: {path}; is longer than {longest:,} bytes; {is_it}")
    return read


def require_new_file(what: str, path: Path, error: type[TallowError]) -> None:
    """Raise `error` if this user can make no file of this name; `what` it is begins a message."""
    folder = Path(os.path.realpath(path)).parent
    if os.path.isdir(path):  # noqa: PTH112 - pathlib raises where it may not look
        raise error(f"{what}: {path}; is a folder; add a file name")
    if os.path.isdir(folder) and may_access(folder, os.W_OK | os.X_OK):  # noqa: PTH112
        return
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise error(f"{what}: {path}; the folder does not exist; create it first") from problem
    except OSError:
        pass
    raise error(
        f"{what}: {path}; this user may not write to {folder}; choose another folder, or ask its "
        "owner for the right to"
    )

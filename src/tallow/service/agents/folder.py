"""The folder of an agent's files: what is read is in it, what is written is new there."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tallow.core.errors import OutputError, ParameterError
from tallow.data.writers import FRAME_ENDINGS, check_output, write_frame


def file_in(folder: Path | None, name: str) -> Path:
    """Return a file of candles in the folder; `ParameterError` if it is not there, or elsewhere."""
    path = _inside("file", folder, name)
    if not path.is_file():
        raise ParameterError(f"file: {name!r}; is no file of the folder; name one that is there")
    return path


def write_new(folder: Path | None, name: str, frame: pl.DataFrame) -> Path:
    """Write rows to a new file of the folder, and return it.

    `OutputError` if there is one of that name, its ending names no format, or it cannot be written.
    """
    path = check_output(_inside("output", folder, name), FRAME_ENDINGS)
    try:
        path.open("x").close()
    except FileExistsError as error:
        raise OutputError(
            f"output: {name!r}; is there already; nothing is overwritten; give another name"
        ) from error
    try:
        write_frame(path, frame)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _inside(what: str, folder: Path | None, name: str) -> Path:
    if folder is None:
        raise ParameterError(
            f"{what}: {name!r}; this server has no folder for files; leave it out and ask for "
            "fewer rows, or start one by: tallow mcp --folder FOLDER"
        )
    path = folder / name
    if Path(name).name != name or path.resolve().parent != folder.resolve():
        raise ParameterError(
            f"{what}: {name!r}; must be the name of a file in the folder, without a path; write "
            "the name alone"
        )
    return path

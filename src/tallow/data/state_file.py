"""State on disk in one file: a header and named arrays, with a checksum over all of it."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tallow.core.errors import StateError
from tallow.data.durable import sync_folder

_MAGIC = b"tallow state 1\n"
_DIGEST_BYTES = 32

Arrays = dict[str, np.ndarray[Any, Any]]


def write_state(path: Path, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write a state; the file appears whole or not at all, and survives a loss of power.

    Parameters
    ----------
    header
        Plain values, as JSON has them.
    arrays
        NumPy arrays without objects.

    Raises
    ------
    StateError
        If the file cannot be written.
    """
    content = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(content, allow_pickle=False, header=text, **arrays)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(_MAGIC)
            file.write(hashlib.blake2b(content.getbuffer(), digest_size=_DIGEST_BYTES).digest())
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise StateError(f"state: file={path}; {error.strerror}; choose another place") from error


def read_state(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Return a state's header and arrays.

    Raises
    ------
    StateError
        If the file cannot be read, is no state, or is not what was written.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StateError(f"state: file={path}; {error.strerror}; rebuild it") from error
    if not content.startswith(_MAGIC):
        raise StateError(f"state: file={path}; not a state of this version; rebuild it")
    begin = len(_MAGIC) + _DIGEST_BYTES
    body = memoryview(content)[begin:]
    if hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() != content[len(_MAGIC) : begin]:
        raise StateError(f"state: file={path}; its checksum is wrong; rebuild it")
    with np.load(io.BytesIO(body), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(arrays.pop("header").tobytes()), arrays

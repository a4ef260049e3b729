"""State on disk in one file: a header and named arrays, with a checksum over all of it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tallow.core.errors import StateError
from tallow.data.replacing import PRIVATE, replace_file

_MAGIC = b"tallow state 3\n"
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
    body = content.getbuffer()
    digest = hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()
    try:
        replace_file(path, b"".join((_MAGIC, digest, body)), mode=PRIVATE)
    except OSError as error:
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

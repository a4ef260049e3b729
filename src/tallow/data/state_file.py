"""State on disk in one file: a header and named arrays, with a checksum over all of it."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tallow.core.disk import PRIVATE, replace_file
from tallow.core.errors import StateError

_FORMAT = 3
_MAGIC = b"tallow state %d\n" % _FORMAT
_OTHER = re.compile(rb"tallow state (\d{1,9})\n")
_DIGEST_BYTES = 32

Arrays = dict[str, np.ndarray[Any, Any]]


def write_state(path: Path, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write a state; the file appears whole or not at all, and survives a loss of power.

    The header has plain values, as JSON has them; arrays are of NumPy, without objects.
    `StateError` if the file cannot be written.
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

    `StateError` if the file cannot be read, is not a state, or is not what was written.
    """
    try:
        with path.open("rb") as file:
            # A file of something else may be of any length.
            head = file.read(len(_MAGIC))
            content = file.read() if head == _MAGIC else b""
    except OSError as error:
        raise StateError(f"state: file={path}; {error.strerror}; rebuild it") from error
    if head != _MAGIC:
        other = _OTHER.match(head)
        which = "not a state of this version" if other is None else _of_version(int(other[1]))
        raise StateError(f"state: file={path}; {which}; rebuild it")
    body = memoryview(content)[_DIGEST_BYTES:]
    if hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() != content[:_DIGEST_BYTES]:
        raise StateError(f"state: file={path}; its checksum is wrong; rebuild it")
    try:
        return _parsed(body)
    except Exception as error:
        # Its checksum is right, so another program wrote it: libraries may raise anything.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise StateError(f"state: file={path}; cannot be read: {reason}; rebuild it") from error


def _of_version(number: int) -> str:
    age = "a newer" if number > _FORMAT else "an older"
    return f"its format is {number}, of {age} tallow; this one reads {_FORMAT}"


def _parsed(body: memoryview) -> tuple[dict[str, Any], Arrays]:
    with np.load(io.BytesIO(body), allow_pickle=False) as archive:
        members = archive.zip.infolist()
        if sum(each.file_size for each in members) > len(body):
            raise ValueError("what it holds is longer than the file")
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays.pop("header").tobytes())
    if not isinstance(header, dict) or not all(isinstance(a, np.ndarray) for a in arrays.values()):
        raise TypeError("it has no header of names, or no arrays")
    return header, arrays

"""The body of a request: read within a time, and unpacked within bounds."""

from __future__ import annotations

import asyncio
import io
import zlib
from collections.abc import Callable

import zstandard
from starlette.requests import Request

from tallow.service.errors import BodyTooLargeError, SlowBodyError, UnknownEncodingError
from tallow.service.limits import BODY_BYTES_MAX, BODY_SECONDS

_GZIP_WINDOW = 31
_PACKINGS = "zstd, gzip, identity"


async def read_body(request: Request, took: Callable[[int], None]) -> bytes:
    """Return the body as it was sent; `took` is told of each part's bytes, and may refuse it.

    Raises
    ------
    BodyTooLargeError
        If it is longer than `BODY_BYTES_MAX`; nothing is read where it says so itself.
    SlowBodyError
        If it has not come after `BODY_SECONDS`.
    """
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > BODY_BYTES_MAX:
        raise _too_large(f"{int(said):,} bytes")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > BODY_BYTES_MAX:
                    raise _too_large("more")
                took(len(part))
                parts.append(part)
    except TimeoutError as error:
        raise SlowBodyError(
            f"body: has not come in {BODY_SECONDS} s; send it at once, or in parts"
        ) from error
    return b"".join(parts)


def unpack(body: bytes, encoding: str) -> bytes:
    """Return a body as it was before it was packed, by its ``Content-Encoding``.

    Raises
    ------
    BodyTooLargeError
        If it unpacks to more than `BODY_BYTES_MAX`; no more than that is unpacked.
    UnknownEncodingError
        If it is packed in another way, or is not what its encoding says.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "zstd"):
        raise UnknownEncodingError(
            f"Content-Encoding: {name[:40]!r}; must be one of {_PACKINGS}; pack the body so, or not"
        )
    try:
        unpacked = _of_gzip(body) if name == "gzip" else _of_zstd(body)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise UnknownEncodingError(
            f"Content-Encoding: {name}; the body is no whole {name} ({error}); send all of it"
        ) from error
    if len(unpacked) > BODY_BYTES_MAX:
        raise _too_large("more when it is unpacked")
    return unpacked


def _of_gzip(body: bytes) -> bytes:
    parts, room = [], BODY_BYTES_MAX + 1
    while body and room > 0:
        member = zlib.decompressobj(_GZIP_WINDOW)
        part = member.decompress(body, room)
        if not member.eof and len(part) < room:
            raise EOFError("ends within")
        parts.append(part)
        room -= len(part)
        body = member.unused_data
    return b"".join(parts)


def _of_zstd(body: bytes) -> bytes:
    # A window is what a frame makes its reader hold.
    unpacker = zstandard.ZstdDecompressor(max_window_size=BODY_BYTES_MAX)
    parts, room = [], BODY_BYTES_MAX + 1
    with unpacker.stream_reader(io.BytesIO(body), read_across_frames=True) as reader:
        while room > 0 and (part := reader.read(room)):
            parts.append(part)
            room -= len(part)
    return b"".join(parts)


def _too_large(what: str) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"body: {what}; at most {BODY_BYTES_MAX:,} bytes are taken; send it in parts"
    )

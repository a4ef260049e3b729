"""In which format, and packed how, an answer is sent: by ``Accept`` and ``Accept-Encoding``."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import orjson
import polars as pl
import zstandard

from tallow.data.reading.schema import ISO_TIME
from tallow.data.reading.spreadsheet import mark_formulas
from tallow.data.writers import to_json
from tallow.service.errors import NotAcceptableError
from tallow.service.limits import PACKED_FROM_BYTES

Packing = Literal["", "zstd", "gzip"]

JSON, CSV = "application/json", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
_SHORT = {JSON: "json", CSV: "csv", ARROW: "arrow", PARQUET: "parquet"}
FORMATS = tuple(_SHORT)
"""Media types of rows; the first counts where a client takes any."""

_PACKINGS: tuple[Packing, ...] = ("zstd", "gzip")
_ZSTD_LEVEL, _GZIP_LEVEL = 3, 5


def choose_format(accept: str | None) -> str:
    """Return the media type that a client prefers; `NotAcceptableError` if it takes none."""
    best, best_weight = "", 0.0
    asked = dict(_weighted(accept)) if accept and accept.strip() else {"*/*": 1.0}
    for each in FORMATS:
        group = each.partition("/")[0]
        weight = asked.get(each, asked.get(f"{group}/*", asked.get("*/*", 0.0)))
        if weight > best_weight:
            best, best_weight = each, weight
    if not best:
        raise NotAcceptableError(
            f"accept: {accept}; must be one of {', '.join(FORMATS)}; name one of these"
        )
    return best


def short_name(media_type: str) -> str:
    """Return what a tag calls a format."""
    return _SHORT[media_type]


def choose_packing(accept_encoding: str | None) -> Packing:
    """Return how an answer may be packed; nothing where the client unpacks neither."""
    asked = dict(_weighted(accept_encoding or ""))
    for each in _PACKINGS:
        if asked.get(each, asked.get("*", 0.0)) > 0.0:
            return each
    return ""


def to_body(frame: pl.DataFrame, media_type: str, about: Mapping[str, Any]) -> bytes:
    """Return rows in a format; `about` are further keys of JSON, beside ``rows``."""
    if media_type == JSON:
        head = orjson.dumps(about)
        between = b"," if len(head) > 2 else b""
        return b'%s%s"rows":%s}' % (head[:-1], between, to_json(frame).encode())
    if media_type == CSV:
        return mark_formulas(frame).write_csv(datetime_format=ISO_TIME).encode()
    written = io.BytesIO()
    if media_type == ARROW:
        # What clients of ten years' standing read, in any language.
        frame.write_ipc_stream(written, compat_level=pl.CompatLevel.oldest())
    else:
        frame.write_parquet(written)
    return written.getvalue()


def pack(body: bytes, media_type: str, packing: Packing) -> tuple[bytes, Packing]:
    """Return a body as it is sent, and how it was packed; what is short or packed stays."""
    if not packing or media_type == PARQUET or len(body) < PACKED_FROM_BYTES:
        return body, ""
    if packing == "zstd":
        return zstandard.ZstdCompressor(_ZSTD_LEVEL).compress(body), packing
    return gzip.compress(body, _GZIP_LEVEL, mtime=0), packing


def _weighted(header: str) -> Iterator[tuple[str, float]]:
    """Yield what a header of preferences names, in small letters, each with its weight."""
    for part in header.split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        weight = 1.0
        for each in parameters:
            key, _, value = each.partition("=")
            if key.strip() == "q":
                weight = _weight(value.strip())
        yield name, weight


def _weight(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value <= 1.0 else 0.0

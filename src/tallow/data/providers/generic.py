"""Plain tables, as `data.reading.readers.read_candles` reads them: CSV, Parquet, Arrow, any frame.

They say their instruments in a column, or not at all, and hardly more: the adjustment must be
given, and the timeframe where no column has it.
"""

from __future__ import annotations

import polars as pl

from tallow.core.limits import BLOCK_ROWS
from tallow.data.providers.cells import frame_source
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading
from tallow.data.reading.files import RawSource, ending_of, expand_paths, open_file
from tallow.data.reading.interchange import from_native
from tallow.data.reading.lasting import find_lasting, lasting_values
from tallow.data.reading.shapes import table_shape


def _recognises(content: Content) -> bool:
    return content.path is None or ending_of(content.path) is not None


def _read(content: Content) -> Reading:
    if content.path is not None:
        (path,) = expand_paths(content.path)
        raw, native = open_file(path, BLOCK_ROWS), "polars"
    else:
        frame, native = from_native(content.frame)
        raw = frame_source(content.name, frame)
    return Reading(raw, timeframe=_lasting(raw), native=native)


def _lasting(raw: RawSource) -> str | None:
    """Return how long the first row lasts, where a column says so; the others must agree."""
    shape = table_shape(tuple(raw.schema))
    if find_lasting(list(raw.schema)) is None and (shape is None or shape.periods is None):
        return None
    first = next(raw.rows(), pl.DataFrame(schema=dict(raw.schema))).head(1)
    return next((lasting for _, _, lasting in lasting_values(first, shape)), None)


READER = Reader("generic", "tables with a header: CSV, Parquet, Arrow, frames", _recognises, _read)

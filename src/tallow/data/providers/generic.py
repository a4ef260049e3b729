"""Plain tables, as `tallow.data.readers.read_candles` reads them: CSV, Parquet, Arrow, any frame.

They say their instruments in a column, or not at all, and nothing else: timeframe and adjustment
must be given.
"""

from __future__ import annotations

from tallow.core.limits import BLOCK_ROWS
from tallow.data.files import ending_of, expand_paths, open_file
from tallow.data.interchange import from_native
from tallow.data.providers.cells import frame_source
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading


def _recognises(content: Content) -> bool:
    return content.path is None or ending_of(content.path) is not None


def _read(content: Content) -> Reading:
    if content.path is not None:
        (path,) = expand_paths(content.path)
        return Reading(open_file(path, BLOCK_ROWS))
    frame, native = from_native(content.frame)
    return Reading(frame_source(content.name, frame), native=native)


READER = Reader("generic", "tables with a header: CSV, Parquet, Arrow, frames", _recognises, _read)

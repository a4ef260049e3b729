"""Goal: an Arrow file that claims more than it holds is refused; Polars would end the process.

Method: files that Polars writes, in each of which a length is replaced by a huge one, looked for by
its bytes; each kind of packing, one column or many.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow.core.errors import CandleInputError
from tallow.data.reading.arrow_claims import require_honest
from tallow.data.reading.readers import read_candles

ROWS = 1_237
"""No length in the file is this by chance."""

TABLE = pl.DataFrame(
    {
        "symbol": pl.Series(["A"] * ROWS, dtype=pl.Categorical),
        "ts": [1_748_835_900 + 60 * number for number in range(ROWS)],
        **{name: [1.0 + number for number in range(ROWS)] for name in "ohlcv"},
    }
)


def written(kind: str, compression: Any) -> bytes:
    file = io.BytesIO()
    write = TABLE.write_ipc if kind == "file" else TABLE.write_ipc_stream
    write(file, compression=compression)
    return file.getvalue()


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
@pytest.mark.parametrize("kind", ["file", "stream"])
def test_a_length_that_cannot_be_is_refused(kind: str, compression: Any, tmp_path: Path) -> None:
    whole = written(kind, compression)
    require_honest(io.BytesIO(whole), "whole")
    path = tmp_path / "candles.arrow"
    path.write_bytes(whole)
    assert len(read_candles(path).frame) == ROWS
    # Of a column of numbers: its buffer's length, or what a packed one says that it unpacks to.
    length = struct.pack("<q", 8 * ROWS)
    assert length in whole
    path.write_bytes(whole.replace(length, struct.pack("<q", 2**43)))
    with pytest.raises(CandleInputError, match=r"claims \d\d,\d{3},\d{3},\d{3},\d{3} bytes in"):
        read_candles(path)


def test_what_is_no_arrow_file_is_left_to_polars() -> None:
    whole = written("stream", "uncompressed")
    for content in (b"", b"ARROW1\0\0", b"\xff" * 99, whole[:40], bytes(999)):
        require_honest(io.BytesIO(content), "broken")

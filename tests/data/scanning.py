"""Files read batch by batch, as runs over files read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tallow.data.reading.batches import Batch
from tallow.data.reading.candle_files import CandleFiles
from tallow.data.reading.options import read_options


def scan_batches(paths: Sequence[Path], **said: Any) -> Iterator[Batch]:
    """Read files, of which something is said, batch by batch."""
    return CandleFiles(paths, read_options(**said)).batches()

"""How a table of text is laid out, by its first line, and how it is scanned.

Cells are parted by commas; by tabs where the ending says so, or a first line without a comma has
tabs. A page's address above the header is passed over. Of tables without a header only MetaTrader
4's is known: ``2026.11.02,09:15,`` and five numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl

ENDINGS = {
    f"{ending}{packed}": separator
    for ending, separator in ((".csv", ","), (".tsv", "\t"), (".txt", ","))
    for packed in ("", ".gz", ".zst")
}
"""Endings of tables of text, and what parts their cells; packed ones are read as they are."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PEEK_BYTES = 65_536
_METATRADER4 = re.compile(rb"\d{4}\.\d\d\.\d\d,\d\d:\d\d(?:,\d+(?:\.\d+)?){5}\s*")
_METATRADER4_COLUMNS = ("date", "time", "open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class TextLayout:
    """What parts the cells, how many lines stand above the header, the columns where it has none.

    Attributes
    ----------
    separator
        What parts the cells of a line.
    above
        Lines above the header.
    columns
        The names of the columns of a table without a header; nothing where it has one.
    """

    separator: str
    above: int = 0
    columns: tuple[str, ...] = ()


def text_layout(ending: str, first_line: bytes) -> TextLayout:
    """Return the layout of a table with that ending and first line."""
    line = first_line.removeprefix(_BYTE_ORDER_MARK)
    if line.lower().startswith((b"http://", b"https://")):
        return TextLayout(ENDINGS[ending], above=1)
    if _METATRADER4.fullmatch(line):
        return TextLayout(",", columns=_METATRADER4_COLUMNS)
    has_tabs = b"\t" in line and b"," not in line
    return TextLayout("\t" if has_tabs else ENDINGS[ending])


def long_line(path: Path, limit: int) -> int | None:
    """Return the number of the first line that is not shorter than a limit in bytes, if one is.

    Reads little of a table of short lines: that each half of the limit has an end of line in
    it is seen at the half's end.
    """
    half = limit // 2
    with path.open("rb") as file:
        for start in range(0, path.stat().st_size - half + 1, half):
            if _last_end(file, start, start + half) is None:
                number = _long_line_at(file, start, limit)
                if number is not None:
                    return number
    return None


def _last_end(file: BinaryIO, start: int, stop: int) -> int | None:
    """Return where the last end of line lies in a part of a file; None where there is none."""
    for low in (max(start, stop - _PEEK_BYTES), start):
        file.seek(low)
        found = file.read(stop - low).rfind(b"\n")
        if found >= 0:
            return low + found
    return None


def _long_line_at(file: BinaryIO, place: int, limit: int) -> int | None:
    """Return the number of the line at a place, if it is not shorter than a limit."""
    before = _last_end(file, max(0, place - limit), place)
    begins = max(0, place - limit) if before is None else before + 1
    file.seek(begins)
    line = file.read(limit)
    if b"\n" in line or len(line) < limit:
        return None
    file.seek(0)
    lines = 1
    for read in range(0, begins, limit):
        lines += file.read(min(limit, begins - read)).count(b"\n")
    return lines


def scan_text(path: Path, layout: TextLayout) -> pl.LazyFrame:
    """Scan a table of text.

    Every cell is text: a bad one then spoils its row instead of the file, and the quarantine can
    show what was written.
    """
    return pl.scan_csv(
        path,
        separator=layout.separator,
        has_header=not layout.columns,
        new_columns=list(layout.columns) or None,
        infer_schema=False,
        glob=False,
        skip_rows=layout.above,
    )

"""How a table of text is laid out, as its first line tells, and how it is scanned.

Cells are parted by commas; by tabs where the ending says so, or a first line without a comma has
tabs. A page's address above the header is passed over. Of tables without a header only MetaTrader
4's is known: ``2026.11.02,09:15,`` and five numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

ENDINGS = {
    f"{ending}{packed}": separator
    for ending, separator in ((".csv", ","), (".tsv", "\t"), (".txt", ","))
    for packed in ("", ".gz", ".zst")
}
"""Endings of tables of text, and what parts their cells; packed ones are read as they are."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
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

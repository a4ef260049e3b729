"""Goal: whatever happened to a document on its way, reading it never crashes and loses no row.

Method: documents of every format are cut, damaged and garbled; what comes is an error of ours, or
counts that add up to the rows that a plain reading of the damaged text finds.
"""

from __future__ import annotations

import csv
import json
import re
import warnings
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.core.errors import TallowError, TallowWarning
from tallow.data.providers.document import read_document
from tests.data.providers.documents import (
    BINANCE_HEADER,
    DOCUMENTS,
    YFINANCE_ADJUSTED,
    gzipped,
    zipped,
)

CELL = re.compile(r"""[^\s,:\[\]{}]+""")
JUNK = [
    "", "null", "true", "NaN", "-Infinity", "1e999", "-1", "0", "9" * 5_000, '"', '"x"', "x", "{}",
    "[]", "[[1]]", "[" * 2_000, '{"a": 1, "a": 2}', ",", ",,", "\n", "\r", "\x00", "\ufeff", "ä",
    "2025-06-02", '"2025-06-02T09:15:00+05:30"', '"0000-00-00T99:99:99+05:30"', "1748835900000",
    '"\\ud800"', "Ticker", "Price", "open", "__original__", "instrument", "EQ", "FO",
]  # fmt: skip


@st.composite
def garbled(draw, text):
    """Return a text with cells replaced, lines dropped and repeated, and its end cut off."""
    for _ in range(draw(st.integers(0, 4))):
        cells = list(CELL.finditer(text))
        if not cells:
            break
        start, end = draw(st.sampled_from(cells)).span()
        text = text[:start] + draw(st.sampled_from(JUNK)) + text[end:]
    lines = text.splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(lines) - 1)) if lines else 0
        lines[place : place + 1] = lines[place : place + 1] * draw(st.sampled_from([0, 2, 3]))
    whole = "".join(lines)
    return whole[: draw(st.sampled_from([len(whole)] * 3 + [len(whole) // 2, len(whole) - 1]))]


def read(path, given):
    """Read a document, or return None for an error of ours that names the file.

    Damage may leave times without their offsets, of which the sessions tell then.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*times carry no zone", TallowWarning)
            report = read_document(path, **given).candles.report
    except TallowError as error:
        told = str(error)
    else:
        assert report.rows_in == report.accepted + report.repeated + report.quarantined
        return report
    assert "failed: " not in told
    assert told.startswith(f"{path}: ")
    return None


def lines_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [cells for cells in csv.reader(file) if any(cell.strip() for cell in cells)]


def rows_of(form, path):
    """Return how many rows a document has, or None where counting them is reading it."""
    if form in {"ccxt", "kite", "upstox"}:
        # As text: Python has a limit to the digits of numbers.
        document = json.loads(path.read_text("utf-8-sig"), parse_int=str)
        return len(document if form == "ccxt" else document["data"]["candles"])
    if form == "bhavcopy":
        return len(lines_of(path)) - 1
    return None


assert settings.default is not None
HALF = settings(max_examples=settings.default.max_examples // 2)


@pytest.mark.parametrize("form", DOCUMENTS)
@HALF
@given(data=st.data())
def test_a_garbled_document(form, tmp_path_factory, data):
    name, text, given = DOCUMENTS[form]
    if form == "binance" and data.draw(st.booleans()):
        text = BINANCE_HEADER + text
    if form == "yfinance" and data.draw(st.booleans()):
        text, given = (
            YFINANCE_ADJUSTED,
            {"instrument_key": "A", "source_timeframe": "1d", "timezone": "UTC"},
        )
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data.draw(garbled(text)).encode())
    report = read(path, given | {"format": data.draw(st.sampled_from([None, form]))})
    if report is not None and rows_of(form, path) is not None:
        assert report.rows_in == rows_of(form, path)


@pytest.mark.parametrize("form", DOCUMENTS)
@HALF
@given(data=st.data())
def test_a_damaged_file(form, tmp_path_factory, data):
    name, text, given = DOCUMENTS[form]
    packed = {"plain": text.encode(), "zip": zipped(name, text), "gz": gzipped(text)}
    pack = data.draw(st.sampled_from(sorted(packed)))
    content = bytearray(packed[pack])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"damaged-{pack}-{name}"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    read(path, given | {"format": form})


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tallow.data.providers.content.DOCUMENT_BYTES_MAX", 1_000_000)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", " " * 1_000_001)
    with pytest.raises(TallowError, match=r"bomb\.zip: longer than 1000000 bytes"):
        read_document(path, format="ccxt")


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("a.json", f"[{'[],' * 1_000}[]]", "ccxt"),
        ("a.json", f"[{'{},' * 1_000}[]]", "ccxt"),
        ("a.csv", f"{',' * 11}\n" * 100, "binance"),
    ],
)
def test_a_document_of_more_values_than_memory_holds_is_refused(
    tmp_path, monkeypatch, name, text, form
):
    monkeypatch.setattr("tallow.data.providers.cells.DOCUMENT_VALUES_MAX", 1_000)
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(TallowError, match=r"values; at most 1,000 in a document"):
        read_document(path, format=form)

"""Goal: a user's reader, in a package of its own, is nothing special; a broken one harms no other.

Method: entry points put in place of the installed ones; and a whole package, with its metadata,
used by a fresh interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from textwrap import dedent
from types import SimpleNamespace

import pytest

from tallow.core import plugins as module
from tallow.core.errors import CandleInputError
from tallow.data.providers import document as document_module
from tallow.data.providers.document import read_document
from tallow.data.providers.reader import Reader
from tallow.data.providers.registry import readers
from tests.data.providers.documents import BINANCE_2025

BUILT_IN = EntryPoint("tallow", "tallow.data.providers:builtin", "tallow.readers")

THEIRS = """
from tallow.data.providers.cells import csv_lines, csv_rows, frame_source, table
from tallow.data.providers.reader import Reader, Reading

COLUMNS = ("ticker", "time", "o", "h", "l", "c", "v")


def read(content):
    rows = table(content.name, COLUMNS, csv_rows(csv_lines(content)[1:], len(COLUMNS)))
    return Reading(
        frame_source(content.name, rows), timeframe="1m", timezone="Asia/Tokyo", adjustment="raw"
    )


READER = Reader("theirs", "their files", lambda content: content.head.startswith("#theirs"), read)
"""


def raising(_):
    raise KeyError("close")


@pytest.fixture
def discover(monkeypatch):
    """Return what puts plug-ins beside the built-in readers."""

    def build(*plugins):
        entries = [
            SimpleNamespace(name="plug", value=f"their:{place}", load=lambda one=one: one)
            for place, one in enumerate(plugins)
        ]
        monkeypatch.setattr(module, "entry_points", lambda group: [*entries, BUILT_IN])
        found = readers.__wrapped__()
        monkeypatch.setattr(document_module, "readers", lambda: found)
        return found

    return build


def named(name, recognises=raising):
    return Reader(name, "", recognises, raising)


def test_the_built_in_readers_come_the_same_way():
    assert readers() is readers()
    assert readers().failures == {}
    assert set(readers().by_name) == {
        "upstox", "kite", "openalgo", "dhan", "fyers", "angel", "binance", "ccxt", "alpaca",
        "polygon", "databento", "yfinance", "bhavcopy", "generic",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (named("kite"), "DeclarationError: kite: the name is taken; choose another"),
        (lambda: ["kite"], "DeclarationError: 'kite' is no tallow.data.providers.reader.Reader"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (7, "TypeError: 'int' object is not callable"),
    ],
)
def test_a_broken_plug_in_is_told_and_harms_no_other(discover, plugin, reason):
    found = discover(plugin, named("good"))
    assert {"good", "kite"} <= set(found.by_name)
    assert found.failures == {"plug = their:0": reason}
    with pytest.raises(CandleInputError, match=r"'bad'; unknown; .*; plug = their:0 failed: "):
        found.find("bad")


def test_a_reader_that_raises_is_told_and_its_documents_are_errors(discover, tmp_path):
    path = tmp_path / "A-1m-2025-01.csv"
    path.write_text(BINANCE_2025)
    found = discover(named("raises"))
    assert read_document(path).format == "binance"
    assert found.failures == {"raises": "recognises: KeyError: 'close'"}
    with pytest.raises(CandleInputError, match=r"csv: the reader raises failed: KeyError: 'close'"):
        read_document(path, format="raises")


def test_two_that_recognise_a_document_are_one_too_many(discover, tmp_path):
    path = tmp_path / "A-1m-2025-01.csv"
    path.write_text(BINANCE_2025)
    discover(named("second", lambda _: True))
    with pytest.raises(CandleInputError, match=r'looks like binance and like second.*format="bin'):
        read_document(path)


def test_a_package_of_a_users_own(tmp_path):
    (tmp_path / "their_reader.py").write_text(THEIRS)
    metadata = tmp_path / "their_reader-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-reader\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[tallow.readers]\nplug = their_reader:READER\n")
    (tmp_path / "day.txt").write_text("#theirs\n7203,2025-06-02 09:00,1,2,0.5,1.5,10\n7203,x\n")
    program = """
        import json
        from tallow.data.providers.document import read_document
        document = read_document("day.txt")
        candles = document.candles
        print(json.dumps([
            document.format, str(candles.frame["timestamp"][0]), candles.frame.row(0)[2:],
            candles.quarantine["record"].to_list(),
        ]))
        """
    done = subprocess.run(
        [sys.executable, "-c", dedent(program)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        "theirs", "2025-06-02 00:00:00+00:00", [1.0, 2.0, 0.5, 1.5, 10.0], ['["7203", "x"]'],
    ]  # fmt: skip

"""Goal: what a user brings as Python is an engine, and its mistakes are told with what to do.

Method: a module in a folder of its own with callables, classes and objects, each loaded by its
name; answers are frames of several libraries, lists of rows, and nothing that can be read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from textwrap import dedent

import polars as pl
import pytest

from tallow.core.errors import EngineError, NaiveTimeError, TallowError
from tallow.migrate.engines import load_engine
from tallow.migrate.engines.answers import AnswerReader
from tallow.migrate.protocol import Engine, Request
from tests.migrate.engines.market import candles

MODULE = """
    import polars as pl
    import tallow

    calls = []
    nothing = None
    NAME = "not callable"

    def bars(request):
        calls.append(request)
        engine = tallow.AnalyticsEngine(request.calendar)
        frame = engine.process_candles(request.candles, request.timeframe, "ema(9)").frame
        return frame.rename({"instrument": "symbol", "ema_9": "their_ema"}).reverse()

    def pandas(request):
        return bars(request).to_pandas()

    def rows(request):
        return [
            {"symbol": row["symbol"], "ts": row["timestamp"].isoformat(), "c": row["close"],
             "their_ema": row["their_ema"], "note": "x"}
            for row in bars(request).to_dicts()
        ]

    def fails(request):
        raise KeyError("a column")

    def refuses(request):
        raise tallow.TallowError("its own words")

    class Theirs:
        name, version = "theirs", "7"

        def answer(self, request):
            return bars(request)

    class Needs(Theirs):
        def __init__(self, what):
            pass

    class Holder:
        made = Theirs()

    holder = Holder()
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "their_engine.py").write_text(dedent(MODULE))
    (folder / "their_broken.py").write_text("1 / 0\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield "their_engine"
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


@pytest.mark.parametrize("name", ["bars", "pandas", "rows"])
def test_a_callable_answers(module: str, name: str) -> None:
    asked = Request(candles(), "15m", start="2025-06-03")
    engine = load_engine(f"{module}:{name}", series={"their_ema": "ema_9"})
    frame = engine.answer(asked)
    expected = load_engine("tallow").answer(Request(candles(), "15m", "ema(9)", start="2025-06-03"))
    assert frame.equals(expected.select(frame.columns))
    assert {"instrument", "timestamp", "close", "ema_9"} <= set(frame.columns)
    assert "note" not in frame.columns
    assert engine.name == f"{module}:{name}"
    assert engine.version.startswith("their_engine.py sha256:")


def test_an_installed_package_tells_its_version() -> None:
    told = load_engine("polars:DataFrame").version
    assert told.startswith(f"polars {pl.__version__}, __init__.py sha256:")
    # What has neither a package nor a file is part of the interpreter.
    assert load_engine("builtins:len").version == "builtins"


@pytest.mark.parametrize("name", ["Theirs", "Holder.made", "holder.made"])
def test_an_engine_or_its_class_keeps_its_name(module: str, name: str) -> None:
    engine = load_engine(f"{module}:{name}", series={"their_ema": "ema_9"})
    assert isinstance(engine, Engine)
    assert (engine.name, engine.version) == ("theirs", "7")
    asked = Request(candles(), "15m")
    expected = load_engine("tallow").answer(Request(candles(), "15m", "ema(9)"))
    assert engine.answer(asked).equals(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("their_engine:bar", "'bar' is not there; did you mean bars"),
        ("their_engine:NAME", "is str; must be callable with a Request"),
        ("their_engine:Needs", "is a class; TypeError: .*it must need no arguments"),
        ("their_broken:bars", "ZeroDivisionError: .*must be importable"),
        ("their_missing:bars", "ModuleNotFoundError: .*check its name"),
    ],
)
def test_what_cannot_be_loaded(module: str, text: str, message: str) -> None:
    assert module
    with pytest.raises(EngineError, match=message):
        load_engine(text)


def test_what_it_raises_is_told(module: str) -> None:
    with pytest.raises(EngineError, match="their_engine:fails: raised KeyError: 'a column'"):
        load_engine(f"{module}:fails").answer(Request(candles()))
    with pytest.raises(TallowError, match=r"^its own words$"):
        load_engine(f"{module}:refuses").answer(Request(candles()))


T0, T1 = "2025-06-02T09:15:00+05:30", "2025-06-02T09:20:00+05:30"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (7, "answered int; must be a frame, or a list of rows"),
        ([{"symbol": "A"}], "columns found: symbol; instrument and timestamp must be among them"),
        ([{"timestamp": T0}], "instrument and timestamp must be among"),
        ([{"symbol": "A", "ts": "soon"}], "row 1: ts='soon'; cannot be read"),
        ([{"symbol": "A", "ts": T0}, {"symbol": None, "ts": T0}], "row 2: symbol=None; cannot"),
        ([{"symbol": "A", "ts": T0, "their": "x"}], "row 1: their='x'; must be a number"),
        ([{"symbol": "A", "ts": T0, "close": True}], "column 'close' is Boolean"),
        ([{"symbol": "A", "ts": T0, "their": 1, "ema_9": 1}], "their and ema_9 are both ema_9"),
        ([{"symbol": "A", "ts": T0, "x": 1}, {"symbol": "A", "ts": T0, "x": 2}], "more than once"),
    ],
)
def test_an_answer_that_cannot_be_read(given: object, message: str) -> None:
    reader = AnswerReader({"their": "ema_9"})
    with pytest.raises(EngineError, match=f"it: .*{message}"):
        reader.read(given, Request(candles()), "it")


def test_what_is_missing_is_null_and_equal_rows_are_one() -> None:
    rows = [
        {"symbol": "A", "ts": T1, "a": "nan", "b": "", "c": "NULL", "d": None, "e": " 1.5 "},
        {"symbol": "A", "ts": T0, "a": "1", "b": "2", "c": "3", "d": 4, "e": "-0"},
    ]
    frame = AnswerReader().read([*rows, *rows], Request(candles().clear()), "it")
    assert frame.drop("instrument", "timestamp").rows() == [
        (3.0, 1.0, 2.0, 4.0, -0.0),
        (None, None, None, None, 1.5),
    ]
    # `c` is a close, as in every input.
    assert frame.columns[2:] == ["close", "a", "b", "d", "e"]


def test_rows_of_other_instruments_are_left_out() -> None:
    rows = [{"symbol": "STRANGE", "ts": T0, "x": 1.0}]
    assert len(AnswerReader().read(rows, Request(candles()), "it")) == 0


def test_no_rows_are_an_answer() -> None:
    frame = AnswerReader().read([], Request(candles()), "it")
    assert frame.schema == {"instrument": pl.String, "timestamp": pl.Datetime("us", "UTC")}


def test_one_instrument_needs_no_name() -> None:
    one = candles().filter(pl.col("instrument") == candles()["instrument"][0])
    frame = AnswerReader().read([{"ts": T0, "x": 1.0}], Request(one), "it")
    assert frame["instrument"].to_list() == [one["instrument"][0]]


def test_times_without_a_zone_need_one() -> None:
    rows = [{"symbol": "A", "date": "2025-06-02", "time": "09:15", "x": 1.0}]
    empty = Request(candles().clear())
    with pytest.raises(NaiveTimeError):
        AnswerReader().read(rows, empty, "it")
    frame = AnswerReader(timezone="Asia/Kolkata").read(rows, empty, "it")
    assert frame["timestamp"][0].isoformat() == "2025-06-02T03:45:00+00:00"
    assert issubclass(EngineError, TallowError)

"""Goal: whoever makes one of fifty mistakes of a first day reads what is wrong, where, what to do.

Method: each is made as newcomers make it, on the command line or in Python, among the files that a
person has on such a day. The message must have the words without which one could not go on: the
wrong value, its place, and the way out. They are written down from what is needed. Nothing ends in
a traceback, and no message is longer than a paragraph.
"""

from __future__ import annotations

import re
import shlex
import zipfile
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

import tallow
from tests.serve.calling import tallow as run_tallow

HEADER = "instrument,timestamp,open,high,low,close,volume"
PARAGRAPH = 700
"""Characters of a message, at most."""


class Mistake(NamedTuple):
    """What is typed, the exit code, and words that the answer must have."""

    typed: str
    code: int
    words: tuple[str, ...]


def wrong(typed: str, *words: str, code: int = 2) -> Mistake:
    return Mistake(typed, code, words)


def minutes(time: str = "2025-07-18T09:{:02}+05:30", rows: int = 40) -> str:
    """Return candles of a morning as CSV."""
    lines = [f"RELIANCE,{time.format(15 + k)},100,101,99,100,{10 + k}" for k in range(rows)]
    return "\n".join([HEADER, *lines]) + "\n"


def without(column: int) -> str:
    """Return the same without a column."""
    rows = [line.split(",") for line in minutes().splitlines()]
    return "".join(",".join([*row[:column], *row[column + 1 :]]) + "\n" for row in rows)


FILES = {
    "good.csv": minutes(),
    "naive.csv": minutes("2025-07-18 05:{:02}"),
    "day_first.csv": minutes("03-07-2025 09:{:02}"),
    "no_close.csv": without(5),
    "no_volume.csv": without(6),
    "no_name.csv": without(0),
    "text.csv": minutes().replace("100,101,99,100,10\n", '"1,100",101,99,100,10\n'),
    "swapped.csv": minutes().replace("101,99", "99,101"),
    "semicolons.csv": minutes().replace(",", ";"),
    "header.csv": f"{HEADER}\n",
    "empty.csv": "",
    "plan.toml": 'experimnt = "new-engine"\n',
}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it looks on a first day: files, a folder of files, a workbook, a store."""
    folder = tmp_path_factory.mktemp("day")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "days").mkdir()
    (folder / "days" / "monday.csv").write_text(minutes())
    with zipfile.ZipFile(folder / "book.xlsx", "w") as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
    with tallow.open_store(folder / "candles", create=True) as store:
        store.write(pl.read_csv(folder / "good.csv"), source_timeframe="1m")
    return folder


COMMANDS = [
    # Verbs, options and values that are misspelt
    wrong("rnu good.csv -o b.csv", "rnu", "run"),
    wrong("store coverag --store candles", "coverag", "coverage"),
    wrong("run good.csv --timefame 5m -o b.csv", "--timefame", "--timeframe"),
    wrong("run good.csv --outptu b.csv", "--outptu", "--output"),
    wrong("run good.csv -t 5 -o b.csv", "timeframe", "'5'", "5m?"),
    wrong("run good.csv -t 1H -o b.csv", "timeframe", "'1H'", "1h?"),
    wrong('run good.csv -t "15 minutes" -o b.csv', "'15 minutes'", "15m?"),
    wrong("run good.csv -t 1M -o b.csv", "'1M'", "1m", "1mo"),
    wrong("run good.csv -t 30s -o b.csv", "'30s'", "from 1m"),
    wrong('run good.csv -i "emma(9)" -o b.csv', "'emma'", "ema"),
    wrong("run good.csv -i ema_9 -o b.csv", "'ema_9'", "ema(9)"),
    wrong('run good.csv -i "ema(9" -o b.csv', "'ema(9'", "ema(9)"),
    wrong('run good.csv -i "rsi(0)" -o b.csv', "rsi", "length", "0", "must be"),
    wrong('run good.csv -i "bollinger(20, 2)[uper]" -o b.csv', "'uper'", "upper?"),
    wrong('run good.csv -i "ema(9)," "rsi(14)" -o b.csv', "rsi(14)", "indicator", "quotes"),
    wrong("run good.csv -c NSEE -o b.csv", "calendar", "'NSEE'", "XNSE"),
    wrong("run good.csv -c XNSE:options -o b.csv", "'options'", "derivatives"),
    wrong("run good.csv --threads many -o b.csv", "--threads", "'many'", "whole number"),
    wrong("run good.csv --no-trade skip -o b.csv", "--no-trade", "'skip'", "drop", "keep"),
    wrong("indicators supertrand", "'supertrand'", "supertrend"),
    wrong("indicators new My-Average", "'My-Average'", "lower-case"),
    # Files
    wrong("run god.csv -o b.csv", "god.csv", "no such file", "good.csv?"),
    wrong('run "weeks/*.csv" -o b.csv', "weeks/*.csv", "no file"),
    wrong("run days -o b.csv", "days", "folder", "days/*"),
    wrong("run book.xlsx -o b.csv", "book.xlsx", "workbook", "save", "CSV"),
    wrong("run empty.csv -o b.csv", "empty.csv", "header"),
    wrong("run no_close.csv -o b.csv", "no_close.csv", "missing: close", "rename"),
    wrong("run no_volume.csv -o b.csv", "missing: volume", "--no-volume"),
    wrong("run no_name.csv -o b.csv", "missing: instrument", "--instrument-key"),
    wrong("run semicolons.csv -o b.csv", "semicolons.csv", "separated", "commas"),
    wrong("run swapped.csv -o b.csv", "swapped.csv", "high", "low", "column order", code=1),
    wrong("run text.csv -o b.csv --strict", "quarantined", "price_missing", code=1),
    wrong("run naive.csv -o b.csv", "naive.csv", "2025-07-18 05:15", "zone", "--timezone"),
    wrong("run naive.csv --timezone IST -o b.csv", "'IST'", "Asia/Kolkata"),
    wrong("run day_first.csv --timezone Asia/Kolkata -o b.csv", "03-07-2025", "--time-format"),
    wrong("run naive.csv --time-format DD/MM/YYYY -o b.csv", "'DD/MM/YYYY'", "%d"),
    # Outputs and ranges
    wrong("run good.csv", "--output", "bars.parquet"),
    wrong("run good.csv -o bars.xlsx", "bars.xlsx", ".parquet", ".csv"),
    wrong("run good.csv -o new/bars.csv", "new/bars.csv", "folder", "create"),
    wrong("run good.csv -o good.csv", "good.csv", "input", "another name"),
    wrong("run good.csv --start 2025-07-19 --end 2025-07-18 -o b.csv", "2025-07-18", "--start"),
    wrong("run good.csv --start 18/07/2025 -o b.csv", "'18/07/2025'", "2025-06-02"),
    wrong("run good.csv --instrument RELAINCE -o b.csv", "'RELAINCE'", "RELIANCE?"),
    # Stores, feeds, engines, plans
    wrong("query RELIANCE", "--store", "TALLOW_STORE"),
    wrong("query RELIANCE --store candels", "candels", "no store", "tallow ingest"),
    wrong("query INFY --store candles", "'INFY'", "RELIANCE"),
    wrong("live --store new --feed good.csv", "good.csv", "replay:good.csv"),
    wrong("live --store new --feed localhost:8765", "localhost:8765", "ws://localhost:8765"),
    wrong(
        "live --store new --feed replay:good.csv --source-timeframe 5m",
        "--source-timeframe 5m",
        "one minute",
        "tallow ingest",
    ),
    wrong("live --store new --feed kafka://localhost", "kafka://localhost", "redis://", "ws://"),
    wrong("compare good.csv --control talibb --candidate tallow", "'talibb'", "talib"),
    wrong("compare good.csv --control old:bars --candidate tallow", "'old'", "importable"),
    wrong(
        "compare good.csv --control http://localhost:1/bars --candidate tallow --runs 0",
        "http://localhost:1/bars",
        "refused",
        "running?",
    ),
    wrong("rollout status", "rollout.toml", "tallow rollout plan"),
    wrong("rollout status plan.toml", "plan.toml", "experimnt", "experiment?"),
]


@pytest.mark.parametrize("mistake", COMMANDS, ids=lambda mistake: mistake.typed)
def test_a_mistake_on_the_command_line(
    mistake: Mistake, day: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(day)
    monkeypatch.delenv("TALLOW_STORE", raising=False)
    Path("b.csv").unlink(missing_ok=True)
    result = run_tallow(*shlex.split(mistake.typed))
    assert result.exit_code == mistake.code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    lacking = [word for word in mistake.words if word not in result.output]
    assert not lacking, result.output
    assert len(result.stderr) <= PARAGRAPH
    assert not re.search(r"Traceback|\.py\b", result.stderr)
    assert not Path("b.csv").exists() or mistake.code == 1


PYTHON = [
    wrong('tallow.read_csv("good.csv")', "read_csv", "read_candles"),
    wrong('tallow.AnalyticsEngine("NSEE")', "'NSEE'", "XNSE"),
    wrong('engine.process_candles("god.csv")', "god.csv", "good.csv?"),
    wrong('engine.process_candles("good.csv", 5)', "timeframe: 5", "5m?"),
    wrong('engine.process_candles("good.csv", "5m", "emma(9)")', "'emma'", "ema"),
    wrong('engine.process_candles("good.csv", "5m", ["ema(9)", 14])', "14", "text", "ema(9)"),
    wrong('engine.process_candles("good.csv").indicators["ema_99"]', "ema_99", "ema_9"),
    wrong('engine.process_candles("naive.csv")', "05:15", "zone", "timezone="),
    wrong('engine.process_candles({"close": 1.0})', "dict", "frame"),
    wrong('engine.process_candles(pl.read_csv("no_close.csv"))', "missing: close"),
    wrong('engine.process_candles("good.csv", start="18-07-2025")', "'18-07-2025'", "2025-06-02"),
    wrong('engine.process_candles("good.csv", instruments="RELAINCE")', "RELIANCE?"),
    wrong('engine.query("RELIANCE")', "store", "AnalyticsEngine(store="),
    wrong('tallow.open_store("candels")', "candels", "no store"),
    wrong('tallow.read_candles("naive.csv", timzone="Asia/Kolkata")', "timzone", "timezone"),
    wrong('live.update_one("A", "09:15", 1.0, 1.0, 1.0, 1.0, 1.0)', "numbers", "time"),
]


@pytest.mark.parametrize("mistake", PYTHON, ids=lambda mistake: mistake.typed)
def test_a_mistake_in_python(mistake: Mistake, day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(day)
    engine, live = tallow.AnalyticsEngine("XNSE"), tallow.LiveEngine("5m", calendar="XNSE")
    names = {"tallow": tallow, "pl": pl, "engine": engine, "live": live}
    # What a dictionary or a module lacks is an error of Python's own kind.
    with pytest.raises((tallow.TallowError, AttributeError, KeyError)) as caught:
        eval(mistake.typed, names)
    lacking = [word for word in mistake.words if word not in str(caught.value)]
    assert not lacking, str(caught.value)
    assert len(str(caught.value)) <= PARAGRAPH


def test_there_are_fifty() -> None:
    assert len({mistake.typed for mistake in (*COMMANDS, *PYTHON)}) >= 50

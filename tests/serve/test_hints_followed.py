"""Goal: a message's hint, followed to the letter, leads on, up to the result: in the command line
of each verb, and in each function of Python.

Method: files with mistakes are given to every verb and function that reads them. What an error says
to pass is passed, as it is written there, until there are no errors; no error comes twice. The
commands that reports end with are given as they are printed. Wrong values of every option make
messages in which no parameter is left that only Python has.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine, open_store, read_candles
from tallow.core.errors import TallowError
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.ingest.documents import ingest
from tallow.data.providers.document import read_document
from tests.data.providers.documents import UPSTOX
from tests.frames import candles, minutes
from tests.serve.calling import tallow
from tests.serve.hints import bare_options, calls, options_of, parameters_of, verbs, what_is_wrong

CANDLES = pl.concat(candles(name, minutes("2025-07-18T09:15+05:30", 20)) for name in "AB")
ONE = CANDLES.filter(instrument="A")
EARLY = CANDLES.with_columns(pl.col("timestamp") - pl.duration(minutes=3))
"""Three of twenty minutes are before the session, so that it does not tell their zone."""
STEPS = 6
"""Hints that are followed, at most: one more than any mistake here needs."""


def text_of(frame: pl.DataFrame, zone: bool = True, format_: str = "%Y-%m-%d %H:%M") -> str:
    local = pl.col("timestamp").dt.convert_time_zone("Asia/Kolkata")
    return frame.with_columns(local.dt.to_string(format_ + "%:z" * zone)).write_csv()


def dated(frame: pl.DataFrame, day: str) -> pl.DataFrame:
    return frame.with_columns(timestamp=pl.Series(minutes(f"{day}T09:12+05:30", len(frame))))


MISTAKES: dict[str, dict[str, str]] = {
    "no zone": {"a.csv": text_of(EARLY, zone=False)},
    "no instrument": {"a.csv": text_of(ONE.drop("instrument"))},
    "no volume": {"a.csv": text_of(CANDLES.drop("volume"))},
    "nothing but times and prices": {
        "a.csv": text_of(
            EARLY.filter(instrument="A").drop("instrument", "volume"),
            zone=False,
            format_="%d/%m/%y %H:%M",
        )
    },
    "day or month": {"a.csv": text_of(dated(ONE, "2025-07-07"), False, "%d-%m-%Y %H:%M")},
    "two formats": {"a.json": UPSTOX.replace("+05:30", "")},
    "a file per instrument": {
        f"{name}_minute.csv": text_of(candles(name, minutes("2025-07-18T09:15+05:30", 20), seed))
        .replace(f"{name},", "")
        .replace("instrument,", "")
        for seed, name in enumerate(("ONE", "TWO"))
    },
}


@pytest.fixture(params=MISTAKES)
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a glob of files with a mistake."""
    for name, text in MISTAKES[request.param].items():
        (tmp_path / name).write_text(text)
    return tmp_path / "*.*"


def calls_of(files: Path, store: Path) -> dict[str, list[object]]:
    """Return what each verb that reads files is called with."""
    bars = store.with_name("bars.parquet")
    return {
        "run": [files, "-o", bars, "-i", "", "-t", "1m", "--quiet"],
        "ingest": [files, "--store", store, "--quiet"],
        "live": ["--feed", f"replay:{files}", "--store", store, "-i", "", "--speed", "0", "--json"],
        "compare": [files, "--control", "tallow", "--candidate", "tallow", "-i", "", "--runs", "0"],
    }


_ASKS = re.compile(r"\b(pass|add|leave out|ask for) (?=--)")
_GIVEN = re.compile(r"(--[a-z][a-z-]*)(?: (\"[^\"]*\"|'[^']*'))?(,?)")


_OR = re.compile(r"""--instrument-key "[^"]*" \(or (--pattern '[^']*')[^)]*\)""")


def asked(message: str, way: int) -> Iterator[tuple[str, str, str | None]]:
    """Yield what to do, with which option, and with which value; of several ways one by its place.

    The last is that for files of several instruments, and for a day before its month.
    """
    whole = _OR.sub(r"\1", message) if way else re.sub(r" \(or .*\)", "", message)
    for part in whole.split("; "):
        ways = list(_ASKS.finditer(part))
        rest = part[ways[way].end() :] if ways else ""
        while found := _GIVEN.match(rest):
            option, value, more = found.groups()
            yield ways[way][1], option, None if value is None else value[1:-1]
            rest = rest[found.end() :].lstrip() if more else ""


def follow(verb: str, arguments: list[object], way: int) -> list[str]:
    """Do what a verb's errors say, until there are none; return them."""
    told: list[str] = []
    for _ in range(STEPS):
        done = tallow(verb, *arguments)
        message = done.stderr.partition("\nTry ")[0]
        if done.exit_code == 0:
            return told
        assert message not in told, message
        told.append(message)
        named = bare_options(message)
        assert named, message
        assert named <= options_of(verb), message
        for what, option, value in list(asked(message, way)):
            if option in arguments:
                at = arguments.index(option)
                del arguments[at : at + 2]
            if what != "leave out":
                arguments += [option] if value is None else [option, value]
    raise AssertionError("\n".join(told))


@pytest.mark.parametrize("verb", ["run", "ingest", "live", "compare"])
@pytest.mark.parametrize("way", [0, -1])
def test_what_a_verb_asks_for_is_all_that_it_needs(
    files: Path, tmp_path: Path, verb: str, way: int
) -> None:
    store = tmp_path / "to" / "store"
    store.parent.mkdir()
    assert follow(verb, calls_of(files, store)[verb], way)
    names = {"ONE_minute", "TWO_minute"} if len(list(tmp_path.glob("*.*"))) > 1 else None
    if verb == "run":
        frame = pl.read_parquet(store.with_name("bars.parquet"))
        assert len(frame)
        assert names in (None, set(frame["instrument"]))
    elif verb != "compare":
        with open_store(store) as opened:
            kept = opened.read()
        # Of an ingest, the files before one that cannot be taken stay.
        assert (names or set()) <= set(kept["instrument"])


def functions(store: Path) -> dict[str, Callable[..., object]]:
    """Return the functions that take candles, each of its source and what is said of it."""
    engine, live = AnalyticsEngine(), LiveEngine("1m", "")
    opened = open_store(store, create=True)
    return {
        "read_candles": read_candles,
        "process_files": lambda source, **said: engine.process_files(
            source, store.with_name("bars.parquet"), "1m", "", **said
        ),
        "process_candles": lambda source, **said: engine.process_candles(source, "1m", "", **said),
        "aggregate_timeframes": lambda source, **said: engine.aggregate_timeframes(
            source, "5m", **said
        ),
        "calculate_indicators": lambda source, **said: engine.calculate_indicators(
            source, "sma(2)", **said
        ),
        "LiveEngine.update": live.update,
        "Store.write": opened.write,
        "ReplayFeed": ReplayFeed,
        "read_document": lambda source, **said: read_document(one_of(source), **said),
        "ingest": lambda source, **said: ingest(opened, source, **said),
    }


def one_of(source: Any) -> Any:
    return min(source.parent.glob("*.*")) if isinstance(source, Path) else source


_PASSED = re.compile(
    r"(?:(pass) |(add|leave out) |, )"
    r"(read_candles\(candles, )?([a-z_]+)=(\"[^\"]*\"|'[^']*'|True)?"
)


def follow_in_python(function: Callable[..., object], source: Any) -> list[str]:
    """Do what a function's errors say, until there are none; return them."""
    told: list[str] = []
    said: dict[str, Any] = {}
    read_with: dict[str, Any] = {}
    for _ in range(STEPS):
        target = read_with
        try:
            given = read_candles(source, **read_with) if read_with else source
            target = said
            function(given, **said)
        except TallowError as error:
            message = str(error)
            assert message not in told, message
            told.append(message)
            for called, what, name, value in asked_in_python(message):
                here = read_with if called else target
                here.pop(name, None)
                here |= {} if what == "leave out" else {name: value}
        else:
            return told
    raise AssertionError("\n".join(told))


def asked_in_python(message: str) -> Iterator[tuple[str, str, str, Any]]:
    """Yield the call to say it in, what to do, with which parameter, and with which value."""
    for part in message.split("; "):
        ways = list(_PASSED.finditer(re.sub(r" \(or .*\)", "", part)))
        for found in ways if part.startswith("add ") else ways[-1:]:
            _, what, called, name, value = found.groups()
            yield called or "", what or "", name, _value(value or "")


def _value(text: str) -> Any:
    return True if text == "True" else text[1:-1]


NAMES = [
    *("read_candles", "process_files", "process_candles", "aggregate_timeframes"),
    *("calculate_indicators", "LiveEngine.update", "Store.write", "ReplayFeed"),
    *("read_document", "ingest"),
]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_function_asks_for_is_all_that_it_needs(
    files: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "to").mkdir()
    assert follow_in_python(functions(tmp_path / "to" / "store")[name], files)


# Commands that reports end with

DAYS = "symbol,date,open,high,low,close,volume\nA,2025-07-18,1,2,1,2,5\nA,2025-07-21,1,2,1,2,5\n"
BAD = "A,2025-07-19T10:00:00Z,10,9,11,10,100\n"
SUNDAY = text_of(dated(ONE, "2025-07-20"), format_="%Y-%m-%dT%H:%M:%S")
ENDINGS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "minutes": (
        SUNDAY + BAD,
        "ingest",
        ("--source-timeframe", "1m", "--adjustment", "raw", "-c", "24/7"),
    ),
    "days": (
        DAYS,
        "ingest",
        ("--source-timeframe", "1d", "--adjustment", "split", "--timezone", "Asia/Kolkata"),
    ),
    "a feed": (SUNDAY, "live", ("--speed", "0", "-i", "", "-c", "24/7")),
    "a comparison": (SUNDAY, "compare", ("--candidate", "tallow", "-c", "24/7", "-i", "sma(2)")),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_commands_that_a_report_ends_with_can_be_given(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, verb, said = ENDINGS[ending]
    Path("some candles.csv").write_text(text)
    given = {
        "ingest": ("some candles.csv", "--store", "the store"),
        "live": ("--feed", "replay:some candles.csv", "--store", "the store"),
        "compare": ("some candles.csv", "--control", "tallow", "--runs", "0"),
    }
    done = tallow(verb, *given[verb], *said)
    assert done.exit_code == 0, done.output
    waiting = next_commands(done.stdout)
    assert len(waiting) >= 2
    for command in waiting:
        again = tallow(*command)
        assert again.exit_code == 0, f"{command}: {again.output}"
        assert "no bars" not in again.output
        assert "no candles" not in again.output
        waiting += [each for each in next_commands(again.output) if each not in waiting]


def next_commands(output: str) -> list[list[str]]:
    """Return the commands that a report shows, without what they are piped into."""
    found = re.findall(r"(?:^  |repair them: )tallow ([^|\n]+)", output, re.MULTILINE)
    return [shlex.split(command) for command in found]


# Wrong values

WRONG = ("wrong", "-1")
GIVEN: dict[str, tuple[str, ...]] = {
    "run": ("good.csv", "-o", "bars.csv", "-i", "", "--quiet"),
    "ingest": (
        "good.csv",
        "--store",
        "new",
        "--source-timeframe",
        "1m",
        "--adjustment",
        "raw",
        "--quiet",
    ),
    "query": ("--store", "store", "-i", ""),
    "live": ("--feed", "replay:good.csv", "--store", "new", "--speed", "0", "-i", "", "--json"),
    "compare": ("good.csv", "--control", "tallow", "--candidate", "tallow", "--runs", "0"),
    "demo": ("--instruments", "1", "--sessions", "1", "-o", "demo", "-t", "1d"),
    # It would serve until it is stopped; all that is wrong is told at once.
    "serve": ("--port", "-1"),
    "store actions": ("good.csv", "--store", "store"),
    "store backup": ("store", "--store", "store"),
    "store restore": ("nowhere", "--store", "store"),
    "store prune": ("--store", "store"),
    **{f"rollout {verb}": ("good.csv",) for verb in ("start", "status", "advance", "revert")},
}


def values_of(verb: str) -> Iterator[tuple[str, ...]]:
    """Yield nothing, then each option of a verb that takes a value, with wrong ones."""
    yield ()
    for each in verbs()[verb].params:
        if each.param_type_name == "option" and not (each.is_flag or each.hidden):
            yield from ((max(each.opts, key=len), value) for value in WRONG)


@pytest.mark.parametrize("verb", verbs())
def test_no_message_of_a_verb_names_what_only_python_has(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text(text_of(ONE))
    with open_store("store", create=True) as opened:
        opened.write(ONE, source_timeframe="1m")
    given = GIVEN.get(verb, ("--store", "store") if verb.startswith("store ") else ())
    messages = [tallow(*verb.split(), *given, *value).stderr for value in values_of(verb)]
    told = [message for message in messages if message.startswith(("Error", "Warning", "hint"))]
    for message in told:
        assert not words_of_python(message), message
        assert bare_options(message) <= options_of(verb), message


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    *(read_candles, read_document, ingest, AnalyticsEngine, LiveEngine, AnalyticsEngine.query),
)
PARAMETERS = set().union(*map(parameters_of, FUNCTIONS))


def words_of_python(message: str) -> set[str]:
    """Return the parameters that a message names, but for those of calls that are written out."""
    inside = set().union(*(words for _, words in calls(message)))
    return (set(re.findall(r"(?<![\w.-])([a-z_]+)=", message)) & PARAMETERS) - inside


def test_a_word_of_python_is_found() -> None:
    assert words_of_python("engine: threads=0; must be 1..64") == {"threads"}
    assert words_of_python("pass read_candles(candles, timezone=...); row=1") == set()
    assert what_is_wrong(["store", "restor"])

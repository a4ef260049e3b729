"""Goal: one word for one option, on the command line and in Python, and each word means one thing.

Method: a table of options by the verbs that have them is compared with the verbs themselves, both
ways; of each spelling, all verbs give the value to a parameter of one name, and say alike what
follows it. The signatures of Python's functions are held against a table of words in the same way.
What went by another name before is called by it, and must warn; two spellings must be refused.
"""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import polars as pl
import pytest

import tallow
from tallow.core.errors import ParameterError, RangeError, TallowError, TallowWarning
from tallow.data.coverage.missing import missing_segments
from tallow.data.coverage.sessions import coverage
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.ingest.documents import ingest
from tallow.data.providers.document import read_document
from tallow.data.reading.readers import read_candles
from tallow.data.store.actions import StoredActions
from tallow.data.store.universes import StoredUniverses
from tallow.migrate.protocol import Request
from tallow.runtime.requests import InputKeywords
from tests.serve import hints
from tests.serve.calling import CLEAN, HEADER, ingested, told
from tests.serve.calling import tallow as called

FILES = ("run", "ingest", "live", "compare")
BARS = ("run", "query", "live", "compare")
REPORTS = ("run", "ingest", "query", "live", "compare")
ASKS = ("screen", "sequences")
SERVES = ("serve", "config")
ONE = ("plot", "explain")
KEYS = ("keys create", "keys list", "alerts test")
LATER = ("watch", "config", "explain")
CHECKS = ("leak-check", *ASKS)
CALENDAR = ("run", "ingest", "query", "live", "compare", "store coverage", *ONE, "watch", *CHECKS)
ACTS = ("start", "status", "advance", "pause", "resume", "revert")
ROLLOUT = tuple(f"rollout {verb}" for verb in ACTS)
STORE = ("stats", "list", "coverage", "quarantine", "ingests", "actions", "compact", "backup")
UNIVERSE = ("universe add", "universe list", "universe show")
SHOWS = tuple(f"store {verb}" for verb in (*STORE, "restore", "prune"))

VERBS: dict[str, tuple[str, tuple[str, ...]]] = {
    "--timeframe": ("timeframe", (*BARS, "demo", *ONE, *CHECKS, "watch", *SERVES)),
    "--source-timeframe": ("source_timeframe", (*REPORTS, "store coverage", *ONE, *CHECKS)),
    "--instrument": ("instruments", (*BARS, "store coverage", *CHECKS, "watch")),
    "--universe": ("universe", (*BARS, "store coverage", *CHECKS)),
    "--instrument-key": ("instrument_key", (*FILES, *ONE, *CHECKS, "watch")),
    "--adjustment": ("adjustment", ("ingest", "query", "store coverage", *ONE, *ASKS)),
    "--known-at": ("known_at", ("query", "store coverage", *ONE, *ASKS, *UNIVERSE[1:])),
    "--final-at": ("final_at", ("run", "query", "plot")),
    "--json": (
        "json",
        (
            *REPORTS,
            *SHOWS,
            *ROLLOUT,
            *UNIVERSE,
            *KEYS,
            "indicators",
            "doctor",
            *CHECKS,
            *LATER,
        ),
    ),
    "--json-file": ("json_file", (*REPORTS, *ASKS, "explain")),
    "--strict": ("strict", (*REPORTS, *ONE, *ASKS)),
    "--quiet": ("quiet", (*REPORTS, *ONE, *ASKS, "watch")),
    "--threads": ("threads", ("run", "query", "compare", *ONE, *ASKS)),
    "--output-zone": ("output_zone", (*BARS, *SHOWS[1:3], "store ingests", *ONE, *ASKS, "watch")),
    "--calendar": ("calendar", (*CALENDAR, "mcp")),
    "--calendar-dates": ("calendar_dates", CALENDAR),
    "--beyond-coverage": ("beyond_coverage", CALENDAR),
    "--convention": ("convention", (*BARS, *ONE, *CHECKS, "watch", "mcp")),
    "--no-trade": ("no_trade", (*BARS, *ONE, *CHECKS, "watch")),
    "--timezone": ("timezone", (*FILES, *ONE, *CHECKS, "watch")),
    "--start": ("start", ("run", "query", "compare", "store coverage", "plot", *ASKS)),
    "--end": ("end", ("run", "query", "compare", "store coverage", "plot", "screen")),
}
"""By the option: the parameter that takes it everywhere, and the verbs that have it."""


def declared(verb: str) -> dict[str, Any]:
    """Return a verb's options, those that its help shows, by how they are written."""
    options = (p for p in hints.verbs()[verb].params if p.param_type_name == "option")
    return {max(each.opts, key=len): each for each in options if not each.hidden}


@pytest.mark.parametrize("option", VERBS)
def test_an_option_is_in_the_verbs_of_the_table_and_is_one_thing_in_all_of_them(
    option: str,
) -> None:
    parameter, verbs = VERBS[option]
    found = {verb: declared(verb)[option] for verb in hints.verbs() if option in declared(verb)}
    assert sorted(found) == sorted(verbs)
    # The demo's bars are a list in its own function, too.
    names = {str(each.name).removesuffix("s") for each in found.values()}
    assert names == {parameter.removesuffix("s")}
    assert len({(each.metavar, bool(each.is_flag)) for each in found.values()}) == 1


def test_bars_of_several_timeframes_are_asked_for_in_one_way_and_a_comparison_takes_one() -> None:
    for verb in (*BARS, "demo"):
        option = declared(verb)["--timeframe"]
        assert option.multiple
        assert "-t" in option.opts
    result = called(
        *("compare", "a.csv", "--control", "tallow", "--candidate", "talib"),
        *("-t", "5m", "-t", "1h"),
    )
    assert result.exit_code == 2
    assert "--timeframe 5m and 1h; engines are compared at one" in result.stderr


# Former names


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.csv"
    path.write_text(HEADER + CLEAN)
    return path


def warned(*arguments: object) -> str:
    """Return the one warning of a verb that does its work."""
    result = called(*arguments)
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("Warning"))
    return line


def test_former_options_go_on_with_a_warning(source: Path, tmp_path: Path) -> None:
    store, bars = tmp_path / "store", tmp_path / "bars.csv"
    for option in ("-t", "--timeframe"):
        line = warned("ingest", source, "--store", store, option, "1m", "--adjustment", "raw")
        assert "--timeframe is called --source-timeframe now" in line
    assert told("store", "list", "--store", store)[0]["timeframe"] == "1m"
    line = warned("store", "coverage", "--store", store, "-t", "1m", "--json")
    assert "--timeframe is called --source-timeframe now" in line
    line = warned("run", source, "-o", bars, "-i", "", "--as-of", "2025-07-18T09:20+05:30")
    assert "run: --as-of is called --final-at now" in line
    assert pl.read_csv(bars)["is_final"].to_list() == [True, False]
    line = warned(
        "query", "A", "--store", store, "-i", "", "--as-of", datetime.now(UTC).isoformat()
    )
    assert "query: --as-of is called --known-at now" in line


def test_a_former_name_beside_today_s_is_an_error(source: Path, tmp_path: Path) -> None:
    where = ("ingest", source, "--store", tmp_path / "store", "--adjustment", "raw")
    result = called(*where, "-t", "1m", "--source-timeframe", "5m")
    assert result.exit_code == 2
    assert "--timeframe, --source-timeframe; are two names of one thing" in result.stderr


def test_what_ingest_took_for_a_name_is_refused_with_the_word_for_it(
    source: Path, tmp_path: Path
) -> None:
    where = ("--store", tmp_path / "store", "--source-timeframe", "1m", "--adjustment", "raw")
    result = called("ingest", source, *where, "--instrument", "A")
    assert result.exit_code == 2
    assert "give --instrument-key" in result.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("file", [("--json", "-"), ("--json", "r.json"), ("--json=r.json",)])
def test_a_file_after_json_is_refused_with_the_word_for_it(file: tuple[str, ...]) -> None:
    result = called("compare", "a.csv", "--control", "tallow", "--candidate", "talib", *file)
    assert result.exit_code == 2
    assert "give --json-file FILE" in result.stderr


# What the words do


def test_json_prints_and_json_file_writes_the_same(source: Path, tmp_path: Path) -> None:
    store, written = ingested(tmp_path), tmp_path / "written.json"
    query = ("query", "--store", store, "-i", "", "-t", "1m")
    result = called(*query, "--json", "--json-file", written)
    assert result.exit_code == 0, result.output
    assert json.loads(written.read_text()) == json.loads(result.stdout)
    run = ("run", source, "-o", tmp_path / "bars.csv", "-i", "", "--quiet")
    result = called(*run, "--json-file", written)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert json.loads(written.read_text())["read"]["rows_in"] == 3
    refused = called(*run, "--json-file", tmp_path / "report.txt")
    assert refused.exit_code == 2
    assert ".json" in refused.stderr


def test_query_takes_instruments_in_both_places(tmp_path: Path) -> None:
    store = ingested(tmp_path, CLEAN + CLEAN.replace("A,", "B,"))
    query = ("query", "A", "--store", store, "--instrument", "B", "-i", "", "-t", "1d")
    assert {row["instrument"] for row in told(*query)} == {"A", "B"}


def test_a_bar_is_final_by_a_moment_that_is_known(tmp_path: Path) -> None:
    store = ingested(tmp_path)
    query = ("query", "A", "--store", store, "-i", "", "-t", "5m")
    final = told(*query, "--final-at", "2025-07-18T09:20+05:30")
    assert [row["is_final"] for row in final] == [True, False]
    now = datetime.now(UTC).isoformat()
    for late in ("2100-01-01T00:00+00:00", now):
        known = ("--known-at", "2025-07-18T12:00+05:30") if late == now else ()
        result = called(*query, "--final-at", late, *known)
        assert result.exit_code == 2
        assert "must not be later than" in result.stderr


def test_quiet_verbs_print_nothing_and_strict_ones_fail(source: Path, tmp_path: Path) -> None:
    source.write_text(HEADER + CLEAN + "A,2025-07-18T09:21+05:30,10,9,11,10,100\n")
    sides = ("--control", "tallow", "--candidate", "tallow", "--runs", "0", "-i", "sma(2)")
    commands = {
        "compare": (source, *sides),
        "live": ("--feed", f"replay:{source}", "--store", tmp_path / "s", "--speed", "0", "-i", ""),
    }
    for verb, words in commands.items():
        quiet = called(verb, *words, "--quiet")
        assert (quiet.exit_code, quiet.stdout) == (0, ""), quiet.output
    strict = called("compare", *commands["compare"], "--strict", "--quiet")
    assert strict.exit_code == 1
    assert "1 row, and --strict is given" in strict.stderr


# Python

STORE_READS = (tallow.Store.read, tallow.Store.log, tallow.Store.changed_since)
ENGINE = tallow.AnalyticsEngine
OF_CANDLES = (ENGINE.process_candles, ENGINE.aggregate_timeframes, ENGINE.calculate_indicators)
INPUTS = (*OF_CANDLES, ENGINE.process_files, read_candles)
SCREENS = (ENGINE.screen, ENGINE.sweep, ENGINE.sequences)

WORDS: dict[str, tuple[Callable[..., Any], ...]] = {
    "source_timeframe": (
        *(*INPUTS, ENGINE.query, read_document, ingest, coverage, missing_segments, Request),
        *(*STORE_READS, tallow.Store.has_interest, tallow.Store.write, tallow.Store.delete),
        *(*SCREENS, ENGINE.explain),
    ),
    "instrument_key": (*INPUTS, *SCREENS, ENGINE.explain, ReplayFeed, read_document, ingest),
    "known_at": (
        *(ENGINE.query, *STORE_READS, StoredActions.read, StoredActions.joins),
        *(StoredUniverses.read, StoredUniverses.names, *SCREENS, ENGINE.explain),
    ),
    "final_at": (ENGINE.process_candles, ENGINE.process_files, ENGINE.query, OF_CANDLES[1]),
    "instruments": (
        *(ENGINE.process_candles, ENGINE.process_files, ENGINE.query, *STORE_READS),
        *SCREENS,
    ),
    "universe": (
        *(ENGINE.process_candles, ENGINE.process_files, ENGINE.query),
        *(tallow.LiveEngine, Request, *SCREENS),
    ),
    "output_zone": (
        *(*OF_CANDLES, ENGINE.process_files, ENGINE.query, tallow.LiveEngine),
        *(*SCREENS, ENGINE.explain),
    ),
    "create": (tallow.open_store, tallow.LiveEngine),
}
"""By the word: the functions that take it."""

NO_WORDS = ("as_of", "instrument", "source_frame", "final_as_of")


def words_of(function: Callable[..., Any]) -> set[str]:
    """Return the names of a function's parameters, also of those that come as one typed set."""
    return hints.parameters_of(function)


@pytest.mark.parametrize("word", WORDS)
def test_functions_of_python_take_the_words(word: str) -> None:
    assert not [each.__qualname__ for each in WORDS[word] if word not in words_of(each)]


def test_no_function_of_python_has_a_word_of_before() -> None:
    public = {each for functions in WORDS.values() for each in functions}
    public |= {getattr(tallow, name) for name in tallow.__all__ if name[:1].islower()}
    # Of one value, the word is today's: whose it is.
    found = {
        each.__qualname__: words_of(each) & set(NO_WORDS) for each in public - {ENGINE.explain}
    }
    assert not {name: words for name, words in found.items() if words}
    assert {"source_timeframe", "instrument_key"} <= get_type_hints(InputKeywords).keys()


def test_positions_are_those_of_before() -> None:
    def first(function: Callable[..., Any], count: int) -> list[str]:
        return list(inspect.signature(function).parameters)[1 : count + 1]

    query = ["instruments", "timeframe", "start", "end", "indicators", "known_at"]
    assert first(ENGINE.query, 6) == query
    assert first(ENGINE.process_candles, 3) == ["candles", "timeframe", "indicators"]
    assert first(tallow.Store.has_interest, 2) == ["source_timeframe", "adjustment"]


def test_former_keywords_go_on_with_a_warning(source: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(source)
    values = {"timeframe": "1m", "as_of": "2100-01-01T00:00+00:00", "instrument": "A"}
    with tallow.open_store(tmp_path / "store", create=True) as store:
        engine = ENGINE(store=store)
        calls: list[tuple[str, str, Callable[..., Any]]] = [
            ("timeframe", "source_timeframe", lambda **old: store.write(frame, **old)),
            ("timeframe", "source_timeframe", store.read),
            ("as_of", "final_at", lambda **old: engine.process_candles(frame, **old)),
            ("as_of", "known_at", lambda **old: engine.query("A", **old)),
            (
                "instrument",
                "instrument_key",
                lambda **old: read_candles(frame.drop("symbol"), **old),
            ),
        ]
        for before, now, call in calls:
            with pytest.warns(TallowWarning, match=f"{before}= is called {now}= now") as caught:
                call(**{before: values[before]})
            # The line that must be changed is named.
            assert [each.filename for each in caught] == [__file__]
            with pytest.raises(ParameterError, match=f"leave out {before}="):
                call(**{before: values[before], now: values[before]})


def test_candles_that_are_read_leave_out_nothing(source: Path) -> None:
    engine, candles = ENGINE(), read_candles(source)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine.process_candles(source, "5m", "", timezone="UTC", source_timeframe="1m")
    given: list[dict[str, Any]] = [{"timezone": "UTC"}, {"source_timeframe": "1m"}]
    for said in given:
        with pytest.raises(TallowError, match="says nothing of Candles"):
            engine.process_candles(candles, "5m", "", **said)


def test_a_live_engine_makes_a_store_where_it_is_asked_to_as_open_store_does(
    tmp_path: Path,
) -> None:
    for make in (tallow.open_store, lambda place, **how: tallow.LiveEngine(store=place, **how)):
        place = str(tmp_path / f"store{len(list(tmp_path.iterdir()))}")
        with pytest.raises(TallowError):
            make(place)
        make(place, create=True)
        make(place)


def test_a_moment_of_finality_needs_to_be_known(tmp_path: Path) -> None:
    engine = ENGINE(store=str(ingested(tmp_path)))
    with pytest.raises(RangeError, match=r"final_at=.* must not be later than known_at="):
        engine.query("A", known_at="2025-07-18T12:00+05:30", final_at="2025-07-18T12:01+05:30")

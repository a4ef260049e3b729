"""Goal: every verb that shows bars says which of them lie in sessions that are only assumed.

Method: NSE's facts are made to end on a Friday of 2025. A minute of that session, and two of the
Monday after it, go through each verb: one bar of a day is known, and one is assumed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from tallow import LiveEngine, load_calendar
from tallow.core.calendars import load
from tallow.core.calendars.base import Venue
from tallow.core.calendars.nse import NSE
from tallow.core.calendars.table import segments_of
from tallow.core.time import to_us
from tallow.data.feeds.replay import ReplayFeed
from tallow.runtime.live.session import LiveSession
from tallow.serve.live_view import LiveView, market
from tests.frames import candles, moment
from tests.serve.calling import ingested, tallow, told

KNOWN = "A,2025-07-18T09:15+05:30,10,12,9,11,100\n"
ASSUMED = "A,2025-07-21T09:15+05:30,11,15,10,14,50\nA,2025-07-21T09:16+05:30,14,14,13,13,25\n"
SENTENCE = (
    "calendar XNSE:cash-other: last_date=2025-07-18; bars=1 of assumed sessions, the first at "
    "2025-07-21T03:45:00+00:00 of A; they are made anew once the facts are there: update the "
    "package, or give a TOML file as --calendar-dates"
)
DAILY = ("-t", "1d", "-i", "")


@pytest.fixture(autouse=True)
def facts_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the facts of NSE end on a date in the past."""
    last = date(2025, 7, 18)

    def ended(segment: str) -> Venue:
        venue = NSE.venue(segment)
        limits = venue.first_date, last
        table = segments_of(venue.table).between(*limits).table(venue.timezone, *limits)
        return replace(venue, last_date=last, table=table)

    monkeypatch.setitem(load._SEGMENTED, "XNSE", ended)
    caches = (load._load_all, load._load, load._venue)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Return where the candles are: in a file, and in a store."""
    store = ingested(tmp_path, KNOWN + ASSUMED)
    return {"file": tmp_path / "candles.csv", "store": store, "out": tmp_path / "out.parquet"}


CALLS = {
    "run": (("run", "file", *DAILY, "-o", "out"), "1  provisional"),
    "query": (("query", "--store", "store", *DAILY), "2025-07-21*?"),
    "query to a file": (("query", "--store", "store", *DAILY, "-o", "out"), "1  provisional of 1d"),
    "live": (("live", "--feed", "replay:file", "--store", "new", "--speed", "0", *DAILY), "of 1d"),
}


@pytest.mark.parametrize("verb", CALLS)
def test_each_verb_counts_provisional_bars_and_says_what_is_assumed(
    files: dict[str, Path], verb: str
) -> None:
    words, count = CALLS[verb]
    known = {"replay:file": f"replay:{files['file']}", "new": files["store"].with_name("new")}
    result = tallow(*[(files | known).get(word, word) for word in words])
    assert result.exit_code == 0, result.output
    # A live bar is given out once per change: here twice, as it forms.
    said = SENTENCE.replace("bars=1", "bars=2") if verb == "live" else SENTENCE
    assert count in result.stdout
    assert said in " ".join(result.stdout.split())


def test_json_has_it_in_the_report_or_on_stderr(files: dict[str, Path]) -> None:
    run = told("run", files["file"], *DAILY, "-o", files["out"])
    assert (run["provisional"], run["assumed"].partition(";")[0]) == (1, SENTENCE.partition(";")[0])
    asked = tallow("query", "--store", files["store"], *DAILY, "--json")
    assert (len(json.loads(asked.stdout)), asked.stderr) == (2, f"provisional: {SENTENCE}\n")
    feed = ("--feed", f"replay:{files['file']}", "--store", files["store"].with_name("other"))
    live = told("live", *feed, "--speed", "0", *DAILY)
    assert live["provisional"] == {"1d": 2}
    assert "bars=2 of assumed sessions" in live["assumed"]


def test_where_facts_tell_of_all_nobody_says_a_word(tmp_path: Path) -> None:
    store = ingested(tmp_path, KNOWN)
    query = tallow("query", "--store", store, *DAILY)
    run = tallow("run", tmp_path / "candles.csv", *DAILY, "-o", tmp_path / "out.csv")
    feed = ("--feed", f"replay:{tmp_path / 'candles.csv'}", "--store", tmp_path / "other")
    live = tallow("live", *feed, "--speed", "0", *DAILY)
    coverage = tallow("store", "coverage", "--store", store, "--end", "2025-07-18")
    for result in (query, run, live, coverage):
        assert result.exit_code == 0
        assert "rovisional" not in result.output


def test_coverage_says_how_many_sessions_are_assumed(files: dict[str, Path]) -> None:
    asked = ("store", "coverage", "--store", files["store"], "--end", "2025-07-22")
    kinds = [(row["session"], row["kind"]) for row in told(*asked)]
    assert kinds == [
        ("2025-07-18", "regular"),
        ("2025-07-21", "provisional"),
        ("2025-07-22", "provisional"),
    ]
    text = " ".join(tallow(*asked).stdout.split())
    assert "sessions=2 are assumed, the first on 2025-07-21: no fact tells of them" in text


def test_the_doctor_says_until_when_sessions_are_assumed() -> None:
    # 400 days after the last fact.
    text = " ".join(tallow("doctor").stdout.split())
    assert "XNSE:cash-other: last_date=2025-07-18; the facts ended" in text
    assert "later sessions, to 2026-08-22, are assumed and marked provisional" in text


def test_a_live_engine_and_its_screen_mark_them() -> None:
    engine = LiveEngine(["5m", "1d"], "")
    known, assumed = (moment(f"{day}T09:15+05:30") for day in ("2025-07-18", "2025-07-21"))
    numbers = engine.numbers(["A", "B"])
    opens = [to_us(known), to_us(assumed)]
    prices = [[1.0, 1.0]] * 5
    update = engine.update_arrays(numbers, opens, *prices)
    assert update.provisional["5m"].tolist() == [False, True]
    rows = pl.concat([candles("A", [known]), candles("B", [assumed])])
    engine = LiveEngine(["5m", "1d"], "")
    session = LiveSession(engine, ReplayFeed(rows))
    statistics = session.run()
    view = LiveView(engine, "5m", feed="x", store="s", instruments=None, is_replay=True)
    console = Console(width=100, height=24, color_system=None)
    with console.capture() as captured:
        console.print(view.render(statistics, console))
    lines = [" ".join(line.split()) for line in captured.get().splitlines()]
    shown = {line[0]: line.split()[1:4] for line in lines if line[:2] in ("A ", "B ")}
    assert [cell.endswith("?") for cell in (shown["A"][1], shown["B"][0])] == [False, True]
    assert "? provisional: the session is assumed" in lines[-1]
    assert engine.provisional(engine.latest("5m"), "5m")["instrument"].to_list() == ["B"]


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("2025-07-21T10:00+05:30", "XNSE open until 15:30, as is assumed"),
        ("2025-07-21T08:00+05:30", "XNSE closed, opens Mon 09:15, as is assumed"),
        ("2025-07-18T08:00+05:30", "XNSE closed, opens Fri 09:15"),
    ],
)
def test_the_head_of_the_screen_says_what_is_assumed(time: str, words: str) -> None:
    assert market(load_calendar("XNSE"), to_us(moment(time))).plain == words

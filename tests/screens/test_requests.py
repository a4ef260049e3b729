"""Goal: a screen of candles, a store or a live engine says what a plain reading of bars says.

Method: bars with columns from one run, and each rule worked out with Polars or by hand; then the
same question to a store, at each moment of a day, after corrections, by universes.
"""

from __future__ import annotations

import random
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine, load_calendar, open_store, read_universe
from tallow.core.errors import EmptyWarning, ParameterError, RangeError, ScreenError
from tallow.data.simulate import simulate_blocks
from tests.frames import flat_candle

CANDLES = pl.concat(simulate_blocks(12, 6, calendar=load_calendar("XNSE"), start=date(2025, 7, 1)))
NAMES = CANDLES["instrument"].unique().sort().to_list()
ENGINE = AnalyticsEngine()
TEXT = "close > ema(20) and rsi(14)@1h < 55 and volume > 0.5 * volume_sma(20)[1]"


def joined() -> pl.DataFrame:
    """Return 15m bars with the last hour that had ended by their end, and the volume before."""
    bars = ENGINE.process_candles(CANDLES, "15m", "ema(20), volume_sma(20)").frame
    hours = ENGINE.process_candles(CANDLES, "1h", "rsi(14)").frame
    close = pl.col("timestamp").dt.date().cast(pl.Datetime("us", "UTC")) + timedelta(hours=10)
    ends = pl.min_horizontal(pl.col("timestamp") + timedelta(hours=1), close)
    known = hours.select("instrument", end=ends, rsi="rsi_14").sort("end")
    bars = bars.with_columns(end=pl.col("timestamp") + timedelta(minutes=15)).sort("end")
    both = bars.join_asof(known, on="end", by="instrument", check_sortedness=False)
    before = pl.col("volume_sma_20").shift().over("instrument", order_by="timestamp")
    return both.with_columns(before=before).sort("instrument", "timestamp")


JOINED = joined()
STATE = (
    (pl.col("close") > pl.col("ema_20"))
    & (pl.col("rsi") < 55)
    & (pl.col("volume") > 0.5 * pl.col("before"))
)
"""Polars' three values are Kleene's, with null for unknown."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    store = open_store(tmp_path_factory.mktemp("screens") / "store", create=True)
    store.write(CANDLES, source_timeframe="1m")
    return store


@pytest.mark.parametrize("end", [None, "2100-01-01"], ids=["to the last", "beyond any calendar"])
def test_a_history_of_matches_is_what_polars_finds(end):
    found = ENGINE.screen(TEXT, "15m", candles=CANDLES, start="2025-07-01", end=end)
    judged = JOINED.with_columns(state=STATE)
    expected = judged.filter("state").sort("timestamp", "instrument")
    assert found.frame.equals(expected.select("instrument", "timestamp", "close"))
    counts = judged["state"].value_counts()
    by_state = dict(zip(counts["state"].to_list(), counts["count"].to_list(), strict=True))
    assert found.counts == {
        "matched": by_state[True],
        "not": by_state[False],
        "unknown": by_state[None],
    }


@pytest.mark.parametrize("clock", ["09:20", "09:30", "10:15", "11:59", "12:15", "15:30"])
def test_at_each_moment_a_store_says_what_the_history_says(store, clock):
    engine = AnalyticsEngine(store=store)
    found = engine.screen(
        TEXT, "15m", at=f"2025-07-07T{clock}", sort="rsi(14)@1h", columns=["cs_rank(close)"]
    )
    until = datetime.fromisoformat(f"2025-07-07T{clock}+05:30").astimezone(UTC)
    judged = JOINED.with_columns(state=STATE).filter(pl.col("end") <= until)
    newest = judged.filter(pl.col("end") == pl.col("end").max())
    ranks = newest.with_columns(rank=pl.col("close").rank()).filter("state")
    expected = ranks.sort("rsi", "instrument", descending=[True, False])
    assert found.frame["instrument"].to_list() == expected["instrument"].to_list()
    assert found.frame["cs_rank(close)"].to_list() == expected["rank"].to_list()
    assert found.judged_at == newest["end"][0]
    assert sum(found.counts.values()) == len(NAMES)


def test_an_instrument_without_the_newest_bar_is_unknown_and_named():
    late = CANDLES.filter((pl.col("instrument") != NAMES[3]) | (pl.col("timestamp").dt.day() < 8))
    found = ENGINE.screen("close > 0", "15m", candles=late)
    assert found.counts == {"matched": len(NAMES) - 1, "not": 0, "unknown": 1}
    assert found.unknown.rows() == [(NAMES[3], "no bar at this time")]


def test_the_newest_bars_may_be_old_and_far_apart(tmp_path: Path):
    """Of an instrument with few bars, as many as are looked at are read, however far back."""
    rare = CANDLES.filter(
        (pl.col("instrument") != NAMES[0]) | (pl.col("timestamp").dt.minute() == 45)
    )
    store = open_store(tmp_path / "store", create=True)
    store.write(rare, source_timeframe="1m")
    text = "close[9] > 0 and highest(high, 8) > 0"
    whole = ENGINE.screen(text, "15m", candles=rare)
    found = AnalyticsEngine(store=store).screen(text, "15m")
    assert found.frame.equals(whole.frame)
    assert found.counts == whole.counts


def test_a_correction_counts_from_its_receipt_on(tmp_path: Path):
    store = open_store(tmp_path / "store", create=True)
    store.write(CANDLES, source_timeframe="1m")
    asked: Any = {"timeframe": "15m", "at": "2025-07-07T12:15"}
    engine = AnalyticsEngine(store=store)
    before = engine.screen("close > ema(20)", **asked)
    assert any("counted as known at the bar's close" in note for note in before.notes)
    day = (pl.col("timestamp").dt.date() == date(2025, 7, 7)) & (pl.col("instrument") == NAMES[5])
    prices = [pl.col(name) * 1.5 for name in ("open", "high", "low", "close")]
    changed = CANDLES.filter(day).with_columns(prices)
    store.write(changed, source_timeframe="1m")
    after = engine.screen("close > ema(20)", **asked)
    assert after.frame.equals(before.frame)
    assert any("180 later versions, of 1 instrument," in note for note in after.notes)
    now = engine.screen("close > ema(20)", **asked, known_at=datetime.now(UTC))
    corrected = pl.concat([CANDLES.filter(~day), changed]).sort("instrument", "timestamp")
    expected = ENGINE.screen("close > ema(20)", candles=corrected, **asked)
    assert now.frame.equals(expected.frame)
    assert not now.frame.equals(before.frame)


def test_nothing_is_known_before_it_closes(store):
    engine, known = AnalyticsEngine(store=store), "2025-07-04T12:07+05:30"
    asked: Any = {"columns": ["ema(20)"]}
    expected = ENGINE.screen("close > 0", candles=CANDLES, at="2025-07-04T12:07", **asked)
    for at in (None, "2025-07-07T15:30", "2025-07-04T12:07"):
        found = engine.screen("close > 0", at=at, known_at=known, **asked)
        assert found.frame.equals(expected.frame), at
        assert found.judged_at == expected.judged_at
    over = engine.screen("close > 0", known_at=known, start="2025-07-04")
    assert over.frame["timestamp"].max() == expected.frame["timestamp"].max()
    text = "forming close@1h > open@1h"
    then = ENGINE.screen(text, candles=CANDLES, at="2025-07-04T12:07", **asked)
    assert engine.screen(text, known_at=known, **asked).frame.equals(then.frame)


def test_a_range_after_all_candles_is_empty_and_says_so(store):
    for engine, candles in ((AnalyticsEngine(store=store), None), (ENGINE, CANDLES)):
        with pytest.warns(EmptyWarning):
            found = engine.screen("close > 0", candles=candles, start="2099-06-01")
        assert found.counts == {"matched": 0, "not": 0, "unknown": 0}


def test_who_has_no_candle_yet_is_unknown_and_no_error(tmp_path: Path):
    begun = CANDLES.filter(pl.col("instrument") != NAMES[0])
    later = CANDLES.filter(pl.col("timestamp").dt.date() > date(2025, 7, 1))
    candles = pl.concat([begun, later.filter(pl.col("instrument") == NAMES[0])])
    for names, known in ((NAMES[:2], 1), (NAMES[:1], 0)):
        asked: Any = {"candles": candles, "instruments": names, "at": "2025-07-01"}
        with nullcontext() if known else pytest.warns(EmptyWarning):
            found = ENGINE.screen("close > 0", **asked)
        assert found.counts == {"matched": known, "not": 0, "unknown": 1}
    store, first = open_store(tmp_path / "store", create=True), candles.head(1)
    store.write(pl.concat([first, later]), source_timeframe="1m")
    store.delete(first.select("instrument", "timestamp"), source_timeframe="1m")
    moment = datetime.now(UTC)
    store.write(first, source_timeframe="1m")
    engine = AnalyticsEngine(store=store)
    with pytest.warns(EmptyWarning):
        found = engine.screen("close > 0", at="2025-07-01", known_at=moment)
    assert found.counts == {"matched": 0, "not": 0, "unknown": len(NAMES)}


def test_where_a_key_goes_on_from_another_both_are_as_they_were_known(tmp_path: Path):
    def daily(name: str, **closes: float) -> pl.DataFrame:
        days = (
            flat_candle(name, f"2025-07-0{d[1:]}T00:00+05:30", c, 9.0) for d, c in closes.items()
        )
        return pl.concat(days)

    store = open_store(tmp_path / "store", create=True)
    for candles in (daily("OLD", d1=10.0, d2=11.0), daily("NEW", d3=20.0, d4=22.0)):
        store.write(candles, source_timeframe="1d")
    join = {"instrument": "NEW", "ex_date": "2025-07-03", "kind": "join", "predecessor": "OLD"}
    store.actions.record(pl.DataFrame([join]))
    moments = [datetime.now(UTC)]
    for correction in (daily("NEW", d4=25.0), daily("OLD", d2=99.0)):
        store.write(correction, source_timeframe="1d")
        moments.append(datetime.now(UTC))
    asked: Any = {"columns": {"change": "change(close, 2)"}, "source_timeframe": "1d"}
    for known_at, change in zip(moments, (22.0 - 11.0, 25.0 - 11.0, 25.0 - 99.0), strict=True):
        engine = AnalyticsEngine(store=store)
        found = engine.screen("close > 0", "1d", known_at=known_at, **asked).frame
        assert found["instrument"].to_list() == ["NEW"]
        assert found["change"].to_list() == [change]


def test_of_a_universe_the_members_of_then_are_asked_and_ranked(store):
    listed = pl.DataFrame(
        {
            "instrument": [*NAMES[:4], NAMES[7]],
            "from": [None] * 4 + [date(2025, 7, 4)],
            "to": [None] * 3 + [date(2025, 7, 3), None],
        }
    )
    universe = read_universe(listed, "few")
    asked: Any = {"timeframe": "1h", "columns": {"rank": "cs_rank(close)"}, "universe": universe}
    for candles, engine in ((CANDLES, ENGINE), (None, AnalyticsEngine(store=store))):
        then = engine.screen("close > 0", candles=candles, at="2025-07-03", **asked)
        later = engine.screen("close > 0", candles=candles, at="2025-07-04", **asked)
        assert then.frame["instrument"].to_list() == NAMES[:4]
        assert later.frame["instrument"].to_list() == [*NAMES[:3], NAMES[7]]
        for found in (then, later):
            assert found.frame["rank"].to_list() == found.frame["close"].rank().to_list()


def test_groups_are_ranked_each_by_itself(tmp_path: Path):
    rows = [f"{name},{'one' if k % 2 else 'two'}" for k, name in enumerate(NAMES)]
    (tmp_path / "sectors.csv").write_text("\n".join(["instrument,sector", *rows]))
    store = open_store(tmp_path / "store", create=True)
    store.write(CANDLES, source_timeframe="1m")
    store.universes.record(read_universe(tmp_path / "sectors.csv"))
    found = AnalyticsEngine(store=store).screen(
        "close > 0", "1d", columns={"own": "cs_rank(close, in=sectors)"}, at="2025-07-07"
    )
    frame = found.frame.with_columns(
        group=pl.Series([NAMES.index(n) % 2 for n in found.frame["instrument"]])
    )
    assert (
        frame["own"].to_list()
        == frame.select(pl.col("close").rank().over("group"))["close"].to_list()
    )


LIVE = "close crosses above ema(20) or rsi(14)@1h > 60 or cs_rank(volume) < 3"
SPECS = "ema(20), rsi(14), cs_rank(rsi(14))"


@pytest.mark.parametrize("specs", ["ema(20), rsi(14)", SPECS], ids=["alone", "compared"])
def test_a_live_engine_says_at_each_moment_what_its_candles_say(specs):
    live = LiveEngine(["15m", "1h"], specs)
    last = CANDLES["timestamp"].max()
    assert isinstance(last, datetime)
    first = last - timedelta(hours=3)
    live.update(CANDLES.filter(pl.col("timestamp") < first))
    moments = [first + timedelta(minutes=k) for k in range(0, 181, 20)]
    for before, until in pairwise(moments):
        live.update(CANDLES.filter(pl.col("timestamp").is_between(before, until, closed="left")))
        live.advance(until + timedelta(seconds=3))
        seen = CANDLES.filter(pl.col("timestamp") < until)
        found = live.screen(LIVE, columns=["ema(20)"], sort="close")
        expected = ENGINE.screen(
            LIVE, "15m", candles=seen, at=until, columns=["ema(20)"], sort="close"
        )
        assert found.frame.equals(expected.frame)
        assert found.counts == expected.counts
        assert found.judged_at == expected.judged_at
    forming = live.screen("forming high@1h > 0", columns=["forming volume@1h"])
    hours = ENGINE.process_candles(CANDLES.filter(pl.col("timestamp") < until), "1h", "").frame
    newest = hours.filter(pl.col("timestamp") == pl.col("timestamp").max())
    assert forming.frame["forming volume@1h"].to_list() == newest["volume"].to_list()


@pytest.mark.parametrize("specs", ["ema(20), rsi(14)", SPECS], ids=["alone", "compared"])
def test_asked_again_after_each_change_a_live_engine_says_what_its_candles_say(specs):
    """Late candles, corrections, deletions, an instrument that joins, a clock, a restart."""
    draw, live = random.Random(7), LiveEngine(["15m", "1h"], specs)
    known = CANDLES.filter(pl.col("timestamp").dt.date() < date(2025, 7, 7))
    live.update(known.filter(pl.col("instrument") != NAMES[3]))
    known = known.filter(pl.col("instrument") != NAMES[3])
    ahead = CANDLES.filter(pl.col("timestamp").dt.date() == date(2025, 7, 7))
    late, moments = ahead.clear(), ahead["timestamp"].unique().sort()[:120]
    for number, moment in enumerate(moments):
        rows = ahead.filter(pl.col("timestamp") == moment)
        rows = rows if number > 40 else rows.filter(pl.col("instrument") != NAMES[3])
        is_late = pl.Series([draw.random() < 0.1 for _ in range(len(rows))], dtype=pl.Boolean)
        late, rows = pl.concat([late, rows.filter(is_late)]), rows.filter(~is_late)
        live.update(rows)
        known = pl.concat([known, rows])
        if draw.random() < 0.3:
            place = len(known) - 1 - draw.randrange(300)
            wrong = known[place : place + 1]
            other = wrong.with_columns(close="high", volume=pl.col("volume") + 1)
            live.update(pl.concat([other, late]))
            known = pl.concat([known[:place], known[place + 1 :], other, late])
            late = late.clear()
        if number in {50, 90}:
            live.delete(known[-30:-28])
            known = pl.concat([known[:-30], known[-28:]])
        live.advance(moment + timedelta(seconds=62))
        asked: Any = {"columns": ["close[2]", "ema(20)", "rsi(14)@1h"], "sort": "volume"}
        found = live.screen(LIVE, **asked)
        until = moment + timedelta(minutes=1)
        expected = ENGINE.screen(LIVE, "15m", candles=known, at=until, **asked)
        assert found.frame.equals(expected.frame), moment
        assert (found.counts, found.why_unknown) == (expected.counts, expected.why_unknown)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("close > ema(21)", "is no indicator of this live engine"),
        ("close@4h > 1", "4h; is no timeframe of this live engine, which has 15m, 1h"),
        ("close[50] > 1", "looks 50 bars of 15m back; this live engine has "),
        ("close@1d[3] > 1", "is no timeframe of this live engine"),
        ("close > emma(3)", "ema"),
    ],
)
def test_what_a_live_engine_does_not_have_is_said(text, why):
    live = LiveEngine(["15m", "1h"], "ema(20)", keep=100)
    live.update(CANDLES.filter(pl.col("instrument") == NAMES[0]))
    with pytest.raises(ScreenError, match=why):
        live.screen(text)


def test_before_a_bar_has_closed_a_live_engine_says_so(tmp_path: Path):
    live = LiveEngine("15m", store=open_store(tmp_path / "store", create=True))
    live.update(CANDLES.head(3))
    with pytest.raises(ScreenError, match="no closed bar of 15m in memory yet; ask again"):
        live.screen("close > 0")


@pytest.mark.parametrize(
    ("asked", "error", "why"),
    [
        ({"condition": "close"}, ScreenError, "a condition"),
        ({"condition": "close > emma(3)"}, ScreenError, "ema"),
        ({"at": "2025-07-04", "start": "2025-07-01"}, RangeError, "are two questions"),
        ({"at": "2025-13-01"}, RangeError, "^at: '2025-13-01'; must be a date"),
        ({"known_at": "2025-07-04T00:00Z"}, RangeError, "ask a store"),
        (
            {"condition": "forming close@1h > 1", "end": "2025-07-04"},
            ScreenError,
            "is seen at one moment, and not over a range",
        ),
        ({"columns": "close"}, ScreenError, "must be a list of texts"),
        ({"columns": {"instrument": "close"}}, ScreenError, "name it otherwise"),
        ({"columns": {3: "close"}}, ScreenError, "screen: columns=3; must be text"),
        ({"columns": {"x": "clos"}}, ScreenError, "screen: columns='x', column 1: 'clos'"),
        ({"sort": "clos"}, ScreenError, "screen: sort=, column 1: 'clos'"),
        ({"condition": {"op": ">"}}, ScreenError, "a tree in JSON; .*from_json"),
        ({"saved": ["close > 1"]}, ScreenError, "saved: .*; must be texts by name"),
        ({"at": "2099-01-01"}, RangeError, "must not be later than now"),
        ({"condition": "cs_rank(close, in=none.csv) > 1"}, Exception, "none.csv"),
        ({"candles": None}, ParameterError, "has no store; give candles="),
    ],
)
def test_what_cannot_be_asked_says_why(asked, error, why):
    given: Any = {"condition": "close > 1", "candles": CANDLES, **asked}
    with pytest.raises(error, match=why):
        ENGINE.screen(given.pop("condition"), "15m", **given)


def test_a_column_of_any_name_is_no_other_column():
    found = ENGINE.screen("close > 0", candles=CANDLES, columns={"_sort": "low"}, sort="-close")
    assert found.frame.columns == ["instrument", "timestamp", "close", "_sort"]
    assert found.frame["close"].is_sorted()


def test_an_instrument_in_two_groups_on_a_day_is_told(tmp_path: Path):
    file = tmp_path / "sectors.csv"
    text = f'cs_rank(close, in="{file}") > 0'
    rows = f"instrument,sector,from\n{NAMES[0]},Banks,\n{NAMES[1]},IT,\n{NAMES[0]},IT,"
    file.write_text(f"{rows}2025-07-08\n")
    early = ENGINE.screen(text, candles=CANDLES, end="2025-07-07")
    assert set(early.frame["instrument"]) == {NAMES[0], NAMES[1]}
    said = f"{NAMES[0]} is in sectors/Banks and sectors/IT on the same day".replace("|", r"\|")
    with pytest.raises(ScreenError, match=said):
        ENGINE.screen(text, candles=CANDLES)


def test_an_answer_without_a_bar_says_why(tmp_path: Path):
    (tmp_path / "u.csv").write_text(f"instrument,from,to\n{NAMES[0]},2025-07-03,\n")
    whose = {"universe": tmp_path / "u.csv"}
    for asked, why in (
        ({"at": "2025-06-01"}, "the input has no candle before that moment"),
        ({"at": "2025-07-02", **whose}, "nobody was a member of universe u then"),
        ({"end": "2025-07-02", **whose}, "nobody was a member of universe u then"),
        ({"instruments": NAMES[1], **whose}, "nobody was a member of universe u then"),
    ):
        given: Any = asked
        with pytest.warns(EmptyWarning, match=why):
            ENGINE.screen("close > 0", candles=CANDLES, **given)


def test_amid_a_session_the_day_before_sees_its_own_hours(store):
    hours = ENGINE.process_candles(CANDLES, "1h", "ema(1)").frame
    then = hours.filter(pl.col("timestamp").dt.date() == date(2025, 7, 3))
    expected = then.group_by("instrument", maintain_order=True).agg(pl.col("close").get(-2))
    asked: Any = {"at": "2025-07-04T15:19", "columns": {"hour": "close@1h[1]"}}
    found = AnalyticsEngine(store=store).screen("close > 0", "1d", **asked).frame
    assert found["hour"].to_list() == expected["close"].to_list()

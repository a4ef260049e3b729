"""Goal: an explanation says of one value what is true of it: its candles and how they came, how it
was computed and how else, what the calendar says, where it came from, and why it is null.

Method: simulated candles of three instruments over a month's end, given and in a store. Values are
compared with TA-Lib's over the same closes, or with arithmetic written here; corrections, actions
and joins are written beside the candles, and the explanation must tell of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import talib

import tallow
from tallow.core.calendars import load_calendar
from tallow.core.errors import ParameterError, RangeError, SpecError
from tallow.core.registry import registry
from tallow.explain.explanation import Explanation
from tallow.textbook import ORACLES
from tests.frames import flat_candle, minutes, moment, simulate_candles
from tests.oracles.reading import records

START = date(2025, 6, 26)
LAST = "2025-07-02T14:25+05:30"


@pytest.fixture(scope="module")
def candles() -> pl.DataFrame:
    """Return candles of five sessions; the third one is the last of its month."""
    return simulate_candles(3, 5, calendar=load_calendar("XNSE"), start=START, seed=3)


@pytest.fixture(scope="module")
def names(candles: pl.DataFrame) -> list[str]:
    return candles["instrument"].unique().sort().to_list()


@pytest.fixture
def store(tmp_path: Path, candles: pl.DataFrame) -> Iterator[tallow.Store]:
    with tallow.open_store(tmp_path / "store", create=True) as opened:
        opened.write(candles, source_timeframe="1m", source="first.csv")
        yield opened


def closes(candles: pl.DataFrame, name: str, until: str = LAST) -> Any:
    """Return the closes of five-minute bars up to one, which every minute of has a candle."""
    own = candles.filter((pl.col("instrument") == name) & (pl.col("timestamp") <= moment(until)))
    whole = candles.filter(pl.col("instrument") == name)
    bucket = pl.col("timestamp").dt.truncate("5m")
    bars = whole.group_by(bucket, maintain_order=True).agg(pl.col("close").last())
    return bars.filter(pl.col("timestamp") <= own["timestamp"].max())["close"].to_numpy()


def given(
    candles: pl.DataFrame, name: str, column: str, at: str = LAST, **more: Any
) -> Explanation:
    return tallow.AnalyticsEngine(threads=1).explain(name, column, at, candles=candles, **more)


def test_a_value_and_the_one_beside_it_are_those_of_talib(
    candles: pl.DataFrame, names: list[str], store: tallow.Store
) -> None:
    name = names[0]
    rsi = talib.RSI(closes(candles, name), 14)
    wanted = talib.EMA(rsi[14:], 9)[-1]
    stored = tallow.AnalyticsEngine(store=store, threads=1)
    for found in (
        given(candles, name, "ema(rsi(14), 9)"),
        stored.explain(name, "ema_9_of_rsi_14", LAST, indicators="ema(rsi(14), 9)"),
    ):
        computed = found.computed
        assert computed is not None
        assert computed.source is not None
        assert found.value == pytest.approx(wanted, rel=1e-9)
        assert computed.beside.value == pytest.approx(wanted, rel=1e-9)
        assert computed.source.value == pytest.approx(rsi[-1], rel=1e-9)
        assert computed.source.beside.value == pytest.approx(rsi[-1], rel=1e-9)
        assert computed.warm_up.rows == 14 + 8
        assert computed.warm_up.before == len(rsi) - 1
        assert computed.indicator.parameters == {"length": 9}
        assert computed.indicator.inputs == ("rsi(length=14, flat=100.0)",)


def test_a_window_is_computed_again_of_its_rows_alone(
    candles: pl.DataFrame, names: list[str]
) -> None:
    found = given(candles, names[1], "bb_upper_20_2")
    assert found.computed is not None
    upper = talib.BBANDS(closes(candles, names[1]), 20, 2.0, 2.0)[0][-1]
    assert found.computed.beside.rows == 20
    assert found.computed.beside.value == pytest.approx(upper, rel=1e-9)
    assert found.computed.indicator.output == "upper"


def test_rows_in_which_a_source_has_no_value_are_skipped_beside_too() -> None:
    """Bands of three closes have no width while these are equal, and no place between them."""
    prices, times = (2, 3, 3, 3, 3, 4), minutes("2025-06-26T09:15+05:30", 6, step=5)
    rows = pl.concat(
        flat_candle("A", time.isoformat(), float(price), 7.0)
        for time, price in zip(times, prices, strict=True)
    )
    found = given(rows, "A", "sma(bollinger(3, 2)[percent_b], 2)", times[-1].isoformat())
    d = (2 / 9) ** 0.5
    wanted = ((3 - 8 / 3 + 2 * d) / (4 * d) + (4 - 10 / 3 + 2 * d) / (4 * d)) / 2
    assert found.computed is not None
    assert found.value == pytest.approx(wanted, rel=1e-12)
    assert found.computed.beside.value == pytest.approx(wanted, rel=1e-12)


def test_the_bar_s_own_columns_have_candles_and_no_indicator(
    candles: pl.DataFrame, names: list[str]
) -> None:
    rows = candles.filter(
        (pl.col("instrument") == names[0])
        & pl.col("timestamp").is_between(moment(LAST), moment(LAST) + timedelta(minutes=4))
    )
    found = given(candles, names[0], "volume")
    assert found.value == rows["volume"].sum()
    assert [each.close for each in found.candles] == rows["close"].to_list()
    assert found.computed is None
    assert found.bar is not None
    assert found.bar.ends - found.bar.opens == timedelta(minutes=5)
    assert found.candles[0].revision is None


def test_a_correction_is_told_with_its_revision_receipt_and_entry(
    store: tallow.Store, candles: pl.DataFrame, names: list[str]
) -> None:
    engine = tallow.AnalyticsEngine(store=store, threads=1)
    before = engine.explain(names[0], "close", LAST)
    last = before.candles[-1]
    assert (last.revision, last.source) == (1, "first.csv")
    known = datetime.now(UTC)
    row = flat_candle(names[0], last.opens.isoformat(), 555.5, 10.0)
    store.write(row, source_timeframe="1m", source="second.csv")
    after = engine.explain(names[0], "close", LAST)
    corrected = after.candles[-1]
    assert (after.value, corrected.revision, corrected.source) == (555.5, 2, "second.csv")
    assert corrected.received_at is not None
    assert corrected.received_at > known
    assert (last.entry, corrected.entry) == tuple(store.ledger.entries()["id"])
    assert [each.revision for each in after.candles[:-1]] == [1, 1, 1, 1]
    then = engine.explain(names[0], "close", LAST, known_at=known)
    assert (then.value, then.candles[-1].revision) == (before.value, 1)


def test_where_the_value_came_from_is_told(
    store: tallow.Store, candles: pl.DataFrame, names: list[str]
) -> None:
    engine = tallow.AnalyticsEngine(store=store, threads=1)

    def told() -> tuple[str, str]:
        found = engine.explain(names[0], "ema_9", LAST)
        return found.origin.cache, found.origin.began

    assert told() == ("miss", "the kernels ran from the instrument's first candle on")
    assert told()[0] == "hit"
    # What a query has computed is there for an explanation.
    engine = tallow.AnalyticsEngine(store=store, threads=1)
    engine.query(names[0], "5m", START, date(2025, 7, 2))
    assert told()[0] == "hit"
    store.write(flat_candle(names[0], LAST, 555.5, 10.0), source_timeframe="1m")
    assert told()[0] == "repair"
    # That first run left its state at the month's begin.
    other = tallow.AnalyticsEngine(store=store, threads=1).explain(names[0], "ema_9", LAST)
    began = moment("2025-07-01T00:00+05:30")
    assert (other.origin.cache, other.origin.snapshot) == ("miss", began)
    alone = engine.explain(names[0], "sma(7)", LAST)
    assert alone.origin.began.startswith("computed from the bar's candles and 6 bars before")


def test_a_split_s_factor_is_told_beside_the_raw_candle(
    store: tallow.Store, names: list[str]
) -> None:
    split = {"instrument": [names[0]], "ex_date": ["2025-07-01"], "kind": ["split"]}
    store.actions.record(pl.DataFrame({**split, "new": [4], "old": [1]}))
    engine = tallow.AnalyticsEngine(store=store, threads=1)
    early = "2025-06-30T10:15+05:30"
    raw, found = (
        engine.explain(names[0], "open", early, adjustment=each) for each in ("raw", "split")
    )
    assert {(each.price_factor, each.volume_factor) for each in found.candles} == {(0.25, 4.0)}
    assert found.candles[0].open == raw.value
    assert found.value == pytest.approx(raw.candles[0].open / 4)
    after = engine.explain(names[0], "open", LAST, adjustment="split")
    assert {each.price_factor for each in after.candles} == {1.0}


def test_a_join_s_keys_are_told(store: tallow.Store, names: list[str]) -> None:
    store.write(flat_candle("NEW", "2025-07-03T09:15+05:30", 9.0, 9.0), source_timeframe="1m")
    join = {"instrument": ["NEW"], "ex_date": ["2025-07-03"], "kind": ["join"]}
    store.actions.record(pl.DataFrame({**join, "predecessor": [names[0]]}))
    found = tallow.AnalyticsEngine(store=store, threads=1).explain("NEW", "close", LAST)
    assert {each.key for each in found.candles} == {names[0]}
    begin = moment("2025-07-03T00:00+05:30")
    pieces = [(each.key, each.start, each.end) for each in found.joins]
    assert pieces == [(names[0], None, begin), ("NEW", begin, None)]


FIRST = "2025-06-26T09:25+05:30"


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ("ema(9)", "warm-up: before the first value must come 8 bars; before this bar come 2"),
        ("ema(rsi(14), 9)", "its source rsi.* has no value here: warm-up: .* 14 bars"),
        ('anchored_vwap("2025-06-27T09:15")', "opens before moment=2025-06-27T09:15"),
        ("opening_range(30)[high]", "minutes=30: the bar opens 10 minutes after"),
        ("pivots[pivot]", "computed of the period before"),
        ("cs_zscore(volume)", "where nothing moves: no value where all"),
    ],
)
def test_a_null_says_why(names: list[str], column: str, why: str) -> None:
    times = minutes("2025-06-26T09:15+05:30", 15)
    still = pl.concat(flat_candle(n, t.isoformat(), 5.0, 7.0) for n in names for t in times)
    found = given(still, names[0], column, FIRST)
    assert (found.value, found.computed and found.computed.beside.value) == (None, None)
    assert pl.Series([found.why_null]).str.contains(why).all(), found.why_null


def test_a_bar_that_is_not_there_says_why_and_names_quarantined_rows(names: list[str]) -> None:
    rows = pl.concat(
        [
            flat_candle("A", "2025-06-26T09:15+05:30", 5.0, 7.0),
            flat_candle("A", "2025-06-26T10:15+05:30", 5.0, 7.0).with_columns(high=1.0),
        ]
    )
    found = given(rows, "A", "close", "2025-06-26T10:15+05:30")
    assert (found.bar, found.value) == (None, None)
    assert found.why_null.startswith("no bars: none opens in the range")
    (note,) = found.notes
    assert note.startswith("quarantined: high")


def test_what_is_compared_has_its_population(candles: pl.DataFrame, names: list[str]) -> None:
    rsi = {name: talib.RSI(closes(candles, name), 14)[-1] for name in names}
    for name in names:
        found = given(candles, name, "cs_rank(rsi(14))").computed
        assert found is not None
        assert found.population is not None
        assert (found.population.size, found.population.bars) == (3, 3)
        wanted = 1.0 + sum(each < rsi[name] for each in rsi.values())
        assert (found.value, found.beside.value) == (wanted, wanted)


def test_where_there_is_no_textbook_version_it_says_so(
    candles: pl.DataFrame, names: list[str]
) -> None:
    for column, why in (
        ("cdl_hammer", "cdl_hammer has no textbook version"),
        ("ema(cs_rank(close), 3)", "compares instruments"),
    ):
        found = given(candles, names[0], column).computed
        assert found is not None
        assert found.value is not None
        assert found.beside.value is None
        assert why in found.beside.note


@pytest.mark.parametrize(
    ("at", "kind", "stated"),
    [
        ("2025-07-02T10:15", "regular", "regular hours since 2015-01-01 (high"),
        ("2024-11-01T18:00", "special", "special session: muhurat"),
        ("2027-02-01T10:15", "provisional", "no fact: assumed"),
    ],
)
def test_the_session_is_a_fact_or_assumed(at: str, kind: str, stated: str) -> None:
    row = flat_candle("A", f"{at}+05:30", 5.0, 7.0)
    if kind != "provisional":
        found = given(row, "A", "close", at)
        assert found.value == 5.0
    else:
        # A candle of the future is none: the bar is not there, and its session is.
        found = given(flat_candle("A", LAST, 5.0, 7.0), "A", "close", at)
    assert (found.session.kind, found.session.segment) == (kind, 1)
    assert found.session.stated_by.startswith(stated)


@pytest.mark.parametrize(
    ("column", "at", "error", "said"),
    [
        ("nonsense", LAST, ParameterError, "the columns are open, high, low, close, volume, sma_9"),
        ("bollinger(20, 2)", LAST, ParameterError, "several outputs: upper, middle"),
        ("ema(", LAST, SpecError, "must read like"),
        ("ema_9", "2025-07-02T14:27", RangeError, "contains it opens at 2025-07-02T14:25"),
        ("ema_9", "2025-07-02", RangeError, "is a date"),
        ("ema_9", "2025-07-05T10:15", RangeError, "opens at 2025-07-04T15:25.* 2025-07-07T09:15"),
    ],
)
def test_what_cannot_be_says_what_can(
    candles: pl.DataFrame, names: list[str], column: str, at: str, error: Any, said: str
) -> None:
    with pytest.raises(error, match=said):
        given(candles, names[0], column, at)


def test_an_unknown_instrument_and_a_store_s_words_are_refused(
    store: tallow.Store, candles: pl.DataFrame, names: list[str]
) -> None:
    engine = tallow.AnalyticsEngine(store=store, threads=1)
    with pytest.raises(RangeError, match="not in the store"):
        engine.explain("NOBODY", "close", LAST)
    with pytest.raises(RangeError, match="know no receipts"):
        engine.explain(names[0], "close", LAST, candles=candles, known_at=LAST)
    with pytest.raises(ParameterError, match="has no store"):
        tallow.AnalyticsEngine().explain(names[0], "close", LAST)


def test_days_and_weeks_are_named_by_a_date(candles: pl.DataFrame, names: list[str]) -> None:
    own = candles.filter(pl.col("instrument") == names[0])
    day = own.filter(pl.col("timestamp").dt.date() == date(2025, 7, 1))
    found = given(candles, names[0], "high", "2025-07-01", timeframe="1d")
    assert (found.value, len(found.candles)) == (day["high"].max(), len(day))
    assert found.session.segment is None
    week = own.filter(pl.col("timestamp").dt.date() <= date(2025, 6, 27))
    found = given(candles, names[0], "high", "2025-06-27", timeframe="1w")
    assert (found.value, found.at) == (week["high"].max(), moment("2025-06-23T09:15+05:30"))


def test_it_is_json_and_any_zone_s(candles: pl.DataFrame, names: list[str]) -> None:
    found = given(candles, names[0], "ema_9", output_zone="Asia/Kolkata")
    written = found.to_dict()
    assert written["at"] == "2025-07-02T14:25:00+05:30"
    assert written["candles"][0]["opens"] == "2025-07-02T14:25:00+05:30"
    assert written["session"]["segments"][0][0] == "2025-07-02T09:15:00+05:30"
    assert written["computed"]["indicator"]["version"] >= 1


@pytest.mark.parametrize("column", ["sma_9", "bb_middle_20_2"])
def test_a_real_bar_s_mean(reference: Path, column: str) -> None:
    """Of five-minute closes that the old API printed, on a day it got right."""
    rows = records(reference / "data" / "legacy_5m_goapi_RAYMOND_20250718.csv")
    printed = [float(row["close"]) for row in rows]
    place, length = 40, int(column.split("_")[1] if column == "sma_9" else 20)
    wanted = np.mean(printed[place - length + 1 : place + 1])
    engine = tallow.AnalyticsEngine(no_trade="keep", threads=1)
    path = reference / "data" / "candles_1m.csv"
    found = engine.explain(rows[place]["instrument_key"], column, rows[place]["ts"], candles=path)
    assert found.computed is not None
    assert found.value == pytest.approx(wanted, rel=1e-12)
    assert found.computed.beside.value == pytest.approx(wanted, rel=1e-12)
    assert found.bar is not None
    assert found.bar.close == printed[place]


def test_candles_of_days_are_found_whenever_on_their_date_they_are_stamped(
    tmp_path: Path,
) -> None:
    rows = pl.concat(
        flat_candle("A", f"2025-07-0{day}T00:00+05:30", 10.0 + day, 7.0) for day in (1, 2, 3)
    )
    with tallow.open_store(tmp_path / "days", create=True) as store:
        store.write(rows, source_timeframe="1d")
        stored = tallow.AnalyticsEngine(store=store, threads=1)
        for asked, more in ((stored, {}), (tallow.AnalyticsEngine(), {"candles": rows})):
            found = asked.explain(
                "A",
                "close",
                "2025-07-02",
                "1d",
                source_timeframe="1d",
                **more,  # type: ignore[arg-type]
            )
            assert (found.value, [each.close for each in found.candles]) == (12.0, [12.0])


def test_another_instrument_s_value_is_that_one_s(candles: pl.DataFrame, names: list[str]) -> None:
    found = given(candles, names[0], f'security(close, "{names[2]}")')
    assert found.computed is not None
    assert found.value == found.computed.beside.value == closes(candles, names[2])[-1]


@pytest.mark.nightly
@pytest.mark.parametrize("indicator", sorted(ORACLES))
def test_every_output_is_beside_its_textbook_version(indicator: str) -> None:
    """What a bar and the calendar give a kernel is what they give the textbook version."""
    calendar = load_calendar("XNSE")
    rows = tallow.read_candles(simulate_candles(1, 24, calendar=calendar, start=date(2025, 6, 2)))
    (name,) = rows.frame["instrument"].unique()
    begin = '("2025-06-10")' if indicator == "anchored_vwap" else ""
    for output in registry().find(indicator).outputs:
        spec = f"{indicator}{begin}[{output.name}]"
        found = tallow.AnalyticsEngine().explain(name, spec, LAST, candles=rows)
        assert found.computed is not None
        assert found.value == pytest.approx(found.computed.beside.value, 1e-9, 1e-9), spec
        assert (found.value is None) == bool(found.why_null)

"""Goal: raw and adjusted candles of one instrument are chosen by date: what can be given is right
to the last day, and what cannot is refused in words.

Method: daily candles of known raw prices, each day kept as raw, adjusted for splits or for
dividends too, as a vendor would send it; the right prices are the raw ones times factors, worked
out by hand or with fractions.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

import tallow
from tallow.core.errors import AllFailedError
from tallow.data.reading.schema import CANDLE_SCHEMA
from tests.frames import flat_candle, moment

SPLIT = {"ex_date": "2025-09-18", "kind": "split", "new": 5.0, "old": 1.0}


def daily(name: str, **closes: float) -> pl.DataFrame:
    """Return candles of days in September 2025, given as `d18=701.0`."""
    return pl.concat(
        flat_candle(name, f"2025-09-{day[1:]}T00:00+05:30", close, 10.0)
        for day, close in closes.items()
    )


def actions(name: str, *rows: dict) -> pl.DataFrame:
    columns = ("ex_date", "kind", "new", "old", "amount", "factor")
    return pl.DataFrame(
        [[name, *(row.get(column) for column in columns)] for row in rows],
        schema=dict.fromkeys(("instrument", *columns[:2]), pl.String)
        | dict.fromkeys(columns[2:], pl.Float64),
        orient="row",
    )


def asked(store: tallow.Store, adjustment: str, name: str = "A", **wanted) -> list[float]:
    engine = tallow.AnalyticsEngine("XNSE", store=store)
    wanted = {"indicators": "sma(1)", "source_timeframe": "1d"} | wanted
    return engine.query(name, "1d", adjustment=adjustment, **wanted).frame["close"].to_list()


@pytest.fixture
def store(tmp_path: Path):
    """A store in which the 15th came adjusted for splits, and the days after it are raw."""
    with tallow.open_store(tmp_path / "store", create=True) as store:
        store.write(daily("A", d15=20.0), source_timeframe="1d", adjustment="split")
        store.write(daily("A", d16=105.0, d17=110.0, d18=23.0), source_timeframe="1d")
        store.write(daily("B", d16=7.0), source_timeframe="1d")
        yield store


def test_candles_adjusted_for_splits_are_given_with_dividends_too(store):
    store.actions.record(
        actions("A", SPLIT, {"ex_date": "2025-09-17", "kind": "dividend", "amount": 10.5})
    )
    # 10.5 of 105 is a tenth; what came adjusted for the split is multiplied by that alone.
    right = [20 * 0.9, 105 * 0.18, 110 * 0.2, 23.0]
    assert asked(store, "total") == right
    assert asked(store, "total", start=date(2025, 9, 16)) == right[1:]
    assert asked(store, "split") == [20.0, 105 * 0.2, 110 * 0.2, 23.0]
    store.write(daily("A", d15=17.5), source_timeframe="1d", adjustment="total")
    assert asked(store, "total") == [17.5, *right[1:]]


def test_a_dividend_s_amount_without_a_raw_close_is_refused_where_it_counts(store):
    dividend = {"ex_date": "2025-09-16", "kind": "dividend", "amount": 2.0}
    store.actions.record(actions("A", SPLIT, dividend))
    with pytest.raises(AllFailedError, match=r"2025-09-15T18:30:00\+00:00 is given by its amount"):
        asked(store, "total")
    assert asked(store, "total", start=date(2025, 9, 16)) == [105 * 0.2, 110 * 0.2, 23.0]
    assert asked(store, "split")[0] == 20.0
    store.actions.withdraw(actions("A", dividend))
    store.actions.record(
        actions("A", {"ex_date": "2025-09-16", "kind": "dividend", "factor": 0.98})
    )
    assert asked(store, "total")[0] == 20 * 0.98


def test_what_came_with_dividends_cannot_be_taken_back_and_others_are_not_affected(store):
    store.write(daily("A", d12=18.0), source_timeframe="1d", adjustment="total")
    store.actions.record(actions("A", SPLIT))
    words = r"1 candle, from 2025-09-11T18:30:00.*cannot be taken back; ask for adjustment='total'"
    with pytest.raises(AllFailedError, match=words):
        asked(store, "split")
    assert asked(store, "split", start=date(2025, 9, 15)) == [20.0, 105 * 0.2, 110 * 0.2, 23.0]
    engine = tallow.AnalyticsEngine("XNSE", store=store)
    both = engine.query(None, "1d", adjustment="split", source_timeframe="1d", indicators="sma(1)")
    assert both.frame["close"].to_list() == [7.0]
    assert list(both.report.failures) == ["A"]
    store.write(daily("A", d12=100.0), source_timeframe="1d")
    assert asked(store, "split")[0] == 100 * 0.2


def test_a_day_that_has_raw_minutes_is_no_stretch_of_its_own(tmp_path):
    """A minute more of a vendor's is no reason to refuse the day."""
    with tallow.open_store(tmp_path / "minutes", create=True) as store:
        store.write(flat_candle("A", "2025-09-16T09:15+05:30", 10.0, 5.0), source_timeframe="1m")
        more = flat_candle("A", "2025-09-16T09:16+05:30", 9.0, 5.0)
        store.write(more, adjustment="total", source_timeframe="1m")
        minutes = {"source_timeframe": "1m"}
        assert asked(store, "split", **minutes) == [10.0]
        assert asked(store, "total", **minutes) == [9.0]


KINDS = {"split": ("split",), "total": ("split", "dividend")}


def test_any_mixture_of_stretches_has_the_prices_of_its_raw_candles(tmp_path):
    """Twenty instruments of ten days; of each day some of the three kinds are kept."""
    draw = random.Random(3)
    days = [date(2025, 9, day) for day in (1, 2, 3, 4, 5, 8, 9, 10, 11, 12)]
    right: dict[str, dict[str, list[float] | None]] = {"split": {}, "total": {}}
    with tallow.open_store(tmp_path / "many", create=True) as store:
        for number in range(20):
            name = f"N{number:02}"
            acts = [
                {"ex_date": f"{draw.choice(days[1:])}", "kind": kind, "factor": draw.choice(sizes)}
                for kind, sizes in (("split", (0.2, 0.1)), ("dividend", (0.99, 0.875)))
            ]
            raw = [float(draw.randrange(100, 900)) for _ in days]
            kept = [draw.sample(["raw", "split", "total"], draw.choice((1, 1, 2, 3))) for _ in days]
            factors = {
                kind: [_factor(acts, day, KINDS.get(kind, ())) for day in days]
                for kind in ("raw", "split", "total")
            }
            for kind in ("raw", "split", "total"):
                rows = [
                    (name, moment(f"{day}T00:00+05:30"), *[float(price * factor)] * 4, 10.0)
                    for day, price, factor, own in zip(days, raw, factors[kind], kept, strict=True)
                    if kind in own
                ]
                if rows:
                    frame = pl.DataFrame(rows, schema=CANDLE_SCHEMA, orient="row")
                    store.write(frame, source_timeframe="1d", adjustment=kind)
            store.actions.record(actions(name, *acts))
            for kind, given in right.items():
                is_lost = kind == "split" and any(own == ["total"] for own in kept)
                pairs = zip(raw, factors[kind], strict=True)
                given[name] = None if is_lost else [float(p * f) for p, f in pairs]
        engine = tallow.AnalyticsEngine("XNSE", store=store)
        for kind, given in right.items():
            found = engine.query(None, "1d", adjustment=kind, source_timeframe="1d", indicators="")
            lost = {name for name, prices in given.items() if prices is None}
            assert set(found.report.failures) == lost
            assert (0 < len(lost) < len(given)) == (kind == "split")
            for name in given.keys() - lost:
                own = found.frame.filter(instrument=name)["close"].to_list()
                assert own == pytest.approx(given[name], rel=1e-14)


def _factor(acts: list[dict], day: date, kinds: tuple[str, ...]) -> Fraction:
    """Return the product of the factors of later ex-dates."""
    product = Fraction(1)
    for act in acts:
        if act["kind"] in kinds and day < date.fromisoformat(act["ex_date"]):
            product *= Fraction(str(act["factor"]))
    return product


def test_a_moment_in_the_past_has_the_stretches_that_were_there(store):
    store.actions.record(actions("A", SPLIT))
    before = datetime.fromtimestamp(store.last_received() / 1e6, UTC)
    store.write(daily("A", d12=18.0), source_timeframe="1d", adjustment="total")
    assert asked(store, "split", known_at=before) == [20.0, 105 * 0.2, 110 * 0.2, 23.0]

"""Goal: a tick in plain numbers, or alone in a frame, changes what the same tick among arrays does,
whatever it is and whatever came before it.

Method: two engines in step. One takes ticks by `update_tick`, and by frames of one row; the other
frames in nanoseconds, which always go the long way. Ticks are of two venues and of no calendar, in
and out of order, repeated, wrong, of the pre-open and of the next day; candles, deletions, clocks
and restarts come between. That ticks make right candles is shown by the histories and by a twin.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tallow import LiveEngine, open_store
from tallow.core.errors import CandleInputError
from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.core.registry import registry
from tallow.core.spec import Spec, make_spec
from tallow.core.time import MINUTE_US, SECOND_US
from tests.frames import flat_candle
from tests.runtime.live.markets import microseconds

OPENS = 1_752_810_300_000_000  # 2025-07-18 09:15 in Mumbai, a Friday
DAY_US = 1_440 * MINUTE_US
CALENDARS = {"RAYMOND": "XNSE", "TCS": "XNSE", "BTC": "24/7"}
NAMES = (*CALENDARS, "NOWHERE")
OPTIONS: dict[str, Any] = {"calendar": CALENDARS, "keep": 70}


def frame_of(name: str | None, unit: Any, **values: Any) -> pl.DataFrame:
    frame = pl.DataFrame({key: [value] for key, value in values.items()})
    stamp = pl.col("timestamp").cast(pl.Datetime("us", "UTC")).dt.cast_time_unit(unit)
    return frame.select(pl.lit(name, pl.String).alias("instrument"), stamp, pl.exclude("timestamp"))


class InStep:
    """Two engines that take the same: one in plain numbers where it can."""

    def __init__(self, draw: random.Random, timeframes: Any, stores: list[Any]) -> None:
        self.draw, self.timeframes = draw, timeframes
        self.options = [OPTIONS | {"store": store} for store in stores]
        self.live = [self.engine(place) for place in (0, 1)]
        self.went: Counter[str] = Counter()

    def engine(self, place: int) -> LiveEngine:
        return LiveEngine(self.timeframes, **self.options[place])

    def tick(self, name: str, **values: Any) -> None:
        one, frames = self.live
        if self.draw.random() < 0.3:
            update = one.update_ticks(frame_of(name, "us", **values))
        else:
            update = one.update_tick(name, **values)
        self.compare(update, frames.update_ticks(frame_of(name, "ns", **values)))

    def both(self, act: Any) -> None:
        self.compare(*(act(live) for live in self.live))

    def compare(self, update: Any, expected: Any) -> None:
        for size in self.live[0].timeframes:
            found, rows = update.rows[size].sort(), expected.rows[size].sort()
            np.testing.assert_array_equal(found.times, rows.times)
            np.testing.assert_array_equal(found.is_final, rows.is_final)
            np.testing.assert_array_equal(found.values.view(np.int64), rows.values.view(np.int64))
        for count in ("appended", "late", "revised", "repeated", "quarantined"):
            self.went[count] += getattr(update.report, count)
            assert getattr(update.report, count) == getattr(expected.report, count)
        held = [each.report.quarantine.drop("record") for each in (update, expected)]
        assert held[0].equals(held[1])
        self.went.update(held[0]["rule"].to_list())

    def restart(self, path: Path) -> None:
        for place, live in enumerate(self.live):
            live.save(path)
            self.live[place] = LiveEngine.load(path, self.timeframes, **self.options[place])

    def assert_alike(self) -> None:
        kept = [
            live._ticks.builder.arrays() | live._state.arrays() | {"names": live.names}
            for live in self.live
        ]
        for name, array in kept[0].items():
            # Snapshots lie where the way of arrays put them, and revisions are times.
            if "revision" not in name and not name.startswith("memory/states"):
                np.testing.assert_array_equal(array, kept[1][name], err_msg=name)


def run(both: InStep, path: Path, steps: int) -> None:
    draw, now, total, given = both.draw, OPENS - 3 * MINUTE_US, 0.0, [dict[str, Any]()]
    for step in range(steps):
        kind, name = draw.random(), draw.choices(NAMES, [6, 4, 2, 0.2])[0]
        now += draw.choice([0, 1, SECOND_US // 7, SECOND_US, 11 * SECOND_US, 70 * SECOND_US])
        if step in (steps // 3, 2 * steps // 3):
            now += DAY_US * 3  # Over a weekend.
        time = now - draw.choice([1, 40, 400]) * SECOND_US if kind < 0.06 else now
        values: dict[str, Any] = {
            "timestamp": time,
            "price": round(100.0 + draw.gauss(0.0, 1.0), 2),
        }
        total += draw.choice([0, 0, 5, 30])
        amount = draw.choice([0.0, 3.0, 8.0])
        if name == "TCS":
            values["day_volume"] = total - draw.choice([0, 0, 0, 9])
        else:
            values["quantity"] = amount
        if draw.random() < 0.2:
            values["sequence"] = draw.randrange(3)
        if 0.06 < kind < 0.08:
            field, wrong = draw.choice(
                [("price", np.nan), ("quantity", -1.0), ("quantity", np.inf), ("timestamp", 5)]
            )
            values |= {field: wrong} if field in values else {}
        if 0.08 < kind < 0.1 and given[-1]:
            values = given[-1]
            name = str(values["instrument"])
        if 0.1 < kind < 0.12:
            candle = flat_candle(name, "2025-07-18T09:15+05:30", values["price"], 7.0)
            minute = pl.lit(now // MINUTE_US * MINUTE_US).cast(pl.Datetime("us", "UTC"))
            both.both(lambda live, c=candle, m=minute: live.update(c.with_columns(timestamp=m)))
        if 0.12 < kind < 0.125:
            both.both(lambda live, t=now: live.advance(t - SECOND_US))
        if 0.125 < kind < 0.13:
            both.restart(path)
        given.append(values | {"instrument": name})
        both.tick(name, **{key: value for key, value in values.items() if key != "instrument"})


@pytest.mark.parametrize("timeframes", ["5m", ["1m", "15m", "1d"]])
@pytest.mark.parametrize("is_stored", [False, True])
def test_a_tick_in_plain_numbers_is_the_tick_in_a_frame(tmp_path, timeframes, is_stored):
    stores: list[Any] = [None, None]
    if is_stored:
        stores = [open_store(tmp_path / name, create=True) for name in ("one", "other")]
    both = InStep(random.Random(f"{timeframes}{is_stored}"), timeframes, stores)
    run(both, tmp_path / "state", 400 if is_stored else 800)
    both.assert_alike()
    wanted = {"appended", "late", "repeated", "price_missing", "volume_negative", "no_session"}
    assert not wanted - {name for name, count in both.went.items() if count}, both.went
    if is_stored:
        rows = [store.read() for store in stores]
        assert rows[0].equals(rows[1])
        for store in stores:
            store.close()


def test_most_ticks_go_through_one_call(monkeypatch):
    """Of an ordinary minute all, but where room must be made: else this shows nothing."""
    live, long = LiveEngine("5m", "ema(2)"), list[Any]()
    whole = live._ticks._take

    def take(frame: pl.DataFrame) -> Any:
        long.append(frame)
        return whole(frame)

    monkeypatch.setattr(live._ticks, "_take", take)
    update = live.update_tick("TCS", OPENS, 100.0, 1.0)
    for second in range(1, 200):
        update = live.update_tick("TCS", OPENS + second * SECOND_US, 100.0 + second, 1.0)
    assert update.frame.select("open", "close", "volume", "candles").rows() == [
        (100.0, 299.0, 200.0, 4)
    ]
    frame = frame_of("TCS", "us", timestamp=OPENS + 200 * SECOND_US, price=1, quantity=2)
    assert live.update_ticks(frame).frame["low"].to_list() == [1.0]
    assert len(long) < 10


@kernel
def brittle(state, params, offsets, close, out):
    for i in range(len(state)):
        for row in range(offsets[i], offsets[i + 1]):
            state[i, 0] += 1.0
            if close[row] > 900.0:
                raise ValueError("above 900")
            out[row] = state[i, 0] + close[row]


BRITTLE = Indicator(
    name="brittle",
    title="Breaks on cue",
    inputs=("close",),
    outputs=(Output("count", "brittle", "rows", "rows so far"),),
    parameters=(),
    memory=RECURSIVE,
    warmup=lambda _: (0,),
    state_size=lambda _: 1,
    advance=brittle,
    formula="count",
    reference="none",
)


BRITTLE_SPEC = Spec(BRITTLE, (), ("count",), ("brittle",))
OF_BRITTLE = make_spec(registry().find("ema"), {"length": 1}, "tradingview", (), BRITTLE_SPEC)


@pytest.mark.parametrize("own", [BRITTLE_SPEC, OF_BRITTLE], ids=["own", "made of it"])
def test_a_kernel_that_raises_costs_its_own_column_and_what_is_made_of_it(own):
    specs: Any = [own, "ema(2)"]
    (column,) = own.columns
    live, plain = LiveEngine(["1m", "5m"], specs), LiveEngine(["1m", "5m"], "ema(2)")
    for second in range(0, 400, 7):
        price = 950.0 if second == 210 else 100.0 + second
        for name in ("A", "B"):
            tick = (OPENS + second * SECOND_US, price if name == "B" else 100.0, 1.0)
            found, wanted = live.update_tick(name, *tick), plain.update_tick(name, *tick)
            for size, frame in wanted.frames.items():
                same = found.frames[size].drop("revision", column)
                assert same.equals(frame.drop("revision"))
                values = found.frames[size][column].to_list()
                lost = name == "B" and second >= 210
                assert all((value is None) == lost for value in values), (name, second, values)
    assert live.failures == {"B": "brittle: ValueError: above 900"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("TCS", OPENS, 1.0), "must be one of both"),
        (("TCS", OPENS, "x", 1.0), "could not convert string to float"),
        (("TCS", 1.5, 1.0, 1.0), "must be numbers, int64 as time and sequence"),
        (("TCS", 2**63, 1.0, 1.0), "is no int64"),
        ((4, OPENS, 1.0, 1.0), "must be numbers that `numbers` gave"),
    ],
)
def test_what_is_no_tick_is_an_error(given, message):
    with pytest.raises(CandleInputError, match=message):
        LiveEngine("5m").update_tick(*given)


def test_a_frame_of_one_candle_is_the_candle_in_plain_numbers():
    one, frames = LiveEngine("5m", "ema(1)"), LiveEngine("5m", "ema(1)")
    candle = flat_candle("TCS", "2025-07-18T09:15+05:30", 100.0, 7.0)
    first = microseconds(candle["timestamp"][0])
    for minute in range(70):
        time = first + minute * MINUTE_US
        values = (100.0 + minute, 101.0 + minute, 99.0, 100.5, 7.0)
        told = one.update_one("TCS", time, *values, 5.0 if minute > 30 else None)
        columns = dict(zip(("open", "high", "low", "close", "volume"), values, strict=True))
        row = candle.with_columns(
            pl.lit(time).cast(pl.Datetime("us", "UTC")).alias("timestamp"),
            *(pl.lit(value).alias(name) for name, value in columns.items()),
            *[pl.lit(5.0).alias("open_interest")] * (minute > 30),
        )
        assert frames.update(row).frame.drop("revision").equals(told.frame.drop("revision"))

"""A live minute of all instruments with a squeeze and its rules, beside the bands alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tallow
from benchmarks.live import MINUTES, Minutes, in_a_turn
from benchmarks.market import CALENDAR
from benchmarks.measure import TIMING_COLUMNS, Figure, Outcome, take_turns
from benchmarks.settings import Settings
from tallow.alerts import AlertRule, Watch, indicators_of, pattern, release, threshold
from tallow.core.kernel import read_only
from tallow.core.spec import parse_specs

WARM_UP = 200
"""Minutes before: more than the bands and the look-back take."""

BANDS = "bollinger(20, 2)"
SHARE = 5
"""Minutes of a five-minute bar."""


def rules(timeframe: str) -> list[AlertRule]:
    """Return the three rules of a squeeze."""
    base = {"timeframe": timeframe}
    return [threshold(1.0, **base), pattern(5, 10.0, **base), release(**base)]


def measure(settings: Settings) -> Outcome:
    """Measure a minute of all instruments."""
    count = settings.market.instruments
    market = Minutes(count, 4)
    total = WARM_UP + (settings.rounds + 1) * MINUTES
    minutes = [market.next() for _ in range(total)]
    five = rules("5m")
    contestants: dict[str, Callable[[], object]] = {
        "the bands' kernel alone": _kernel(count, minutes),
        "a live minute with the bands": _live(market, minutes, ["5m"], [BANDS]),
        "with the squeeze": _live(market, minutes, ["5m"], indicators_of(five)),
        "with the squeeze and its rules": _watched(market, minutes, ["5m"], five),
        "one-minute bars: with the bands": _live(market, minutes, ["1m"], [BANDS]),
        "one-minute bars: squeeze and rules": _watched(market, minutes, ["1m"], rules("1m")),
    }
    turns = {name: in_a_turn(minute) for name, minute in contestants.items()}
    timings = take_turns(turns, settings.rounds, count * MINUTES)
    kernel, bands, _, watched, each, each_watched = (one.median for one in timings.values())
    return Outcome(
        "alerts",
        f"A minute of {count:,} instruments, {MINUTES} minutes a turn; three rules of a squeeze",
        TIMING_COLUMNS,
        [timing.cells() for timing in timings.values()],
        [
            Figure("squeeze and rules / a live minute with the bands", watched / bands, "x", 2.0),
            Figure("the same, where every minute closes a bar", each_watched / each, "x"),
            Figure("squeeze and rules / the bands' kernel alone", watched / kernel, "x"),
        ],
        [f"bars of five minutes close every {SHARE}th minute; causes are claimed in memory"],
    )


def _kernel(count: int, minutes: list[np.ndarray]) -> Callable[[], object]:
    """Return what runs the bands' kernel over a close of each instrument."""
    (spec,) = parse_specs(BANDS)
    indicator, values = spec.indicator, dict(spec.values)
    kernel, parameters = indicator.kernel(values), indicator.kernel_parameters(values)
    state, offsets = indicator.new_state(values, count), np.arange(count + 1)
    outputs = [np.empty(count) for _ in indicator.outputs]
    closes = iter(range(len(minutes)))

    def minute() -> None:
        kernel(state, parameters, offsets, read_only(minutes[next(closes)][3]), *outputs)

    for _ in range(WARM_UP):
        minute()
    return minute


def _live(
    market: Minutes, minutes: list[np.ndarray], timeframes: list[str], indicators: list[str]
) -> Callable[[], object]:
    return _feed(tallow.LiveEngine(timeframes, indicators, calendar=CALENDAR), market, minutes)


def _watched(
    market: Minutes, minutes: list[np.ndarray], timeframes: list[str], asked: list[AlertRule]
) -> Callable[[], object]:
    live = tallow.LiveEngine(timeframes, indicators_of(asked), calendar=CALENDAR)
    return _feed(live, market, minutes, Watch(live, asked))


def _feed(
    live: tallow.LiveEngine,
    market: Minutes,
    minutes: list[np.ndarray],
    watch: Watch | None = None,
) -> Callable[[], object]:
    """Return what gives an engine one minute after the other, and perhaps a watch its update."""
    numbers, place = live.numbers(market.names), iter(range(len(minutes)))

    def minute() -> object:
        k = next(place)
        update = live.update_arrays(numbers, np.full(len(numbers), market.times[k]), *minutes[k])
        return update if watch is None else watch.take(update)

    for _ in range(WARM_UP):
        minute()
    return minute

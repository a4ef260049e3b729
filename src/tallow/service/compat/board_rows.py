"""The rows of the old dashboard of band widths: the squeeze of closed bars of five minutes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl

from tallow.core.time import MINUTE_US, now_us
from tallow.data.store.backend import LogPoint
from tallow.data.store.store import Store
from tallow.engine import AnalyticsEngine
from tallow.service.compat.board_rules import TIMEFRAME, BoardRules, strength_of
from tallow.service.compat.envelopes import to_text
from tallow.service.compat.old_bars import (
    LONG,
    LOOKBACK,
    SHORT,
    SHORT_LOOKBACK,
    WIDTH,
    OldRow,
    zone_of,
)

Bar = dict[str, Any]
"""A closed bar with its squeeze; see `board_bars`."""

IN_RANGE_MAX = 20
"""Newest bars that the old dashboard counted in the range of the lowest width."""

CHANGE_PERCENT = 5.0
"""By how much the mean width of three bars must change on the three before to be a trend."""

_STEP = 5 * MINUTE_US
_INDICATORS = f"bollinger(20, 2), sma({WIDTH}, 3), sma({WIDTH}, 6), {LONG}, {SHORT}"
_OUTPUTS = ("lowest", "distance", "contracting", "contraction", "in_range")
_MEAN = "sma_{}_of_bb_width_20_2"


def board_bars(engine: AnalyticsEngine, names: Sequence[str], start: datetime) -> pl.DataFrame:
    """Return closed bars that have a width, with their squeeze.

    Columns `instrument`, `timestamp`, `width`, `mean_3`, `mean_6`, the outputs of the squeeze, and
    `is_long`: whether it is that of the long look-back, or else of the short one.
    """
    bars: pl.DataFrame = engine.query(list(names), TIMEFRAME, start, None, _INDICATORS).frame
    long, short = (f"squeeze_{{}}_20_2_{each}_0p1" for each in (LOOKBACK, SHORT_LOOKBACK))
    # Not output by output: above a lowest width of 0 there is no distance.
    is_long = pl.col(long.format("lowest")).is_not_null()
    return (
        bars.filter("is_final")
        .select(
            "instrument",
            "timestamp",
            *(
                pl.when(is_long).then(long.format(each)).otherwise(short.format(each)).alias(each)
                for each in _OUTPUTS
            ),
            width="bb_width_20_2",
            mean_3=_MEAN.format(3),
            mean_6=_MEAN.format(6),
            is_long=is_long,
        )
        .filter(pl.col("width") > 0, pl.col("lowest").is_not_null())
        .with_columns(pl.col("timestamp").dt.convert_time_zone(zone_of(engine)))
    )


class NewestBars:
    """Keeps each instrument's newest closed bar; one that closed, or was corrected, is read anew.

    For threads; one reads, and others wait for it.
    """

    def __init__(self, store: Store, engine: AnalyticsEngine) -> None:
        self._store, self._engine, self._lock = store, engine, threading.Lock()
        self._point, self._step = LogPoint("", 0), 0
        self._bars: dict[str, Bar | None] = {}

    def read(self, names: Sequence[str], live: pl.DataFrame) -> list[Bar]:
        """Return the bars of those that have one, as in `board_bars`, in the order of the names.

        `live` has each one's last bar, which may be open still: the one looked for is near it.
        """
        with self._lock:
            # What is written meanwhile is looked for again the next time.
            state, step = self._store.state(), now_us() // _STEP
            point, changed = state.point(), set[str]()
            if (point.epoch, step) != (self._point.epoch, self._step):
                self._bars.clear()
            elif point != self._point:
                found = state.changed_since(self._point.received)
                changed = {name for name, since in found.items() if since < step * _STEP}
            asked = [name for name in names if name in changed or name not in self._bars]
            self._bars |= dict.fromkeys(asked) | self._newest({*asked}, live)
            self._point, self._step = point, step
            return [bar for name in names if (bar := self._bars[name]) is not None]

    def _newest(self, names: set[str], live: pl.DataFrame) -> dict[str, Bar]:
        by_day: dict[date, list[str]] = {}
        for name, moment in live.select("instrument", "timestamp").iter_rows():
            if name in names:
                by_day.setdefault(moment.date(), []).append(name)
        found: dict[str, Bar] = {}
        for day, some in by_day.items():
            # The last closed bar may be of the session before.
            since = datetime.combine(day, time(), UTC) - timedelta(days=5)
            newest = board_bars(self._engine, some, since).group_by("instrument").last()
            found |= {bar["instrument"]: bar for bar in newest.iter_rows(named=True)}
        return found


def board_row(bar: Bar, symbol: str, rules: BoardRules, updated: str) -> OldRow:
    """Return a bar as the old dashboard's object; what is empty is there, too."""
    kind = rules.kind_of(bar) if bar["is_long"] else None
    moment = to_text(bar["timestamp"])
    message = (
        f"{symbol}: band width {bar['width']:.2f}, {bar['distance'] or 0.0:.2f} % above its lowest"
    )
    return {
        "symbol": symbol,
        "instrument_key": bar["instrument"],
        "current_bb_width": bar["width"],
        "historical_min_bb_width": bar["lowest"],
        "distance_from_min_percent": bar["distance"] or 0.0,
        "contracting_sequence_count": int(bar["contracting"] or 0),
        "candles_in_range_count": min(int(bar["in_range"] or 0), IN_RANGE_MAX),
        "bb_width_trend": _trend(bar["mean_3"], bar["mean_6"]),
        "alert_triggered": kind is not None,
        "alert_triggered_at": None if kind is None else moment,
        "alert_type": kind or "",
        "alert_message": message if kind else "",
        "pattern_strength": strength_of(bar),
        "timestamp": moment,
        "last_updated": updated,
    }


def reduced(row: OldRow) -> OldRow:
    """Return a row as the histories have it."""
    return {name: value for name, value in row.items() if name != "candles_in_range_count"}


def without_empty(row: OldRow) -> OldRow:
    """Return a row as the dashboard has it."""
    omitted = ("alert_triggered_at", "alert_type", "alert_message")
    return {name: value for name, value in row.items() if value or name not in omitted}


def _trend(newest: float | None, both: float | None) -> str:
    """Return the trend of widths by the means of the newest three and six."""
    if newest is None or both is None:
        return "stable"
    before = 2.0 * both - newest
    change = 100.0 * (newest - before) / before if before else 0.0
    if abs(change) <= CHANGE_PERCENT:
        return "stable"
    return "expanding" if change > 0 else "contracting"

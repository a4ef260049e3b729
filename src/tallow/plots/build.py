"""From an instrument's bars to what is drawn of them: checked, put into panes, and shifted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.calendars import Calendar, anchor_boundaries
from tallow.core.errors import ParameterError
from tallow.core.spec import Spec
from tallow.core.text import counted
from tallow.core.time import SECOND_US
from tallow.core.timeframe import Timeframe
from tallow.data.reading.schema import PRICES, time_view
from tallow.plots.drawing import PRICE, VOLUME, Curve, Drawing, MadeCandles, Mark, Pane
from tallow.plots.numbers import SHORT, Numbers, numbers_of, numbers_of_prices, whole_numbers
from tallow.plots.placing import EXTREME, Placing, placings

MATCH = "match"
"""The kind of mark of a screen's match."""


def draw(
    bars: pl.DataFrame,
    specs: Sequence[Spec],
    timeframe: Timeframe,
    calendar: Calendar,
    zone: str,
    matches: Mapping[str, Times],
    title: str,
) -> Drawing:
    """Return the drawing of an instrument's bars.

    `matches` are the opens of the bars at which something holds, int64 microseconds, by what. Rows
    must ascend by time, each time once; `ParameterError` where they do not. Numbers that are not
    finite are left out, as what is missing.
    """
    times = _checked_times(bars)
    placed = [each for each in placings(specs) if each.column in bars.columns]
    ahead = max((each.shift for each in placed), default=0)
    rows = _Rows(bars, times, len(times) + max(ahead, 0), _periods(times, calendar))
    prices = {name: rows.numbers(name) for name in PRICES}
    volume = rows.numbers(VOLUME)
    clock = _clock(bars, zone)
    is_intraday = timeframe.unit == "minute"
    return Drawing(
        title=title,
        subtitle=_subtitle(timeframe, clock, is_intraday),
        zone=zone,
        is_intraday=is_intraday,
        times=times,
        clock=clock,
        starts=_begins(rows.periods["session"]),
        candles=prices,
        volume=volume,
        forming=~bars["is_final"].fill_null(True).to_numpy(),
        points=rows.points,
        panes=tuple(_panes(rows, placed, prices, volume)),
        marks=tuple(_marks(rows, placed, matches)),
    )


def _checked_times(bars: pl.DataFrame) -> Times:
    """Return the opens of bars: the page's library draws wrongly, and is mute, where they fall."""
    if not len(bars):
        raise ParameterError("plot: bars=0; there is nothing to draw; ask for a wider range")
    times = time_view(bars)
    behind = np.flatnonzero(np.diff(times) <= 0)
    if len(behind):
        row = int(behind[0]) + 1
        raise ParameterError(
            f"plot: row {row}: timestamp={bars['timestamp'][row]}; must be later than the row "
            "before; sort the bars by time, and leave each time in once"
        )
    return times


class _Rows:
    """An instrument's bars as numbers, and by which sessions, weeks and months they are."""

    def __init__(
        self, bars: pl.DataFrame, times: Times, points: int, periods: dict[str, Ints]
    ) -> None:
        self.bars, self.times, self.points, self.periods = bars, times, points, periods

    def numbers(self, column: str) -> Floats:
        """Return a column's values, float64 of each bar; NaN where one is missing or not finite."""
        found = self.bars[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return np.where(np.isfinite(found), found, np.nan)

    def drawn(self, values: Floats, shift: int) -> Floats:
        """Return values at the points where they are drawn, NaN elsewhere."""
        moved = np.full(self.points, np.nan)
        first, last = max(shift, 0), min(len(values) + shift, self.points)
        moved[first:last] = values[max(-shift, 0) : max(-shift, 0) + max(last - first, 0)]
        return moved


def _panes(
    rows: _Rows, placed: Iterable[Placing], prices: Mapping[str, Floats], volume: Floats
) -> Iterable[Pane]:
    """Return the panes from the top: candles, volume where there is some, and all others."""
    curves: dict[str, list[Curve]] = {PRICE: []}
    if np.any(volume > 0):
        curves[VOLUME] = []
    corners: dict[str, list[Placing]] = {}
    made: dict[str, MadeCandles] = {}
    for each in placed:
        if each.is_candle:
            candles = made.setdefault(each.pane, MadeCandles(each.spec.text.removesuffix("()"), {}))
            candles.values[each.output.name] = rows.numbers(each.column)
            curves.setdefault(each.pane, [])
        elif each.output.at_extreme:
            corners.setdefault(each.spec.text, []).append(each)
        elif not each.mark:
            curves.setdefault(each.pane, []).append(_curve(rows, each))
    for group in corners.values():
        curves.setdefault(group[0].pane, []).append(_corners(rows, group, prices))
    for name, found in curves.items():
        own = made.get(name)
        of_prices = prices if own is None else own.values
        numbers = _numbers(PRICE if own else name, found, of_prices, volume)
        yield Pane(name, tuple(found), numbers, own)


def _numbers(
    name: str, curves: Sequence[Curve], prices: Mapping[str, Floats], volume: Floats
) -> Numbers:
    """Return how a pane writes its numbers."""
    values = [curve.values for curve in curves]
    if name == PRICE:
        return numbers_of_prices(list(prices.values()))
    if name == VOLUME:
        return whole_numbers([volume, *values], SHORT)
    if all(curve.kind == "steps" for curve in curves):
        return whole_numbers(values)
    return numbers_of(values)


def _curve(rows: _Rows, each: Placing) -> Curve:
    values = rows.drawn(rows.numbers(each.column), each.shift)
    is_last = np.append(np.isnan(values[1:]), True)
    newest = np.flatnonzero(np.isfinite(values))[-1:]
    begins = _begins(rows.periods[each.period]) if each.period else np.zeros(1, dtype=np.bool_)
    # Of bars that are a period each, as days of sessions, no line would be left.
    if np.mean(begins) <= 0.5:
        is_last[: len(begins) - 1] |= begins[1:]
    signs = rows.drawn(rows.numbers(each.direction), each.shift) if each.direction else None
    if signs is not None:
        # A stop that turned is on the other side: no price was between.
        is_last[:-1] |= signs[1:] * signs[:-1] < 0
    # Nothing follows there that a line could go to.
    is_last[newest] = False
    kind = "steps" if each.output.unit == "sign" else "line"
    if each.output.name == "histogram":
        kind = "histogram"
    return Curve(each.column, kind, values, is_last, signs)


def _corners(rows: _Rows, group: Sequence[Placing], prices: Mapping[str, Floats]) -> Curve:
    """Return the line from turning point to turning point, each where its price was.

    A turning point that lies before the first bar is not drawn.
    """
    first = group[0]
    columns = dict(zip(first.spec.outputs, first.spec.columns, strict=True))
    values = np.full(rows.points, np.nan)
    value = rows.numbers(first.column)
    way = rows.numbers(columns["direction"]) if "direction" in columns else None
    changes = np.flatnonzero(np.append(True, value[1:] != value[:-1]) & np.isfinite(value))
    for row in changes.tolist():
        side = None if way is None else ("low" if way[row] > 0 else "high")
        _put(values, value[row], row, prices, side)
    for other in group[1:]:
        newest = rows.numbers(other.column)
        row = len(newest) - 1
        side = None if way is None else ("high" if way[row] > 0 else "low")
        _put(values, newest[row], row, prices, side)
    none = np.zeros(rows.points, dtype=np.bool_)
    return Curve(first.column, "corners", values, none)


def _put(
    values: Floats, value: float, row: int, prices: Mapping[str, Floats], side: str | None
) -> None:
    """Put a value at the last bar up to a row whose high, or low, it is."""
    sides = [side] if side else ["high", "low"]
    for name in sides:
        found = np.flatnonzero(prices[name][: row + 1] == value)
        if len(found):
            values[found[-1]] = value
            return


def _marks(rows: _Rows, placed: Iterable[Placing], matches: Mapping[str, Times]) -> list[Mark]:
    """Return all marks by bar: at each, those of outputs in the order asked for, then matches."""
    found: list[Mark] = []
    for each in placed:
        if each.mark and each.output.names:
            found += _named_marks(rows, each)
        elif each.mark:
            found += _number_marks(rows, each)
    for text, times in matches.items():
        at = np.searchsorted(rows.times, times)
        inside = at < len(rows.times)
        inside[inside] = rows.times[at[inside]] == times[inside]
        found += [Mark(row, MATCH, 0, text) for row in at[inside].tolist()]
    return sorted(found, key=lambda mark: mark.row)


def _number_marks(rows: _Rows, each: Placing) -> list[Mark]:
    values = rows.drawn(rows.numbers(each.column), each.shift)[: len(rows.times)]
    at = np.flatnonzero(np.isfinite(values) & (values != 0))
    if each.mark == EXTREME:
        side = -1 if each.output.name == "up" else 1
        return [Mark(row, EXTREME, side, each.column) for row in at.tolist()]
    text = each.column.removeprefix("cdl_")
    sides = np.sign(values[at]).astype(int)
    return [
        Mark(row, each.mark, side, text)
        for row, side in zip(at.tolist(), sides.tolist(), strict=True)
    ]


def _named_marks(rows: _Rows, each: Placing) -> list[Mark]:
    side = {"bullish": 1, "bearish": -1}.get(each.output.name, 0)
    texts = rows.bars[each.column].fill_null("").to_list()
    return [
        Mark(row, each.mark, side, text.replace("cdl_", ""))
        for row, text in enumerate(texts)
        if text
    ]


# Time


def _clock(bars: pl.DataFrame, zone: str) -> Ints:
    """Return what the clocks of a zone showed at each open, as seconds since 1970 there."""
    local = bars["timestamp"].dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return local.dt.epoch("us").to_numpy() // SECOND_US


def _periods(times: Times, calendar: Calendar) -> dict[str, Ints]:
    """Return of which session, week and month each bar is, by numbers that ascend."""
    table = calendar.sessions()
    boundaries = anchor_boundaries(table, calendar.timezone)
    session = np.maximum(np.searchsorted(boundaries, times, "right") - 1, 0)
    dates = table.day_date[session]
    week = (dates.astype("datetime64[D]").astype(np.int64) + 3) // 7
    month = dates.astype("datetime64[M]").astype(np.int64)
    return {"session": session, "week": week, "month": month}


def _begins(period: Ints) -> Flags:
    """Say which bars are the first ones of their period."""
    return np.append(True, np.diff(period) != 0)


def _subtitle(timeframe: Timeframe, clock: Ints, is_intraday: bool) -> str:
    pattern = "%Y-%m-%d %H:%M" if is_intraday else "%Y-%m-%d"
    first, last = (datetime.fromtimestamp(int(each), UTC) for each in (clock[0], clock[-1]))
    return f"{timeframe.text}, {first:{pattern}} to {last:{pattern}}, {counted(len(clock), 'bar')}"

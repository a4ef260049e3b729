"""Candles adjusted for corporate actions, backwards: those of today keep their prices.

Prices before an ex-date's session are multiplied by the factors of all later actions. Volume and
open interest count shares: they are divided by the factors of splits and bonuses, and by no
dividend's. A candle's factor is the exact product, of numbers taken as they are written, rounded
once: it depends neither on the order of the table nor on which other candles are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import groupby, pairwise
from math import isnan, nan
from operator import itemgetter
from typing import Any, Literal

import numpy as np
import polars as pl

from tallow.core.arrays import Times
from tallow.core.calendars import Calendar, anchor_boundaries
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.calendars.table import date_list, local_midnights
from tallow.core.errors import ActionError, ParameterError, near_matches
from tallow.data.actions import KINDS, SHARE_KINDS
from tallow.data.coverage.candle_index import calendar_indices
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import OPEN_INTEREST, PRICES, TIME_TYPE, time_view

Adjustment = Literal["split", "total"]

ADJUSTMENTS: dict[str, tuple[str, ...]] = {"split": SHARE_KINDS, "total": KINDS}
"""The kinds of actions that each adjustment takes."""

FACTOR_SCHEMA: dict[str, pl.DataType] = {
    "instrument": pl.String(),
    "until": TIME_TYPE,
    "price_factor": pl.Float64(),
    "volume_factor": pl.Float64(),
}
"""Columns of the factors, in order. An instrument's candles before `until`, and not before an
earlier `until`, are multiplied by these."""

CloseBefore = Callable[[pl.DataFrame], pl.Series]
"""Takes moments, in columns `instrument` and `until`, and returns of each the instrument's last raw
close before it, float64, null where it has no earlier candle; as `closes_before` does. NaN where
it is not known: factors that need it are NaN, too."""


def resolve_factors(
    actions: pl.DataFrame,
    adjustment: Adjustment,
    calendars: CalendarAssignment,
    close_before: CloseBefore,
    *,
    now: int,
) -> pl.DataFrame:
    """Return the factors of actions.

    Parameters
    ----------
    actions
        As `tallow.data.actions.read_records` returns them, in any order.
    adjustment
        ``split`` takes splits and bonuses, ``total`` dividends too.
    close_before
        Is asked once, for the moments of all dividends that are given by their amount; it must know
        the whole history, not only a range of it. A dividend without a candle before it changes
        nothing.
    now
        Microseconds since 1970 UTC: actions whose session opens later are announced, but have
        happened to no price yet, and are left out.

    Returns
    -------
    pl.DataFrame
        Columns of `FACTOR_SCHEMA`, sorted by instrument and `until`, unique in them. `until` is
        where the rows of the first session on or after the ex-date begin; for dates before the
        calendar's years, their midnight at the venue.

    Raises
    ------
    ActionError
        If a dividend is not less than the close before it.
    CoverageError
        If a past ex-date lies after the years that its calendar covers.
    CalendarError, ParameterError
        If an instrument has no calendar, or the adjustment is unknown.
    """
    if adjustment not in ADJUSTMENTS:
        hint = near_matches(str(adjustment), ADJUSTMENTS)
        raise ParameterError(f"adjustment: {adjustment!r}; must be split or total; {hint}")
    due = _due(actions.filter(pl.col("kind").is_in(ADJUSTMENTS[adjustment])), calendars, now)
    cash = due.filter(pl.col("amount").is_not_null())
    if len(cash):
        closes = close_before(cash.select("instrument", pl.col("until").cast(TIME_TYPE)))
        cash = cash.with_columns(close=closes.cast(pl.Float64))
    others = due.filter(pl.col("amount").is_null())
    dated = pl.concat([others, cash], how="diagonal").sort("instrument", "until")
    schema = FACTOR_SCHEMA | {"until": pl.Int64()}
    rows = pl.DataFrame(list(_products(dated)), schema=schema, orient="row")
    return rows.cast({"until": TIME_TYPE}).sort("instrument", "until")


def closes_before(candles: pl.DataFrame, moments: pl.DataFrame) -> pl.Series:
    """Return the last close before each moment, float64; null where there is no earlier candle.

    A `CloseBefore` once it has the `candles`: raw ones, sorted by instrument and timestamp, of the
    whole history. `moments` have the columns `instrument` and `until`, in any order.
    """
    return last_before(candles, moments, candles["close"])


def last_before(candles: pl.DataFrame, moments: pl.DataFrame, values: pl.Series) -> pl.Series:
    """Do as `closes_before` with any values of the candles."""
    held, times = _rows_by_instrument(candles), time_view(candles)
    found: list[Any] = []
    for name, moment in moments.select("instrument", pl.col("until").to_physical()).iter_rows():
        low, high = held.get(name, (0, 0))
        row = low + int(np.searchsorted(times[low:high], moment)) - 1
        found.append(values[row] if row >= low else None)
    return pl.Series(values.name, found, dtype=values.dtype)


def apply_factors(candles: pl.DataFrame, factors: pl.DataFrame) -> pl.DataFrame:
    """Return adjusted candles.

    Parameters
    ----------
    candles
        Raw candles, sorted by instrument and timestamp: any instruments, any range.
    factors
        As `resolve_factors` returns them.

    Returns
    -------
    pl.DataFrame
        The same rows and columns. Each adjusted number is one product, so it is rounded once more;
        all other rows keep their bits. Where no row changes, `candles` itself; else the columns of
        numbers are copied.

    Notes
    -----
    A filler, as `data.kernels.aggregate` finds them, repeats a price of before it, also on the
    ex-date: those from there on with the last close before it are adjusted as that close is, and
    stay fillers. Where rows begin without volume, what lies before them counts; see
    `begins_in_doubt`.
    """
    ranges = list(_row_ranges(candles, factors))
    if not ranges:
        return candles
    by_price = [(first, stop, price) for first, stop, price, _ in ranges]
    by_shares = [(first, stop, volume) for first, stop, _, volume in ranges]
    counts = [name for name in ("volume", OPEN_INTEREST) if name in candles.columns]
    return candles.with_columns(
        *(_scaled(candles[name], by_price) for name in PRICES),
        *(_scaled(candles[name], by_shares) for name in counts),
    )


def begins_in_doubt(candles: pl.DataFrame, factors: pl.DataFrame) -> list[str]:
    """Return the instruments of which rows before these may say how these are adjusted.

    Those whose rows have no volume from the first one on to after an ex-date, or since one.
    """
    times, volume = time_view(candles), candles["volume"].to_numpy()
    held = _rows_by_instrument(candles)
    found = []
    for (name,), own in factors.partition_by("instrument", as_dict=True).items():
        low, high = held.get(name, (0, 0))
        if low == high or volume[low] > 0.0:
            continue
        traded = low + int(np.argmax(volume[low:high] > 0.0))
        last = traded - 1 if traded > low else high - 1
        if int(own["until"].to_physical()[0]) <= times[last]:
            found.append(str(name))
    return found


def apply_later_factors(
    candles: pl.DataFrame, factors: pl.DataFrame, received: pl.Series
) -> pl.DataFrame:
    """Return candles that came adjusted, adjusted for what has happened since they came.

    Candles are of any instruments, in any order; `factors` as `resolve_factors` returns them.
    `received` is when each candle came, in microseconds since 1970 UTC: it is adjusted for the
    actions that had taken effect by then.
    """
    since = np.maximum(time_view(candles), received.to_numpy())
    columns = ("price_factor", "volume_factor")
    found = {name: np.ones(len(candles)) for name in columns}
    for (instrument,), own in factors.partition_by("instrument", as_dict=True).items():
        rows = (candles["instrument"] == instrument).to_numpy()
        index = np.searchsorted(time_view(own, "until"), since[rows], "right")
        for name in columns:
            found[name][rows] = np.append(own[name].to_numpy(), 1.0)[index]
    price, volume = (pl.Series(name, found[name]) for name in columns)
    counts = [name for name in ("volume", OPEN_INTEREST) if name in candles.columns]
    return candles.with_columns(
        *(pl.col(name) * price for name in PRICES), *(pl.col(name) * volume for name in counts)
    )


def effect_times(actions: pl.DataFrame, calendars: CalendarAssignment) -> list[int]:
    """Return when each action takes effect: the midnight at its venue that begins its session.

    Ascending, in microseconds since 1970 UTC. `actions` are as `tallow.data.actions.read_records`
    returns them; those of instruments without a calendar are left out.
    """
    indices = calendars.indices(actions["instrument"].to_list())
    found: list[int] = []
    for index in np.unique(indices[indices >= 0]).tolist():
        found += session_starts(
            calendars.calendars[index], actions.filter(indices == index)["ex_date"]
        ).tolist()
    return sorted(found)


def _due(actions: pl.DataFrame, calendars: CalendarAssignment, now: int) -> pl.DataFrame:
    """Return the actions that have happened, with `until` in microseconds."""
    names = actions["instrument"].unique().sort()
    indices = pl.DataFrame(
        {"instrument": names, "index": calendar_indices(calendars, names.to_list())}
    )
    indexed = actions.join(indices, on="instrument", how="left")
    parts = []
    for (index,), own in indexed.partition_by("index", as_dict=True).items():
        calendar = calendars.calendars[index]
        _require_covered(calendar, own, now)
        parts.append(own.with_columns(pl.Series("until", session_starts(calendar, own["ex_date"]))))
    nothing = indexed.clear().with_columns(until=pl.lit(None, pl.Int64))
    return pl.concat([nothing, *parts]).filter(pl.col("until") <= now)


def _require_covered(calendar: Calendar, actions: pl.DataFrame, now: int) -> None:
    dates = actions["ex_date"].to_numpy().astype("datetime64[D]")
    late = dates > np.datetime64(calendar.assumed_until)
    if late.any() and now >= calendar.sessions().covered_until:
        raise calendar.coverage_error(min(date_list(dates[late])))


def session_starts(calendar: Calendar, ex_dates: pl.Series) -> Times:
    """Return the instants from which rows belong to the first session on or after each ex-date."""
    table, dates = calendar.sessions(), ex_dates.to_numpy().astype("datetime64[D]")
    starts = np.append(anchor_boundaries(table, calendar.timezone), table.covered_until)
    found = starts[np.searchsorted(table.day_date, dates)]
    early = dates < np.datetime64(calendar.first_date)
    found[early] = local_midnights(dates[early], calendar.timezone)
    return found


def _products(actions: pl.DataFrame) -> Iterator[tuple[str, int, float, float]]:
    """Yield the factors of sorted actions: each the product of its own and of all later ones."""
    for name, rows in groupby(actions.iter_rows(named=True), key=itemgetter("instrument")):
        price: Fraction | None = Fraction(1)
        shares = Fraction(1)
        found: dict[int, tuple[float, float]] = {}
        for row in reversed(list(rows)):
            factor = _factor(row)
            price = None if price is None or factor is None else price * factor
            if factor is not None and row["kind"] in SHARE_KINDS:
                shares *= factor
            # Several actions of one moment: the last one to be written has them all.
            found[row["until"]] = nan if price is None else float(price), float(1 / shares)
        yield from ((name, until, *both) for until, both in found.items())


def _factor(action: Mapping[str, Any]) -> Fraction | None:
    """Return what prices are multiplied by for one action; None where it is not known."""
    if action["factor"] is not None:
        return _written(action["factor"])
    if action["amount"] is not None:
        return _dividend_factor(action)
    new, old = _written(action["new"]), _written(action["old"])
    return old / (old + new) if action["kind"] == "bonus" else old / new


def _dividend_factor(action: Mapping[str, Any]) -> Fraction | None:
    amount, close = action["amount"], action.get("close")
    if close is None:
        return Fraction(1)
    if isnan(close):
        return None
    if not amount < close:
        raise ActionError(
            f"actions: instrument={action['instrument']!r}, ex_date={action['ex_date']}, "
            f"amount={amount}; a dividend must be less than the last close before it, {close}; "
            "check the amount, the date, and whether the candles are raw"
        )
    return 1 - _written(amount) / _written(close)


def _written(number: float) -> Fraction:
    """Return a number as it is written: 0.1 is a tenth, not the nearest fraction of two."""
    return Fraction(repr(number))


def _rows_by_instrument(candles: pl.DataFrame) -> dict[str, tuple[int, int]]:
    names, offsets = instrument_runs(candles)
    return dict(zip(names, pairwise(offsets.tolist()), strict=True))


def _row_ranges(
    candles: pl.DataFrame, factors: pl.DataFrame
) -> Iterator[tuple[int, int, float, float]]:
    """Yield runs of rows that change: first row, row after the last, and their two factors."""
    times, held = time_view(candles), _rows_by_instrument(candles)
    for (name,), own in factors.partition_by("instrument", as_dict=True).items():
        low, high = held.get(name, (0, 0))
        untils = time_view(own, "until")
        edges = [
            _after_fillers(candles, low, edge, high)
            for edge in (low + np.searchsorted(times[low:high], untils)).tolist()
        ]
        columns = own["price_factor"].to_list(), own["volume_factor"].to_list()
        for (first, stop), price, volume in zip(pairwise([low, *edges]), *columns, strict=True):
            if first < stop:
                yield first, stop, price, volume


def _after_fillers(candles: pl.DataFrame, low: int, edge: int, high: int) -> int:
    """Return the first row from an edge on that does not fill with the close before the edge."""
    row = edge
    while low < row < high and _fills(candles, row):
        row += 1
    return row if row > edge and _has_fillers(candles[low:edge]) else edge


def _has_fillers(candles: pl.DataFrame) -> bool:
    """Say whether rows after these may be fillers: prices without volume have not moved so far."""
    if (candles["volume"] > 0.0).any():
        return True
    first = candles["close"][0]
    return all(bool((candles[name] == first).all()) for name in PRICES)


def _fills(candles: pl.DataFrame, row: int) -> bool:
    before = candles["close"][row - 1]
    return candles["volume"][row] == 0.0 and all(candles[name][row] == before for name in PRICES)


def _scaled(column: pl.Series, ranges: Iterable[tuple[int, int, float]]) -> pl.Series:
    """Return a copy of a column with some runs of rows multiplied; nulls stay."""
    values = column.to_numpy(writable=True)
    for first, stop, factor in ranges:
        values[first:stop] *= factor
    scaled = pl.Series(column.name, values)
    if not column.null_count():
        return scaled
    return pl.select(pl.when(column.is_not_null()).then(scaled)).to_series()

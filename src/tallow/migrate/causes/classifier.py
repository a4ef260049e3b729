"""Which causes explain each row in which two engines differ."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tallow.core.spec import Spec, parse_specs
from tallow.migrate.causes.bars import (
    COLUMNS,
    NO_BARS,
    Flags,
    Rebuilt,
    by_instrument,
)
from tallow.migrate.causes.comparison import Comparison, Instrument
from tallow.migrate.causes.defects import BarCauses
from tallow.migrate.causes.identity import Series
from tallow.migrate.causes.pairwise import pairwise
from tallow.migrate.causes.told import read_told
from tallow.migrate.pairs import Cause, SeriesPair
from tallow.migrate.protocol import Request

EQUAL_RELATIVE = 1e-12
"""Relative difference that is none: another order of the same sums."""


class Classifier:
    """Finds the causes of differences by what reproduces the values, not by who computed them.

    Each side's series is identified: of many ways to compute it - from which bars, in which
    direction, of which price, by which formula, begun where and how, in which unit, with which
    label - the simplest is sought that reproduces that side's values to the last bits, or to the
    decimals they were rounded to. The causes of a row are those in which the two ways differ and
    that change that row. What neither way reproduces is `Cause.UNEXPLAINED`.

    Parameters
    ----------
    request
        What both engines were asked; its candles may be none, and then less can be explained.
    control, candidate
        The two answers whole: the bars that they tell are evidence, too.

    Raises
    ------
    TallowError
        If the request's candles cannot be made into bars: an unknown calendar or timeframe.

    Notes
    -----
    Two causes with the same effect on the same rows cannot be told apart; then the one with fewer
    departures from the textbook is named, and of a mean over few rows that is read in reverse, the
    look-ahead and not the shifted label.
    """

    def __init__(self, request: Request, control: pl.DataFrame, candidate: pl.DataFrame) -> None:
        self._rebuilt = Rebuilt(request)
        self._answers = (by_instrument(control), by_instrument(candidate))
        self._series = _known_series(request.indicators)
        self._instrument: tuple[str, Instrument] | None = None

    def causes(self, pair: SeriesPair) -> NDArray[np.int64]:
        """Return each row's `Cause` flags, int64 (rows,).

        0 where both sides have the same value, or none, or differ by no more than 1e-12 of it (or,
        computed the same way, by no more than that brings with it).
        """
        flags = np.zeros(len(pair.timestamp), dtype=np.int64)
        differs = _differing(pair)
        if not differs.any():
            return flags
        told = self._told(pair.instrument)
        if pair.series in COLUMNS:
            found = _bar_column(pair, told)
        elif pair.series in self._series and told.control.choices and told.candidate.choices:
            series = Series(*self._series[pair.series])
            found = Comparison(pair, told, series).causes()
        else:
            found = np.full(len(flags), int(Cause.UNEXPLAINED))
        lost = differs & ((found & Cause.UNEXPLAINED) != 0)
        if lost.any():
            bars = _bars_at(pair, told)
            known = pair.series in self._series or pair.series in COLUMNS
            found = np.where(lost, pairwise(pair, lost, None if known else bars), found)
        missing = differs & (pair.in_control != pair.in_candidate)
        if missing.any():
            found[missing] = _missing(pair, told)[missing]
        flags[differs] = found[differs]
        return flags

    def _told(self, instrument: str) -> Instrument:
        """Return what is known of an instrument; the last one is remembered."""
        if self._instrument is None or self._instrument[0] != instrument:
            self._instrument = (instrument, self._read(instrument))
        return self._instrument[1]

    def _read(self, instrument: str) -> Instrument:
        sides = [
            read_told(instrument, answers.get(instrument, NO_BARS), self._rebuilt)
            for answers in self._answers
        ]
        dropped, kept = self._rebuilt.dropped(instrument), self._rebuilt.kept(instrument)
        causes = BarCauses(dropped, kept, self._rebuilt.minutes.get(instrument))
        prices = [b.columns["close"] for s in sides for b in s.choices]
        price = max((float(np.nanmax(np.abs(p), initial=0.0)) for p in prices), default=0.0)
        return Instrument(sides[0], sides[1], causes, price)


def _bar_column(pair: SeriesPair, told: Instrument) -> NDArray[np.int64]:
    """Return why a bar's own column differs."""
    times, here = pair.timestamp, pair.in_control & pair.in_candidate
    control, candidate = told.control, told.candidate
    if control.lag == candidate.lag:
        found = told.bars.between(control.own, candidate.own, times - control.lag)
        return np.where(found == 0, int(Cause.UNEXPLAINED), found)
    found = np.full(len(times), int(Cause.SHIFTED_LABEL))
    for side in (control, candidate):
        found[here] |= told.bars.departures(side.own, times[here] - side.lag)
    return found


def _bars_at(pair: SeriesPair, told: Instrument) -> NDArray[np.int64]:
    """Return why the bars differ at each row; 0 where they do not."""
    times = pair.timestamp - told.control.lag
    return told.bars.between(told.control.own, told.candidate.own, times)


def _missing(pair: SeriesPair, told: Instrument) -> NDArray[np.int64]:
    """Return why a row is there on one side only; for rows of which that is so."""
    lag = np.where(pair.in_control, told.control.lag, told.candidate.lag)
    times = pair.timestamp - lag
    if told.control.lag != told.candidate.lag:
        real = told.bars.kept.places(times) >= 0
        return np.where(real, int(Cause.SHIFTED_LABEL), int(Cause.UNEXPLAINED))
    found = told.bars.between(told.control.own, told.candidate.own, times)
    return np.where(found == 0, int(Cause.UNEXPLAINED), found)


def _differing(pair: SeriesPair) -> Flags:
    """Return the rows that are not the same value, or missing, on both sides."""
    one, other = pair.control, pair.candidate
    close = np.abs(one - other) <= EQUAL_RELATIVE * np.maximum(np.abs(one), np.abs(other))
    same: Flags = (one == other) | close | (np.isnan(one) & np.isnan(other))
    return np.asarray(~same | (pair.in_control != pair.in_candidate))


def _known_series(indicators: str) -> dict[str, tuple[Spec, str]]:
    """Return the indicator and its output behind each column that a request can have."""
    known: dict[str, tuple[Spec, str]] = {}
    for spec in parse_specs(indicators):
        outputs = tuple(output.name for output in spec.indicator.outputs)
        columns = spec.indicator.column_names(dict(spec.values), "tradingview")
        whole = Spec(spec.indicator, spec.values, outputs, columns)
        known |= {c: (whole, o) for c, o in zip(columns, outputs, strict=True)}
    return known

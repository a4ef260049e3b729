"""Which causes explain each row in which two engines differ."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl

from tallow.core.arrays import Flags
from tallow.core.spec import Spec, make_spec, parse_specs
from tallow.data.reading.schema import NUMBERS
from tallow.migrate.causes.bar_causes import BarCauses
from tallow.migrate.causes.bars import NO_BARS, RequestBars, read_reported, split_by_instrument
from tallow.migrate.causes.explanation import InstrumentBars, SeriesComparison
from tallow.migrate.causes.pairwise import explain_pairwise
from tallow.migrate.causes.ways import SeriesModels
from tallow.migrate.pairs import Cause, CauseFlags, SeriesPair
from tallow.migrate.protocol import Request

EQUAL_RELATIVE = 1e-12
"""Largest relative difference of equal values: another order of the same sums."""


class Classifier:
    """Finds the causes of differences by what reproduces the values, not by who computed them.

    Each side's series is explained: many ways to compute it are tried - from which bars, in which
    direction, from which price, by which formula, begun where and how, in which unit, with which
    label - and the simplest one is taken that reproduces that side's values to the last bits, or to
    the decimals they were rounded to. The causes of a row are the differences of the two ways that
    change that row. What neither way reproduces is `Cause.UNEXPLAINED`.

    Parameters
    ----------
    request
        What both engines were asked; without candles less can be explained.
    control, candidate
        The two whole answers: their bars are evidence, too.

    Notes
    -----
    Two causes with the same effect on the same rows cannot be distinguished. The one with fewer
    departures from the textbook is named then; where a mean over few rows is read in reverse, the
    look-ahead rather than the shifted label.
    """

    def __init__(self, request: Request, control: pl.DataFrame, candidate: pl.DataFrame) -> None:
        self._request, self._control, self._candidate = request, control, candidate
        self._latest: tuple[str, InstrumentBars] | None = None

    def causes(self, pair: SeriesPair) -> CauseFlags:
        """Return each row's `Cause` flags, int64 (rows,).

        0 where both sides have the same value, or none, or differ by at most 1e-12 of it (or, if
        computed in the same way, by at most the error of that computation). `TallowError` if the
        request's candles cannot be made into bars: an unknown calendar or timeframe.
        """
        flags = np.zeros(len(pair.timestamp), dtype=np.int64)
        differs = _find_differences(pair)
        if not differs.any():
            return flags
        reported = self._reported(pair.instrument)
        has_histories = reported.control.histories and reported.candidate.histories
        if pair.series in NUMBERS:
            found = _explain_bar_column(pair, reported)
        elif pair.series in self._series and has_histories:
            series = SeriesModels(*self._series[pair.series])
            found = SeriesComparison(pair, reported, series).causes()
        else:
            found = np.full(len(flags), int(Cause.UNEXPLAINED))
        unexplained = differs & ((found & Cause.UNEXPLAINED) != 0)
        if unexplained.any():
            is_known = pair.series in self._series or pair.series in NUMBERS
            bars = None if is_known else _explain_bars(pair, reported)
            found = np.where(unexplained, explain_pairwise(pair, unexplained, bars), found)
        missing = differs & (pair.in_control != pair.in_candidate)
        if missing.any():
            found[missing] = _explain_missing(pair, reported)[missing]
        flags[differs] = found[differs]
        return flags

    # Made when the first row differs: equal answers cost nothing.

    @cached_property
    def _request_bars(self) -> RequestBars:
        return RequestBars(self._request)

    @cached_property
    def _answers(self) -> tuple[dict[str, pl.DataFrame], ...]:
        return split_by_instrument(self._control), split_by_instrument(self._candidate)

    @cached_property
    def _series(self) -> dict[str, tuple[Spec, str]]:
        return _series_of(self._request.indicators)

    def _reported(self, instrument: str) -> InstrumentBars:
        """Return what both sides reported of an instrument; the latest one is cached."""
        if self._latest is None or self._latest[0] != instrument:
            self._latest = (instrument, self._read(instrument))
        return self._latest[1]

    def _read(self, instrument: str) -> InstrumentBars:
        bars = self._request_bars
        dropped, kept = bars.of(instrument)
        sides = [
            read_reported(instrument, answers.get(instrument, NO_BARS), bars, dropped, kept)
            for answers in self._answers
        ]
        causes = BarCauses(dropped, kept, bars.minutes.get(instrument))
        prices = [each.columns["close"] for side in sides for each in side.histories]
        price = max((float(np.nanmax(np.abs(p), initial=0.0)) for p in prices), default=0.0)
        return InstrumentBars(sides[0], sides[1], causes, price)


def _explain_bar_column(pair: SeriesPair, reported: InstrumentBars) -> CauseFlags:
    """Return why a column of the bars themselves differs."""
    times, on_both = pair.timestamp, pair.in_control & pair.in_candidate
    control, candidate = reported.control, reported.candidate
    if control.lag == candidate.lag:
        found = _explain_bars(pair, reported)
        return np.where(found == 0, int(Cause.UNEXPLAINED), found)
    found = np.full(len(times), int(Cause.SHIFTED_LABEL))
    for side in (control, candidate):
        found[on_both] |= reported.bars.departures(side.bars, times[on_both] - side.lag)
    return found


def _explain_bars(pair: SeriesPair, reported: InstrumentBars) -> CauseFlags:
    """Return why the bars differ at each row; 0 where they do not."""
    times = pair.timestamp - reported.control.lag
    return reported.bars.between(reported.control.bars, reported.candidate.bars, times)


def _explain_missing(pair: SeriesPair, reported: InstrumentBars) -> CauseFlags:
    """Return why a row is missing on one side; for the rows that are."""
    if reported.control.lag != reported.candidate.lag:
        lag = np.where(pair.in_control, reported.control.lag, reported.candidate.lag)
        exists = reported.bars.kept.find_rows(pair.timestamp - lag) >= 0
        return np.where(exists, int(Cause.SHIFTED_LABEL), int(Cause.UNEXPLAINED))
    found = _explain_bars(pair, reported)
    return np.where(found == 0, int(Cause.UNEXPLAINED), found)


def _find_differences(pair: SeriesPair) -> Flags:
    """Return the rows that do not have the same value, or none, on both sides."""
    one, other = pair.control, pair.candidate
    close = np.abs(one - other) <= EQUAL_RELATIVE * np.maximum(np.abs(one), np.abs(other))
    same: Flags = (one == other) | close | (np.isnan(one) & np.isnan(other))
    return np.asarray(~same | (pair.in_control != pair.in_candidate))


def _series_of(indicators: str) -> dict[str, tuple[Spec, str]]:
    """Return the indicator and its output behind each column that a request can have."""
    known: dict[str, tuple[Spec, str]] = {}
    for spec in parse_specs(indicators):
        outputs = tuple(output.name for output in spec.indicator.outputs)
        values = dict(spec.values)
        whole = make_spec(spec.indicator, values, "tradingview", outputs, spec.source)
        known |= {c: (whole, o) for c, o in zip(whole.columns, outputs, strict=True)}
    return known

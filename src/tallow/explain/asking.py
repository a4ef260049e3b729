"""How a value is explained: the bar is found, and each part of the answer asked where it is known.

The value itself comes the way it always comes, from the cache where it is there. What stands beside
it is computed of the same bars by the textbook version, which shares nothing with the kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from tallow.core.calendars import Calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError, RangeError, excerpt
from tallow.core.moments import Moment
from tallow.core.operator import CROSS, PEER
from tallow.core.spec import Spec
from tallow.core.text import counted
from tallow.core.time import from_us, to_us
from tallow.core.timeframe import Timeframe, require_multiple
from tallow.explain.bar_times import BarTimes, bar_at
from tallow.explain.columns import AskedColumn
from tallow.explain.explanation import (
    Beside,
    ExplainedBar,
    ExplainedCandle,
    ExplainedValue,
    Explanation,
    IndicatorFacts,
    Population,
    WarmUp,
)
from tallow.explain.reasons import why_null
from tallow.explain.recomputing import History, beside, beside_compared
from tallow.explain.session_facts import session_facts
from tallow.explain.sources import BarAnswer, ExplainSource
from tallow.plan.plan import make_plan


class ExplainingEngine(Protocol):
    """What an engine has that explains."""

    calendars: CalendarAssignment
    convention: str


def explain_value(
    engine: ExplainingEngine,
    source: ExplainSource,
    instrument: str,
    asked: AskedColumn,
    at: Moment,
    size: Timeframe,
) -> Explanation:
    """Return where a value comes from; errors are those of `tallow.AnalyticsEngine.explain`."""
    require_multiple(size, source.size)
    if not isinstance(instrument, str):
        raise ParameterError(f"explain: instrument={excerpt(instrument)}; must be one name")
    name = source.find(instrument)
    calendar = _calendar_of(engine.calendars, name)
    times = bar_at(at, calendar, size, source.size)
    asking = _Asking(engine, source, name, asked, size, times)
    return asking.answer(calendar)


def _calendar_of(calendars: CalendarAssignment, name: str) -> Calendar:
    index = int(calendars.indices([name])[0])
    if index < 0:
        raise RangeError(
            f"explain: instrument={excerpt(name)}; the mapping calendar= does not name it; add "
            'it, or "*" for all others'
        )
    return calendars.calendars[index]


@dataclass(frozen=True)
class _Asking:
    """One question: what is asked where, and put together."""

    engine: ExplainingEngine
    source: ExplainSource
    name: str
    asked: AskedColumn
    size: Timeframe
    times: BarTimes

    def answer(self, calendar: Calendar) -> Explanation:
        found = self.source.bar(self.name, self.size, self.times, self.asked.asked)
        bar = self._bar(found.frame)
        rows = self.source.candles(self.name, self.times)
        column = self.asked.name
        value = found.frame[column][0] if bar is not None else None
        computed = None
        if bar is not None and self.asked.spec is not None:
            computed = self._computed(self.asked.spec, value, found)
        why = self._why_absent(found) if bar is None else computed.why_null if computed else ""
        return Explanation(
            instrument=self.name,
            column=column,
            timeframe=self.size.text,
            at=from_us(self.times.opens),
            value=value,
            why_null=why,
            bar=bar,
            candles=self._candles(rows),
            computed=computed,
            session=session_facts(calendar, self.times, self.size),
            origin=found.origin,
            adjustment=self.source.adjustment,
            joins=self.source.joins(self.name),
            notes=self._notes(found, bar, len(rows)),
        )

    def _bar(self, frame: pl.DataFrame) -> ExplainedBar | None:
        if not len(frame):
            return None
        row = frame.row(0, named=True)
        named = ("open", "high", "low", "close", "volume", "candles", "is_final")
        moments = from_us(self.times.opens), from_us(self.times.ends)
        return ExplainedBar(*moments, *(row[each] for each in named))

    def _why_absent(self, found: BarAnswer) -> str:
        """Say why there is no bar."""
        failure = found.report.failures.get(self.name)
        if failure is not None:
            return f"no bar: its computation failed: {failure}"
        return found.report.why_empty or "no bars: there is no candle in its bucket"

    def _notes(self, found: BarAnswer, bar: ExplainedBar | None, rows: int) -> tuple[str, ...]:
        said = [*self.source.notes, *filter(None, [found.report.assumed, found.report.hint])]
        if bar is not None and rows > bar.candles:
            said.append(
                f"{counted(rows - bar.candles, 'candle')} of the bucket counted for nothing: "
                "without volume, repeating the last price; see no_trade="
            )
        return (*said, *self.source.quarantined(self.name, self.times))

    # Candles

    def _candles(self, rows: pl.DataFrame) -> tuple[ExplainedCandle, ...]:
        """Return the candles as they came, each with its factors and the entry it came with."""
        received = rows["received_at"].drop_nulls().unique().to_list()
        entries = self.source.entries([to_us(each) for each in received]) if received else {}
        factors = self.source.factors(self.name)
        return tuple(_candle(row, entries, factors) for row in rows.iter_rows(named=True))

    # The indicator

    def _computed(self, spec: Spec, value: Any, found: BarAnswer) -> ExplainedValue:
        frame = self.source.history(self.name, self.size, self.times)
        history = History(self.name, frame, self.size, self.engine.calendars)
        return self._value(spec, value, history, found.report.failures.get(self.name))

    def _value(
        self, spec: Spec, value: Any, history: History, failure: str | None, depth: int = 0
    ) -> ExplainedValue:
        """Return what an indicator computed; and of what, one step deep."""
        inner = None
        if isinstance(spec.source, Spec) and depth == 0:
            made = self.source.bar(self.name, self.size, self.times, (spec.source,))
            own = made.frame[spec.source.columns[0]][0] if len(made.frame) else None
            failed = made.report.failures.get(self.name)
            inner = self._value(spec.source, own, history, failed, depth + 1)
        warm_up = self._warm_up(spec, history)
        population, second = None, Beside()
        if spec.indicator.memory == CROSS:
            population, second = self._compared(spec)
        else:
            second = beside(spec, history)
        why = "" if value is not None else why_null(spec, warm_up, history, inner, failure)
        facts = _facts(spec, self.engine.convention)
        return ExplainedValue(value, why, facts, warm_up, second, population, inner)

    def _warm_up(self, spec: Spec, history: History) -> WarmUp:
        rows = make_plan([spec], self.engine.convention).warmup[spec.columns[0]]
        opens = history.frame["timestamp"]
        begin = rows + history.bars_of_first_period(spec.indicator.period_before, spec.values)
        begins = opens[begin] if begin < len(opens) else None
        return WarmUp(rows, len(opens) - 1, begins, opens[0] if len(opens) else None)

    def _compared(self, spec: Spec) -> tuple[Population, Beside]:
        """Return among how many an instrument is compared, and its value by the textbook."""
        inner = spec.source if isinstance(spec.source, Spec) else None
        own = spec.indicator.source_input(dict(spec.values))
        column = inner.columns[0] if inner else str(spec.source or own)
        frame = self.source.population(self.size, self.times, () if inner is None else (inner,))
        there = frame.filter(pl.col(column).is_not_null())
        names = there["instrument"].to_list()
        asked = dict(spec.values)["instrument"] if PEER in spec.indicator.inputs else self.name
        which = names.index(asked) if asked in names else None
        values = there[column].cast(pl.Float64).to_list()
        return Population(len(there), len(frame)), beside_compared(spec, values, which)


def _candle(
    row: Mapping[str, Any], entries: Mapping[int, int], factors: pl.DataFrame
) -> ExplainedCandle:
    received = row["received_at"]
    moment = None if received is None else to_us(received)
    price, volume = _factors_at(row, factors)
    return ExplainedCandle(
        opens=row["timestamp"],
        **{name: row[name] for name in ("open", "high", "low", "close", "volume")},
        key=row["key"],
        adjustment=row["adjustment"],
        revision=row["revision"],
        received_at=received,
        source=row["source"],
        entry=None if moment is None else entries.get(moment),
        price_factor=price,
        volume_factor=volume,
    )


def _factors_at(row: Mapping[str, Any], factors: pl.DataFrame) -> tuple[float | None, float | None]:
    """Return what a candle is multiplied by; one that came adjusted, for what happened since."""
    since = row["timestamp"]
    if row["adjustment"] != "raw" and row["received_at"] is not None:
        since = max(since, row["received_at"])
    later = factors.filter(pl.col("until") > since).sort("until")
    if not len(later):
        return 1.0, 1.0
    price, volume = (later[name].fill_nan(None)[0] for name in ("price_factor", "volume_factor"))
    return price, volume


def _facts(spec: Spec, convention: str) -> IndicatorFacts:
    """Return what a declaration says, with the parameters of a spec."""
    indicator, values = spec.indicator, dict(spec.values)
    (output,) = (each for each in indicator.outputs if each.name == spec.outputs[0])
    return IndicatorFacts(
        spec=spec.output_text,
        name=indicator.name,
        title=indicator.title,
        output=output.name,
        unit=output.unit,
        parameters=values,
        inputs=_inputs_of(spec),
        memory=indicator.memory,
        formula=indicator.formula,
        reference=indicator.reference,
        seed=indicator.seed,
        flat=indicator.flat,
        version=indicator.version,
        convention=convention,
    )


def _inputs_of(spec: Spec) -> tuple[str, ...]:
    values = dict(spec.values)
    own = spec.indicator.source_input(values)
    given: str | None = None
    if spec.source is not None:
        given = spec.source if isinstance(spec.source, str) else spec.source.output_text
    names: Sequence[str] = spec.indicator.input_names(values)
    return tuple(given if given is not None and each == own else each for each in names)

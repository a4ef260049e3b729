"""Why a value is null, in one sentence that is found from what it was computed of."""

from __future__ import annotations

from tallow.core.operator import MINUTE, OF_CALENDAR, SINCE
from tallow.core.spec import Spec
from tallow.core.text import counted
from tallow.explain.explanation import ExplainedValue, WarmUp
from tallow.explain.recomputing import History


def why_null(
    spec: Spec,
    warm_up: WarmUp,
    history: History,
    source: ExplainedValue | None,
    failure: str | None,
) -> str:
    """Return why an output has no value in the last bar of a history."""
    if failure is not None:
        return f"its computation failed: {failure}"
    if source is not None and source.value is None:
        return f"its source {source.indicator.spec} has no value here: {source.why_null}"
    if warm_up.before < warm_up.rows:
        needed, there = counted(warm_up.rows, "bar"), f"{warm_up.before:,}"
        return f"warm-up: before the first value must come {needed}; before this bar come {there}"
    said = _of_calendar(spec, warm_up, history)
    if said:
        return said
    if source is not None:
        return (
            "warm-up: bars in which its source has no value are skipped, and too few are left; or "
            f"its formula has none for these; where nothing moves: {spec.indicator.flat}"
        )
    return (
        "the formula has no value for these bars, as where it would divide by zero; where nothing "
        f"moves: {spec.indicator.flat}"
    )


def _of_calendar(spec: Spec, warm_up: WarmUp, history: History) -> str:
    """Say what the calendar has to do with it; nothing where it has not."""
    values, indicator = dict(spec.values), spec.indicator
    inputs = indicator.input_names(values)
    for name in (each for each in OF_CALENDAR if each in inputs):
        last = history.columns[name][-1]
        if last != last:
            return f"the calendar does not say {name} of this bar: its years are not covered"
    if SINCE in inputs and history.since(str(values["moment"]))[-1] != 1.0:
        return f"the bar opens before moment={values['moment']}, from which on it is computed"
    if indicator.waits is not None:
        early, waits = history.columns[MINUTE][-1], float(values[indicator.waits])
        if early < waits:
            return (
                f"{indicator.waits}={waits:g}: the bar opens {early:g} minutes after its "
                "session's start, and the value is known after these minutes"
            )
    if indicator.period_before is not None:
        first = history.bars_of_first_period(indicator.period_before, spec.values)
        if warm_up.before < first + warm_up.rows:
            return "it is computed of the period before, and there is none in the history yet"
    return ""

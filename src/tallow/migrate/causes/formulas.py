"""The textbook formula of a series, and others that engines are known to use instead."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import numpy as np

from tallow.core.arrays import Flags, Floats
from tallow.core.limits import PLANS
from tallow.core.operator import CONVENTIONS, Convention
from tallow.core.spec import Spec, make_spec, parse_specs
from tallow.data.reading.schema import NUMBERS
from tallow.migrate.causes.bars import Bars
from tallow.migrate.causes.seeds import (
    AnchoredMean,
    Average,
    Averages,
    GrowingMean,
    Restarts,
    Seeds,
)
from tallow.migrate.pairs import Cause
from tallow.plan.plan import make_plan
from tallow.runtime.operations import Machine


@dataclass(frozen=True)
class FormulaModel:
    """What a formula makes of bars."""

    plain: Floats
    """Shape (rows,), float64: from the first bar in the usual way; NaN where there is no value."""
    make_seeds: Callable[[], Seeds] | None = None
    """Makes `seeds`, the same with other starts; None where the start has no effect."""
    undefined: Flags | None = None
    """Bool (rows,): rows whose value is a convention, because nothing has moved yet."""

    @cached_property
    def seeds(self) -> Seeds | None:
        """The same with other starts, made when a start is looked for."""
        return None if self.make_seeds is None else self.make_seeds()


@dataclass(frozen=True)
class Formula:
    """One way to compute a series; `causes` say how it departs from the textbook's."""

    causes: Cause
    compute: Callable[[Bars], FormulaModel]


@lru_cache(maxsize=PLANS)
def list_formulas(spec: Spec, output: str) -> tuple[Formula, ...]:
    """Return the ways to compute one output of an indicator, the textbook's first."""
    textbook = Formula(Cause(0), partial(_compute_textbook, spec, output))
    find = _OTHERS.get(spec.indicator.name) if spec.source is None else None
    others = () if find is None else find(spec, output)
    return (textbook, *others, *_list_conventions(spec, output))


def warmup_rows(spec: Spec) -> int:
    """Return the number of leading rows without a value, of the output that has most."""
    return max(_machine_of(spec).plan.warmup.values())


def is_window(spec: Spec) -> bool:
    """Return whether values depend on as many rows as their warm-up, and on no earlier ones."""
    return _machine_of(spec).plan.history_rows is not None


def takes_one_price(spec: Spec) -> bool:
    """Return whether the indicator uses one price of each bar, which another may replace."""
    inputs = input_names(spec)
    return "close" in inputs and not {"high", "low"} & set(inputs)


def input_names(spec: Spec) -> tuple[str, ...]:
    """Return the columns of bars, and the periods, that the indicator and its sources use."""
    operations = _machine_of(spec).plan.operations
    used = [name for each in operations for name in each.inputs if name != each.source]
    return tuple(dict.fromkeys(used))


def run_indicator(spec: Spec, output: str, bars: Bars) -> Floats:
    """Return an indicator's output over bars in their order, by its own kernel."""
    machine = _machine_of(spec)
    inputs = {name: bars.columns[name] for name in NUMBERS} | bars.periods
    out = np.empty((len(machine.plan.columns), len(bars)))
    machine.fill(machine.new_states(1), np.array([0, len(bars)]), inputs, out)
    values: Floats = out[machine.plan.columns.index(spec.columns[spec.outputs.index(output)])]
    return values


@lru_cache(maxsize=PLANS)
def _machine_of(spec: Spec) -> Machine:
    return Machine(make_plan([spec]))


def _compute_textbook(spec: Spec, output: str, bars: Bars) -> FormulaModel:
    find = _SEEDS.get(spec.indicator.name, _restart_seeds)
    seeds = partial(find if spec.source is None else _restart_seeds, spec, output, bars)
    plain = run_indicator(spec, output, bars)
    if spec.indicator.name == "rsi" and spec.source is None:
        gain, loss = _gains_and_losses(bars, spec)
        rows = np.arange(len(bars))
        first = np.zeros(1, dtype=np.int64)
        moved = gain.values("mean", first, rows)[0] + loss.values("mean", first, rows)[0]
        return FormulaModel(plain, seeds, moved == 0.0)
    return FormulaModel(plain, seeds)


def _number(spec: Spec, name: str) -> float:
    return float(dict(spec.values)[name])


def _length(spec: Spec) -> int:
    return int(_number(spec, "length"))


# Other starts, by the indicator's name.


def _restart_seeds(spec: Spec, output: str, bars: Bars) -> Seeds:
    def compute(start: int) -> Floats:
        return run_indicator(spec, output, bars.select(slice(start, None)))

    return Restarts(compute, len(bars))


def _average_seeds(spec: Spec, output: str, bars: Bars) -> Seeds:
    n = _length(spec)
    weight = 2.0 / (n + 1) if spec.indicator.name == "ema" else 1.0 / n
    return Average(bars.columns["close"], n, 1.0 - weight)


def _sma_seeds(spec: Spec, output: str, bars: Bars) -> Seeds:
    return GrowingMean(bars.columns["volume" if "volume" in output else "close"], _length(spec))


def _atr_seeds(spec: Spec, output: str, bars: Bars) -> Seeds:
    n, spread = _length(spec), bars.columns["high"] - bars.columns["low"]
    return Average(_true_range(bars), n, 1.0 - 1.0 / n, first=spread)


def _rsi_seeds(spec: Spec, output: str, bars: Bars) -> Seeds:
    return Averages(_gains_and_losses(bars, spec), _strength_index)


def _vwap_seeds(spec: Spec, output: str, bars: Bars) -> Seeds:
    values, columns = dict(spec.values), bars.columns
    close = values["source"] == "close"
    price = columns["close"] if close else bars.typical.columns["close"]
    return AnchoredMean(price, columns["volume"], bars.periods[str(values["anchor"])])


_SEEDS: dict[str, Callable[[Spec, str, Bars], Seeds]] = {
    "ema": _average_seeds,
    "rma": _average_seeds,
    "sma": _sma_seeds,
    "volume_sma": _sma_seeds,
    "atr": _atr_seeds,
    "rsi": _rsi_seeds,
    "vwap": _vwap_seeds,
}


def _true_range(bars: Bars) -> Floats:
    high, low, close = (bars.columns[name] for name in ("high", "low", "close"))
    before = np.concatenate([close[:1], close[:-1]])
    spread: Floats = np.maximum(high, before) - np.minimum(low, before)
    spread[:1] = (high - low)[:1]
    return spread


def _gains_and_losses(bars: Bars, spec: Spec) -> tuple[Average, Average]:
    n, change = _length(spec), np.diff(bars.columns["close"], prepend=bars.columns["close"][:1])
    nothing, decay = np.zeros(len(bars)), 1.0 - 1.0 / n
    gain, loss = np.maximum(change, 0.0), np.maximum(-change, 0.0)
    return Average(gain, n, decay, nothing), Average(loss, n, decay, nothing)


def _strength_index(gain: Floats, loss: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(100.0 * (gain / (gain + loss)))


def _strength(gain: Floats, loss: Floats) -> Floats:
    """Return the relative strength; NaN while no loss has occurred."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(loss > 0.0, gain / loss, np.nan)


# Other formulas, by the indicator's name.


def _other_strengths(spec: Spec, output: str) -> tuple[Formula, ...]:
    def compute(bars: Bars) -> FormulaModel:
        seeds = Averages(_gains_and_losses(bars, spec), _strength)
        start, rows = np.zeros(1, dtype=np.int64), np.arange(len(bars))
        return FormulaModel(seeds.values("later mean", start, rows)[0], lambda: seeds)

    return (Formula(Cause.RS_INSTEAD_OF_RSI, compute),)


def _other_ranges(spec: Spec, output: str) -> tuple[Formula, ...]:
    averages = parse_specs(f"rma({_length(spec)}), sma({_length(spec)})")

    def raw(bars: Bars) -> FormulaModel:
        return FormulaModel(bars.columns["high"] - bars.columns["low"])

    def averaged(average: Spec, bars: Bars) -> FormulaModel:
        spread = bars.columns["high"] - bars.columns["low"]
        spreads = Bars(bars.time, bars.columns | {"close": spread}, bars.periods)
        return _compute_textbook(average, average.indicator.name, spreads)

    computes: list[Callable[[Bars], FormulaModel]] = [raw]
    computes += [partial(averaged, average) for average in averages]
    return tuple(Formula(Cause.HIGH_LOW_INSTEAD_OF_ATR, compute) for compute in computes)


def _other_bands(spec: Spec, output: str) -> tuple[Formula, ...]:
    """Return the bands with the sample deviation, and widths in the other unit."""
    n = _length(spec)
    sample = math.sqrt(n / (n - 1))

    def compute(factor: float, other_unit: bool, bars: Bars) -> FormulaModel:
        middle = run_indicator(whole, "middle", bars)
        width = run_indicator(whole, "width", bars) * factor
        share = 100.0 * width / middle
        if output == "percent_b":
            below = bars.columns["close"] - (middle - width / 2.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                return FormulaModel(np.where(width > 0.0, below / width, np.nan))
        by_output = {
            "upper": middle + width / 2.0,
            "middle": middle,
            "lower": middle - width / 2.0,
            "width": share if other_unit else width,
            "width_percent": width if other_unit else share,
        }
        return FormulaModel(by_output[output])

    (whole,) = parse_specs(f"bollinger({n}, {_number(spec, 'multiplier')})")
    deviations = Cause.SAMPLE_AGAINST_POPULATION
    found = [] if output == "middle" else [Formula(deviations, partial(compute, sample, False))]
    if output in ("width", "width_percent"):
        unit = Cause.RATIO_AGAINST_PERCENT
        found.append(Formula(unit, partial(compute, 1.0, True)))
        found.append(Formula(unit | deviations, partial(compute, sample, True)))
    return tuple(found)


def _other_deviation(spec: Spec, output: str) -> tuple[Formula, ...]:
    n = _length(spec)

    def compute(bars: Bars) -> FormulaModel:
        return FormulaModel(run_indicator(spec, output, bars) * math.sqrt(n / (n - 1)))

    return (Formula(Cause.SAMPLE_AGAINST_POPULATION, compute),)


def _other_price(spec: Spec, output: str) -> tuple[Formula, ...]:
    """Return the mean of the price that the spec does not ask for."""
    values = dict(spec.values)
    source = "hlc3" if values["source"] == "close" else "close"
    (other,) = parse_specs(f"vwap(anchor={values['anchor']}, source={source})")
    return (Formula(Cause.CLOSE_AGAINST_TYPICAL, partial(_compute_textbook, other, output)),)


_OTHERS: dict[str, Callable[[Spec, str], tuple[Formula, ...]]] = {
    "rsi": _other_strengths,
    "atr": _other_ranges,
    "bollinger": _other_bands,
    "stddev": _other_deviation,
    "vwap": _other_price,
}


def _list_conventions(spec: Spec, output: str) -> tuple[Formula, ...]:
    """Return the formula with the seeds and flat cases of the other conventions."""
    values = dict(spec.values)
    found: dict[str, Formula] = {}
    for convention in CONVENTIONS:
        usual = spec.indicator.values((), {}, convention)
        presets = {name for preset in spec.indicator.presets.values() for name in preset}
        different = sorted(name for name in presets if usual[name] != values[name])
        for names in [*([name] for name in different), different]:
            other = values | {name: usual[name] for name in names}
            causes = Cause(0)
            for name in names:
                causes |= Cause.ZERO_IN_WARM_UP if name == "flat" else Cause.OTHER_SEED
            another = make_spec(spec.indicator, other, convention, spec.outputs, spec.source)
            if names:
                found[another.text] = Formula(causes, partial(_compute_textbook, another, output))
        whole = _in_convention(spec, convention)
        if isinstance(spec.source, Spec) and whole.text != spec.text:
            compute = partial(_compute_textbook, whole, output)
            found.setdefault(whole.text, Formula(Cause.OTHER_SEED, compute))
    return tuple(found.values())


def _in_convention(spec: Spec, convention: Convention) -> Spec:
    """Return a spec, and the sources that it is computed of, as another convention has them."""
    source = spec.source
    inner = _in_convention(source, convention) if isinstance(source, Spec) else source
    usual = spec.indicator.values((), {}, convention)
    presets = {name for preset in spec.indicator.presets.values() for name in preset}
    values = dict(spec.values) | {name: usual[name] for name in presets}
    return make_spec(spec.indicator, values, convention, spec.outputs, inner)

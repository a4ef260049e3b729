"""The textbook formula of a series, and others that engines are known to use instead."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np

from tallow.core.arrays import Floats
from tallow.core.limits import PLANS
from tallow.core.operator import CONVENTIONS, Convention
from tallow.core.spec import Spec, make_spec, parse_specs
from tallow.migrate.causes.analysis import other_lines, other_states, other_years
from tallow.migrate.causes.bars import Bars
from tallow.migrate.causes.models import Formula, FormulaModel, length_of, number_of, run_indicator
from tallow.migrate.causes.seeds import (
    AnchoredMean,
    Average,
    Averages,
    GrowingMean,
    Restarts,
    Seeds,
)
from tallow.migrate.pairs import Cause


@lru_cache(maxsize=PLANS)
def list_formulas(spec: Spec, output: str) -> tuple[Formula, ...]:
    """Return the ways to compute one output of an indicator, the textbook's first."""
    textbook = Formula(Cause(0), partial(_compute_textbook, spec, output))
    find = _OTHERS.get(spec.indicator.name) if spec.source is None else None
    others = () if find is None else find(spec, output)
    return (textbook, *others, *_list_conventions(spec, output))


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


# Other starts, by the indicator's name.


def _restart_seeds(spec: Spec, output: str, bars: Bars) -> Seeds:
    def compute(start: int) -> Floats:
        return run_indicator(spec, output, bars.select(slice(start, None)))

    return Restarts(compute, len(bars))


def _average_seeds(spec: Spec, output: str, bars: Bars) -> Seeds:
    n = length_of(spec)
    weight = 2.0 / (n + 1) if spec.indicator.name == "ema" else 1.0 / n
    return Average(bars.columns["close"], n, 1.0 - weight)


def _sma_seeds(spec: Spec, output: str, bars: Bars) -> Seeds:
    return GrowingMean(bars.columns["volume" if "volume" in output else "close"], length_of(spec))


def _atr_seeds(spec: Spec, output: str, bars: Bars) -> Seeds:
    n, spread = length_of(spec), bars.columns["high"] - bars.columns["low"]
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
    n, change = length_of(spec), np.diff(bars.columns["close"], prepend=bars.columns["close"][:1])
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
    averages = parse_specs(f"rma({length_of(spec)}), sma({length_of(spec)})")

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
    n = length_of(spec)
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

    (whole,) = parse_specs(f"bollinger({n}, {number_of(spec, 'multiplier')})")
    deviations = Cause.SAMPLE_AGAINST_POPULATION
    found = [] if output == "middle" else [Formula(deviations, partial(compute, sample, False))]
    if output in ("width", "width_percent"):
        unit = Cause.RATIO_AGAINST_PERCENT
        found.append(Formula(unit, partial(compute, 1.0, True)))
        found.append(Formula(unit | deviations, partial(compute, sample, True)))
    return tuple(found)


def _other_deviation(spec: Spec, output: str) -> tuple[Formula, ...]:
    n = length_of(spec)

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
    "trend_strength": other_lines,
    "trend_state": other_states,
    **dict.fromkeys(
        ("realised_volatility", "parkinson", "garman_klass", "rogers_satchell", "yang_zhang"),
        other_years,
    ),
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

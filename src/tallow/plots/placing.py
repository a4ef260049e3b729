"""Where charts draw each output: over the candles, over the volume, or in a pane of its own.

Declarations tell it: a level of price (its unit) lies over what it is computed of, and so does a
level of volume; all else has a pane, with what its indicator gives in the same unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tallow.core.operator import PERIODS, Output
from tallow.core.spec import Spec
from tallow.data.reading.schema import PRICES
from tallow.plots.drawing import PRICE, VOLUME

PATTERN, EXTREME = "pattern", "extreme"
"""Kinds of marks that outputs make."""

_HUNDREDS = ("0..100", "percent")


@dataclass(frozen=True)
class Placing:
    """An output that was asked for, and where it is drawn.

    Attributes
    ----------
    pane
        A name that outputs over one scale share.
    mark
        What kind of mark it makes where it is not 0; empty for a curve.
    direction
        The column by whose sign a curve is coloured; empty without one.
    shift
        By how many rows it is drawn later; negative: earlier.
    period
        Of which session, week or month it is, and begins anew with; empty where it goes on.
    is_candle
        Whether it is a price of candles that are drawn as such: all four were asked for.
    """

    spec: Spec
    output: Output
    column: str
    pane: str
    mark: str
    direction: str
    shift: int
    period: str
    is_candle: bool


def placings(specs: Iterable[Spec]) -> list[Placing]:
    """Return where all outputs of specs are drawn; directions that colour others are left out."""
    return [each for spec in specs for each in _of_spec(spec)]


def rows_ahead(specs: Iterable[Spec]) -> int:
    """Return by how many rows an output is drawn later, at most."""
    return max((each.shift for each in placings(specs)), default=0)


def _of_spec(spec: Spec) -> Iterator[Placing]:
    by_name = {each.name: each for each in spec.indicator.outputs}
    asked = [
        (by_name[name], column) for name, column in zip(spec.outputs, spec.columns, strict=True)
    ]
    directions = [column for output, column in asked if _is_direction(output)]
    colours = directions[:1] if any(output.unit == "price" for output, _ in asked) else []
    values = dict(spec.values)
    shifts = spec.indicator.shift(values) if spec.indicator.shift else ()
    by_output = dict(zip(by_name, shifts, strict=False))
    periods = [name for name in spec.indicator.input_names(values) if name in PERIODS]
    is_whole = _is_candle(spec) and set(PRICES) <= set(spec.outputs)
    is_first = True
    for output, column in asked:
        if column in colours:
            continue
        is_level = output.unit == "price"
        shift = by_output.get(output.name, 0)
        yield Placing(
            spec,
            output,
            column,
            pane=pane_of(spec, output),
            mark=_mark_of(output, shift),
            direction=colours[0] if colours and is_level and is_first else "",
            shift=shift,
            period=periods[0] if periods else "",
            is_candle=is_whole and output.name in PRICES,
        )
        is_first = is_first and not is_level


def pane_of(spec: Spec, output: Output) -> str:
    """Return the name of the pane in which an output is drawn."""
    own = spec.indicator.input_names(dict(spec.values))
    if output.unit == "price" and not _is_candle(spec):
        return _pane_of_source(spec, PRICE)
    if output.unit == "units" and own == (VOLUME,):
        return _pane_of_source(spec, VOLUME)
    unit = _HUNDREDS[0] if output.unit in _HUNDREDS else output.unit
    return f"{spec.text} {unit}"


def _pane_of_source(spec: Spec, usual: str) -> str:
    """Return the pane of what a spec is computed of."""
    if spec.source is None:
        return usual
    if isinstance(spec.source, str):
        return VOLUME if spec.source == VOLUME else PRICE
    names = [each.name for each in spec.source.indicator.outputs]
    inner = spec.source.indicator.outputs[names.index(spec.source.outputs[0])]
    return pane_of(spec.source, inner)


def _is_candle(spec: Spec) -> bool:
    """Say whether an indicator makes candles: over the candles themselves they would hide these."""
    return set(PRICES) <= {each.name for each in spec.indicator.outputs}


def _is_direction(output: Output) -> bool:
    return output.unit == "sign" and output.minimum < 0


def _mark_of(output: Output, shift: int) -> str:
    if output.unit == "pattern":
        return PATTERN
    return EXTREME if output.unit == "sign" and shift else ""

"""Candle patterns: each of TA-Lib's by itself, ``cdl_`` and its name there; and all by their names.

One kernel finds all that a plan asks for. It packs what it finds, and each column is unpacked by
itself: a pattern that nobody asks for costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tallow.core.operator import (
    WINDOW,
    Asked,
    Family,
    Indicator,
    Output,
    Parameter,
    Values,
)
from tallow.indicators._pattern_forms import (
    COLUMNS,
    DEEP,
    IN_A_NUMBER,
    IN_A_WORD,
    NULL_ROWS,
    SIDES,
    forms_of,
    names_of,
    place_of,
    trend_place,
)
from tallow.indicators._pattern_names import aliases
from tallow.indicators._pattern_table import PATTERNS, TREND_ROWS, Pattern
from tallow.indicators._patterns import advance, unpack, unpack_small

_PRICES = ("open", "high", "low", "close")
_CODES = tuple(f"codes_{k}" for k in range(COLUMNS))
_PREFIX = "cdl_"


def _forms(number: int) -> Parameter:
    text = "the forms that are looked for, as bits"
    most = (1 << IN_A_NUMBER) - 1
    return Parameter(f"forms_{number}", most, text, minimum=0, maximum=most)


def _penetration(default: float, name: str = "penetration") -> Parameter:
    text = "how deep a close must enter the body, as a share of it"
    return Parameter(name, default, text, minimum=0.0, maximum=100.0)


def _asked_of_all(asked: Sequence[Asked]) -> Values | None:
    """Return what the kernel is asked for; None where a pattern has two penetrations."""
    depths = dict[str, object]()
    forms, has_trend, has_names = set[str](), False, False
    for indicator, values, outputs in asked:
        own = {indicator.name.removeprefix(_PREFIX): values.get("penetration")}
        if indicator is INDICATOR:
            own = {name: _BY_NAME[name].penetration for name in DEEP}
            forms.update(_BY_NAME)
            has_names = True
        elif "pattern" in outputs:
            forms.update(own)
        has_trend |= "trend" in outputs
        for name, depth in own.items():
            if depths.setdefault(name, depth) != depth:
                return None
    first, second = forms_of(forms)
    found = {"forms_0": first, "forms_1": second}
    found |= {"trend": int(has_trend), "names": int(has_names)}
    return (
        found
        | {name: float(str(depths[name])) for name in DEEP if name in depths}
        | {name: _BY_NAME[name].penetration or 0.0 for name in DEEP if name not in depths}
    )


_FAMILY = Family(
    Indicator(
        name="candle_patterns",
        title="What is found of candle patterns",
        inputs=_PRICES,
        outputs=(
            *(Output(name, name, "codes", "codes of three bits") for name in _CODES),
            *(Output(side, side, "names", "names as bits") for side in SIDES),
        ),
        parameters=(
            _forms(0),
            _forms(1),
            Parameter("trend", 1, "whether trends are looked for", minimum=0, maximum=1),
            Parameter("names", 1, "whether names are given", minimum=0, maximum=1),
            *(
                _penetration(each.penetration or 0.0, each.name)
                for each in PATTERNS
                if each.name in DEEP
            ),
        ),
        memory=WINDOW,
        warmup=lambda _: (0,) * COLUMNS + (NULL_ROWS,) * len(SIDES),
        state_size=lambda _: 4 * NULL_ROWS,
        advance=advance,
        formula="-",
        reference="-",
    ),
    _asked_of_all,
)


_TREND = (
    "trend before: 1, -1, 0 as the close before its first candle is above, below, at the mean of "
    "the ten closes up to it"
)


def _packed(place: int, size: float, other: float) -> tuple[str, tuple[float, ...]]:
    word, at = divmod(place, IN_A_WORD)
    return _CODES[word], (3.0 * at, size, other)


def _outputs(pattern: Pattern) -> tuple[Output, ...]:
    name, sides = _PREFIX + pattern.name, {form.side for form in pattern.forms}
    most, other = max(100, pattern.special), float(pattern.special or 100)
    said = {1: "100 where it occurs", -1: "-100 where it occurs"}
    text = "100 and -100 where it occurs, up and down" if len(sides) > 1 else said[min(sides)]
    if pattern.special:
        text += f"; {pattern.special} and -{pattern.special} for its other form"
    value = Output(
        "pattern", name, "pattern", f"{text}; else 0",
        -most if -1 in sides else 0, most if 1 in sides else 0,
        is_integer=True, packed=_packed(place_of(pattern.name), 100.0, other),
    )  # fmt: skip
    trend = Output(
        "trend", f"{name}_trend", "sign",
        _TREND, -1, 1,
        is_integer=True, on_request=True, packed=_packed(trend_place(pattern.candles), 1.0, 1.0),
    )  # fmt: skip
    return value, trend


def _formula(pattern: Pattern) -> str:
    """Return a pattern's forms in words, and its rule."""
    said = []
    for form in pattern.forms:
        candles = ", ".join(" ".join(each.split()) or "any" for each in form.candles)
        said.append(f"{'up' if form.side > 0 else 'down'}: {candles}")
    forms = "; ".join(said).replace("_", " ")
    return f"{forms}; {pattern.also}" if pattern.also else forms


def _warmup(pattern: Pattern, _: Values) -> tuple[int, ...]:
    return pattern.lookback, TREND_ROWS - 1 + pattern.candles


def _indicator(pattern: Pattern) -> Indicator:
    name, depth = pattern.name, pattern.penetration
    return Indicator(
        name=_PREFIX + name,
        title=pattern.title,
        inputs=_PRICES,
        outputs=_outputs(pattern),
        parameters=() if depth is None else (_penetration(depth),),
        memory=WINDOW,
        warmup=partial(_warmup, pattern),
        state_size=lambda _: 0,
        advance=unpack,
        advance_small=unpack_small,
        formula=_formula(pattern),
        reference=f"as TA-Lib's CDL{name.upper()}",
        compared=("talib",),
        aliases=aliases(name),
        names={"talib": f"CDL{name.upper()}"},
        family=_FAMILY,
    )


_BY_NAME = {pattern.name: pattern for pattern in PATTERNS}
INDICATORS = {name: _indicator(pattern) for name, pattern in _BY_NAME.items()}
"""Each pattern by itself, by TA-Lib's name in small letters."""

INDICATOR = Indicator(
    name="patterns",
    title="Candle patterns by name",
    inputs=_PRICES,
    outputs=tuple(
        Output(
            side,
            f"patterns_{side}",
            "pattern",
            f"the {side} patterns that occur, by name",
            0,
            1 << len(names_of(side)),
            names=names_of(side),
            packed=(side, ()),
        )
        for side in SIDES
    ),
    parameters=(),
    memory=WINDOW,
    warmup=lambda _: (NULL_ROWS,) * len(SIDES),
    state_size=lambda _: 0,
    advance=unpack,
    formula="names of the patterns that are not 0: bullish above it, bearish below; neutral those "
    "that TA-Lib calls neither",
    reference="the definition, of TA-Lib's 61 functions",
    family=_FAMILY,
)

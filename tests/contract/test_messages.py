"""Goal: a wrong parameter is refused with a message that can be acted on without the source.

Method: for every parameter of every discovered indicator, values around what its declaration
allows; the text must read ``indicator: parameter=value; must be ...``, from text and from Python.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from tallow.core.errors import ParameterError, SpecError
from tallow.core.operator import Indicator, Parameter
from tallow.core.spec import parse_specs
from tests.contract.cases import every_indicator


class Wrong(NamedTuple):
    """A value that a parameter must refuse, and the rule that the message must state."""

    indicator: Indicator
    parameter: Parameter
    value: object
    rule: str


def wrong_values(indicator: Indicator, parameter: Parameter) -> list[Wrong]:
    if parameter.choices:
        rule = f"must be one of {', '.join(parameter.choices)}"
        values: list[object] = ["nonsense", 1, "", True]
        return [Wrong(indicator, parameter, value, rule) for value in values]
    low, high = parameter.minimum, parameter.maximum
    rule = f"must be {low:g}..{high:g}"
    outside = [low - 1, high + 1, low - 0.5, high * 1_000, float("nan"), float("inf")]
    found = [Wrong(indicator, parameter, value, rule) for value in [*outside, "many", True, None]]
    if isinstance(parameter.default, int):
        found.append(Wrong(indicator, parameter, low + 0.5, "must be a whole number"))
    return found


def wrongs(indicator: Indicator) -> list[Wrong]:
    """Return what parameters refuse; what a text must say is the indicator's own matter."""
    limited = [each for each in indicator.parameters if not each.is_text]
    return [wrong for each in limited for wrong in wrong_values(indicator, each)]


@every_indicator
def test_from_python(indicator: Indicator) -> None:
    for wrong in wrongs(indicator):
        name = wrong.parameter.name
        with pytest.raises(ParameterError) as caught:
            indicator.values((), {name: wrong.value})  # type: ignore[dict-item]
        assert str(caught.value) == f"{indicator.name}: {name}={wrong.value}; {wrong.rule}"


@every_indicator
def test_from_text(indicator: Indicator) -> None:
    for wrong in wrongs(indicator):
        if str(wrong.value) in {"", "None", "True"}:
            continue
        name = wrong.parameter.name
        with pytest.raises(ParameterError) as caught:
            parse_specs(f"{indicator.name}({name}={wrong.value})")
        message = str(caught.value)
        assert message.startswith(f"{indicator.name}: {name}="), wrong
        assert message.endswith(f"; {wrong.rule}"), wrong


@every_indicator
def test_limits_themselves_are_accepted(indicator: Indicator) -> None:
    for parameter in indicator.parameters:
        if parameter.is_text:
            assert parameter.check(indicator.name, parameter.default) == parameter.default
            continue
        accepted = parameter.choices or (parameter.minimum, parameter.maximum)
        for value in accepted:
            assert parameter.check(indicator.name, value) == value


@every_indicator
def test_unknown_name(indicator: Indicator) -> None:
    message = rf"^{indicator.name}: lenght; unknown; (did you mean|known:)"
    with pytest.raises(ParameterError, match=message):
        parse_specs(f"{indicator.name}(lenght=5)")


@every_indicator
def test_too_many_values(indicator: Indicator) -> None:
    count = len(indicator.parameters)
    names = ", ".join(parameter.name for parameter in indicator.parameters) or "none"
    values = "1 value" if count == 0 else f"{count + 1} values"
    text = f"{indicator.name}: {values}; takes at most {count}: {names}"
    with pytest.raises(ParameterError, match=f"^{re.escape(text)}$"):
        parse_specs(f"{indicator.name}({', '.join(['5'] * (count + 1))})")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ema(9, length=9)", "ema: length=9; given twice"),
        ("ema(length=9, length=9)", "ema(length=9, length=9): length=9; given twice"),
        ("macd(fast_length=3, 9)", "macd(fast_length=3, 9): 9; must stand before the named"),
        ("macd(26, 12)", "macd: fast_length=26; must be below slow_length=12"),
        ("emma(9)", "indicator: 'emma'; unknown; did you mean ema"),
        ("ema(9", "indicator: 'ema(9'; must read like ema(9)"),
        ("ema(9)[upper]", "ema(9)[upper]: output 'upper'; unknown; known: ema"),
    ],
)
def test_other_mistakes(text: str, message: str) -> None:
    with pytest.raises((ParameterError, SpecError), match=f"^{re.escape(message)}"):
        parse_specs(text)

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
from tests.running import all_indicators


class Wrong(NamedTuple):
    """A value that a parameter must refuse, and the rule that the message must state."""

    indicator: Indicator
    parameter: Parameter
    value: object
    rule: str

    def __str__(self) -> str:
        return f"{self.indicator.name}-{self.parameter.name}={self.value}"


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


WRONG = [
    wrong
    for indicator in all_indicators().values()
    for parameter in indicator.parameters
    for wrong in wrong_values(indicator, parameter)
]
WRITABLE = [wrong for wrong in WRONG if str(wrong.value) not in {"", "None", "True"}]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_from_python(wrong: Wrong) -> None:
    name = wrong.parameter.name
    with pytest.raises(ParameterError) as caught:
        wrong.indicator.values((), {name: wrong.value})  # type: ignore[dict-item]
    assert str(caught.value) == f"{wrong.indicator.name}: {name}={wrong.value}; {wrong.rule}"


@pytest.mark.parametrize("wrong", WRITABLE, ids=str)
def test_from_text(wrong: Wrong) -> None:
    name = wrong.parameter.name
    beginning = re.escape(f"{wrong.indicator.name}: {name}=")
    with pytest.raises(ParameterError, match=f"^{beginning}.*; {re.escape(wrong.rule)}$"):
        parse_specs(f"{wrong.indicator.name}({name}={wrong.value})")


@every_indicator
def test_limits_themselves_are_accepted(indicator: Indicator) -> None:
    for parameter in indicator.parameters:
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

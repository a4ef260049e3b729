"""Goal: a declaration that contradicts itself is refused where it is made, not where it is used.

Method: one sound declaration, changed in one place at a time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tallow.core.errors import DeclarationError, ParameterError, near_matches
from tallow.core.limits import KNOWN_SHOWN
from tallow.core.operator import RECURSIVE, WINDOW, Indicator, Output, Parameter


def advance(*_):
    """Compute nothing."""


SOUND = Indicator(
    name="last_of",
    title="The last of several",
    inputs=("close", "{anchor}"),
    outputs=(Output("value", "last_{length}", "price", "a close"),),
    parameters=(
        Parameter("length", 3, "rows", minimum=1, maximum=10),
        Parameter("share", 0.5, "share of it"),
        Parameter("anchor", "week", "since when", choices=("week", "month")),
    ),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,),
    state_size=lambda p: int(p["length"]),
    advance=advance,
    formula="close",
    reference="none",
    presets={"talib": {"length": 5}},
)


TWO_OUTPUTS = {"warmup": lambda _: (0, 0)}
CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "name in capitals": {"name": "Last"},
    "name with a dash": {"name": "last-of"},
    "no name": {"name": ""},
    "name of a set": {"name": "default"},
    "name that begins with a digit": {"name": "2nd"},
    "preset of no convention": {"presets": {"ta-lib": {"length": 5}}},
    "preset of no parameter": {"presets": {"talib": {"size": 5}}},
    "unknown input": {"inputs": ("close", "last")},
    "input after no parameter": {"inputs": ("{session}",)},
    "no outputs": {"outputs": ()},
    "an output twice": {"outputs": SOUND.outputs * 2, **TWO_OUTPUTS},
    "warm-up of two": TWO_OUTPUTS,
    "period that is no input": {"period_before": "session"},
    "shift of two": {"shift": lambda _: (0, 0)},
    "column after no parameter": {"outputs": (Output("value", "last_{size}", "price", ""),)},
    "column after a place": {"outputs": (Output("value", "last_{}", "price", ""),)},
    "two outputs in one column": {
        "outputs": (Output("a", "last", "price", ""), Output("b", "last", "price", "")),
        **TWO_OUTPUTS,
    },
}


@pytest.mark.parametrize("contradiction", CONTRADICTIONS)
def test_declarations_that_contradict_themselves(contradiction):
    with pytest.raises(DeclarationError):
        replace(SOUND, **CONTRADICTIONS[contradiction])


@pytest.mark.parametrize("length", [0, 11])
def test_defaults_are_checked_like_any_value(length):
    with pytest.raises(ParameterError, match=rf"last_of: length={length}; must be 1\.\.10"):
        replace(SOUND, presets={"talib": {"length": length}})


def test_values_come_from_the_call_then_the_convention_then_the_declaration():
    assert SOUND.values((), {}) == {"length": 3, "share": 0.5, "anchor": "week"}
    assert SOUND.values((), {}, "talib")["length"] == 5
    assert SOUND.values((7,), {"anchor": "month"}, "talib") == {
        "length": 7,
        "share": 0.5,
        "anchor": "month",
    }


def test_what_follows_from_values():
    values = SOUND.values((7, 0.25, "month"), {})
    assert SOUND.input_names(values) == ("close", "month")
    assert SOUND.kernel_parameters(values).tolist() == [7.0, 0.25, 1.0]
    assert SOUND.column_names(values, "tradingview") == ("last_7_0p25_month",)
    assert SOUND.column_names(SOUND.values((), {}), "tradingview") == ("last_3",)
    assert np.isnan(SOUND.new_state(values, 2)).all()
    assert SOUND.new_state(values, 2).shape == (2, 7)
    assert not replace(SOUND, memory=RECURSIVE).new_state(values, 2).any()


def test_a_parameter_without_limits_takes_any_number_but_infinity():
    assert SOUND.values((), {"share": -1e300})["share"] == -1e300
    for value in (float("inf"), float("-inf"), float("nan")):
        with pytest.raises(ParameterError, match=r"last_of: share=.*; must be -inf\.\.inf"):
            SOUND.values((), {"share": value})


def test_a_declarations_own_check_has_the_last_word():
    strict = replace(SOUND, check=lambda p: "length=10; is taken" if p["length"] == 10 else None)
    assert strict.values((9,), {})["length"] == 9
    with pytest.raises(ParameterError, match="last_of: length=10; is taken"):
        strict.values((10,), {})


def test_hints_name_what_is_near_whatever_its_case():
    assert near_matches("raymnd", ["RAYMOND", "TCS"]) == "did you mean RAYMOND?"
    assert near_matches("EMA", ["ema", "rma", "vwap"]).startswith("did you mean ema")
    assert near_matches("zzz", ["ema", "adx"]) == "known: adx, ema"
    # What is much less like it than the nearest is no hint; an alias is another word for one.
    assert near_matches("clsoe", ["close", "cdlshortline"]) == "did you mean close?"
    aliases = {"cdlhammer": "cdl_hammer"}
    assert near_matches("hammer", ["cdl_hammer", *aliases], aliases) == "did you mean cdl_hammer?"
    many = [f"I{k:04}" for k in range(KNOWN_SHOWN + 5)]
    assert near_matches("zzz", many).endswith(f"I{KNOWN_SHOWN - 1:04} and 5 more")

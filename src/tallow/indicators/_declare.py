"""Parts that many declarations share, so that a limit or a preset is written once."""

from __future__ import annotations

from tallow.core.limits import LENGTH_MAX, MULTIPLIER_MAX
from tallow.core.operator import Output, Parameter, Values

WILDER = "Wilder (1978), New Concepts in Technical Trading Systems"


def length(default: int, minimum: int = 1, name: str = "length", text: str = "") -> Parameter:
    """Return a look-back parameter, in rows; `text` describes what its name does not say."""
    words = name.removesuffix("_length").removesuffix("length").replace("_", " ")
    text = text or (f"rows of the {words} average" if words else "rows looked back on")
    return Parameter(name, default, text, minimum=minimum, maximum=LENGTH_MAX)


def multiplier(default: float) -> Parameter:
    """Return the distance of a band from its middle."""
    text = "distance of a band from the middle, in deviations or ranges"
    return Parameter("multiplier", default, text, minimum=0.0, maximum=MULTIPLIER_MAX)


FAST_SLOW = (length(12, name="fast_length"), length(26, minimum=2, name="slow_length"))
SIGNAL = length(9, name="signal_length")


def outputs_with_signal(name: str, unit: str, description: str) -> tuple[Output, ...]:
    """Return what is made of a fast and a slow average: itself, its average, their difference."""
    lengths = "{fast_length}_{slow_length}_{signal_length}"
    return (
        Output(name, f"{name}_{lengths}", unit, description),
        Output("signal", f"{name}_signal_{lengths}", unit, f"average of {name}"),
        Output("histogram", f"{name}_histogram_{lengths}", unit, f"{name} minus signal"),
    )


START = Parameter(
    "start",
    "each",
    "show each output from its own first row, or all together from the last one's",
    choices=("each", "together"),
)
"""TA-Lib returns all outputs of a function from the same row on."""


FIRST_RANGE = Parameter(
    "first_range",
    "high_low",
    "what the first row, which has no close before it, counts as",
    choices=("high_low", "none"),
)


def zero_or_null(where: str) -> Parameter:
    """Return the word for what a value is where its denominator is zero."""
    return Parameter("flat", "null", f"value where {where} is zero", choices=("null", "zero"))


def check_fast_slow(p: Values) -> str | None:
    """Say what is wrong where the fast average is not the faster one."""
    if float(p["fast_length"]) < float(p["slow_length"]):
        return None
    return f"fast_length={p['fast_length']}; must be below slow_length={p['slow_length']}"

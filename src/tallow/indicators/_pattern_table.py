"""The candle patterns of TA-Lib: of which candles each is made, and what else must hold.

A form is a side and its candles, the oldest first, each in words; a candle without a word may be
any. What words cannot say is a rule in `_pattern_rules`, described here. Averages are those of the
candles before, as TA-Lib's settings have them: of ten bodies, ranges or shadows, of five ranges.
"""

from __future__ import annotations

from typing import NamedTuple

WORDS = (
    "white",
    "long",
    "short",
    "doji",
    "upper_tiny",
    "lower_tiny",
    "upper_long",
    "lower_long",
    "gap_up",
    "gap_down",
    "higher",
    "lower",
    "covers",
    "covers_flush",
    "inside",
    "inside_flush",
    "same_close",
    "opens_below",
    "opens_above",
    "upper_shadow",
    "lower_shadow",
    "shadows_short",
    "shadows_over",
    "near_low",
    "near_high",
    "at_middle",
    "above_close",
)
"""What is known of each candle, bit by bit; those from `gap_up` on compare it with the one before.

White: the close is not below the open, else black. Long and short: a body above and below the
average body, else neither; doji: one of at most a tenth of the average range. Tiny: a shadow below
a tenth of the average range, and one above it is a shadow at all; long: one above the body. Shadows
are short where both are below half of the average of both, and over where above twice the body.
A gap is one between bodies; higher, lower and the same are closes, and an open is below the low, or
above the high; a body covers the one before, or is inside it, where no end is the same, and flush
where one is (where both are, it is inside); it is below the low before or near it, above the high
or near it, or near the middle of its own range; a low is above the close before.
"""

OPPOSITES = {"black": "white", "not_long": "long"}
"""Words for a bit that is not set."""


class Form(NamedTuple):
    """One way in which a pattern occurs: its side, its candles, its rule, or 0, and its size.

    `is_other` says that it is of the pattern's other size.
    """

    side: int
    candles: tuple[str, ...]
    rule: int
    is_other: bool


class Pattern(NamedTuple):
    """A pattern of TA-Lib.

    Attributes
    ----------
    candles
        How many it is made of: the trend before ends at the one before these.
    lookback
        Leading rows without a value.
    special
        The other size of its value besides 100, where it has one: that of the weaker form, or of
        the row that confirms it.
    also
        What its rule says.
    penetration
        How deep a body must be entered by default, where TA-Lib has this parameter.
    """

    name: str
    title: str
    candles: int
    lookback: int
    forms: tuple[Form, ...]
    also: str = ""
    penetration: float | None = None
    special: int = 0


(
    TWO_CROWS,
    THREE_CROWS,
    INSIDE,
    LINE_STRIKE,
    SOUTH,
    SOLDIERS,
    ABANDONED,
    ADVANCE,
    BREAKAWAY,
    CONCEALED,
    DARK_CLOUD,
    STAR,
    SIDE_BY_SIDE,
    IDENTICAL,
    IN_NECK,
    KICKING,
    KICKING_BY_SECOND,
    KICKING_BY_FIRST,
    LADDER,
    MAT_HOLD,
    ON_NECK,
    PIERCING,
    THREE_METHODS,
    EQUAL_OPEN,
    STALLED,
    SANDWICH,
    TAKURI,
    TASUKI,
    THRUSTING,
    TRISTAR,
    RIVER,
    UPSIDE_CROWS,
    GAP_METHODS,
) = range(1, 34)
HIKKAKE, HIKKAKE_MOD = 40, 41
"""No rules: these are found by another way, as later rows confirm them."""


def _up(candles: str, rule: int = 0, side: int = 1, *, other: bool = False) -> tuple[Form, ...]:
    return (Form(side, tuple(each.strip() for each in candles.split("|")), rule, other),)


def _down(candles: str, rule: int = 0) -> tuple[Form, ...]:
    return _up(candles, rule, -1)


_MIRROR = {
    "white": "black",
    "gap_up": "gap_down",
    "higher": "lower",
    "upper_tiny": "lower_tiny",
    "upper_long": "lower_long",
    "upper_shadow": "lower_shadow",
    "opens_below": "opens_above",
}
_MIRROR |= {other: word for word, other in _MIRROR.items()}


def _both(candles: str, rule: int = 0, *, other: bool = False) -> tuple[Form, ...]:
    """Return a form of the upper side, and the one with everything turned over."""
    (up,) = _up(candles, rule, other=other)
    turned = tuple(
        " ".join(_MIRROR.get(word, word) for word in candle.split()) for candle in up.candles
    )
    return up, Form(-1, turned, rule, other)


_TINY = "upper_tiny lower_tiny"
_INTO_THE_FIRST = "the last closes inside the first's body by more than the penetration"

PATTERNS = (
    Pattern("2crows", "Two crows", 3, 12, _down("white long | black gap_up | black", TWO_CROWS),
        "the third opens inside the second's body and closes inside the first's"),
    Pattern("3blackcrows", "Three black crows", 4, 13,
        _down("white | black lower_tiny | black lower_tiny lower | black lower_tiny lower",
            THREE_CROWS),
        "each opens inside the body before; the first black one closes below the white "
        "one's high"),
    Pattern("3inside", "Three inside up and down", 3, 12,
        _both("black long | not_long inside | white", INSIDE),
        "the third closes beyond the first's open"),
    Pattern("3linestrike", "Three-line strike", 4, 8,
        _both("white | white higher | white higher | black", LINE_STRIKE),
        "the second and third open in or near the body before; the fourth opens beyond the "
        "third's close and closes beyond the first's open"),
    Pattern("3outside", "Three outside up and down", 3, 3,
        _both("black | white covers | higher")),
    Pattern("3starsinsouth", "Three stars in the south", 3, 12,
        _up(f"black long lower_long | black lower_shadow | black short {_TINY}", SOUTH),
        "the second has a smaller body, opens within the first's range above its close, and "
        "makes no lower low; the third is inside its range"),
    Pattern("3whitesoldiers", "Three advancing white soldiers", 3, 12,
        _up("white upper_tiny | white upper_tiny higher | white upper_tiny higher long",
            SOLDIERS),
        "each opens in or near the body before, and is not far shorter than that"),
    Pattern("abandonedbaby", "Abandoned baby", 3, 12,
        _both("black long | doji | white long", ABANDONED),
        f"gaps between the ranges on both sides of the doji; {_INTO_THE_FIRST}", 0.3),
    Pattern("advanceblock", "Advance block", 3, 12,
        _down("white long | white higher | white higher", ADVANCE),
        "each opens in or near the body before; the first has a short upper shadow; bodies "
        "get far smaller, or smaller with upper shadows that are not short"),
    Pattern("belthold", "Belt-hold", 1, 10, _both("white long lower_tiny")),
    Pattern("breakaway", "Breakaway", 5, 14,
        _both("black long | black gap_down |  | black | white", BREAKAWAY),
        "the third and fourth have highs and lows further on; the fifth closes in the gap"),
    Pattern("closingmarubozu", "Closing marubozu", 1, 10, _both("white long upper_tiny")),
    Pattern("concealbabyswall", "Concealing baby swallow", 4, 13,
        _up(f"black {_TINY} | black {_TINY} | black gap_down upper_shadow | black", CONCEALED),
        "the third's upper shadow reaches into the second's body; the fourth's range "
        "engulfs the third's"),
    Pattern("counterattack", "Counterattack", 2, 11, _both("black long | white long same_close")),
    Pattern("darkcloudcover", "Dark cloud cover", 2, 11,
        _down("white long | black opens_above", DARK_CLOUD),
        "the second closes inside the first's body by more than the penetration", 0.5),
    Pattern("doji", "Doji", 1, 10, _up("doji")),
    Pattern("dojistar", "Doji star", 2, 11, _both("black long | doji gap_down")),
    Pattern("dragonflydoji", "Dragonfly doji", 1, 10, _up("doji upper_tiny lower_shadow")),
    Pattern("engulfing", "Engulfing", 2, 2,
        (*_both("black | white covers"), *_both("black | white covers_flush", other=True)),
        "80 where one end is the same", special=80),
    Pattern("eveningdojistar", "Evening doji star", 3, 12,
        _down("white long | doji gap_up | black long", STAR), _INTO_THE_FIRST, 0.3),
    Pattern("eveningstar", "Evening star", 3, 12,
        _down("white long | not_long gap_up | black long", STAR), _INTO_THE_FIRST, 0.3),
    Pattern("gapsidesidewhite", "Side-by-side white lines after a gap", 3, 7,
        (*_up("| white gap_up | white", SIDE_BY_SIDE),
            *_down("| white gap_down | white", SIDE_BY_SIDE)),
        "the third has the same gap, about the second's size, and its open"),
    Pattern("gravestonedoji", "Gravestone doji", 1, 10, _up("doji lower_tiny upper_shadow")),
    Pattern("hammer", "Hammer", 1, 11, _up("short lower_long upper_tiny near_low")),
    Pattern("hangingman", "Hanging man", 1, 11,
        _down("short lower_long upper_tiny near_high")),
    Pattern("harami", "Harami", 2, 11,
        (*_both("black long | not_long inside"),
            *_both("black long | not_long inside_flush", other=True)),
        "80 where an end is the same", special=80),
    Pattern("haramicross", "Harami cross", 2, 11,
        (*_both("black long | doji inside"), *_both("black long | doji inside_flush", other=True)),
        "80 where an end is the same", special=80),
    Pattern("highwave", "High-wave candle", 1, 10, _both("white short shadows_over")),
    Pattern("hikkake", "Hikkake", 3, 5, _both("|  | ", HIKKAKE),
        "the second's range is inside the first's; the third's high and low are both lower, "
        "or both higher; 200 where one of the next three closes beyond the second's range "
        "on the other side", special=200),
    Pattern("hikkakemod", "Modified hikkake", 4, 10, _both("|  |  | ", HIKKAKE_MOD),
        "as hikkake, of a range inside a range inside a range, the middle one of which "
        "closes near its low, or its high", special=200),
    Pattern("homingpigeon", "Homing pigeon", 2, 11,
        _up("black long | black not_long inside")),
    Pattern("identical3crows", "Identical three crows", 3, 12,
        _down("black lower_tiny | black lower_tiny lower | black lower_tiny lower", IDENTICAL),
        "each opens at the close before"),
    Pattern("inneck", "In-neck", 2, 11, _down("black long | white opens_below", IN_NECK),
        "the second closes at the first's close or slightly above"),
    Pattern("invertedhammer", "Inverted hammer", 1, 11,
        _up("short upper_long lower_tiny gap_down")),
    Pattern("kicking", "Kicking", 2, 11,
        _both(f"black long {_TINY} | white long {_TINY}", KICKING),
        "a gap between the ranges"),
    Pattern("kickingbylength", "Kicking by the longer marubozu", 2, 11,
        (*_both(f"black long {_TINY} | white long {_TINY}", KICKING_BY_SECOND),
            *_both(f"white long {_TINY} | black long {_TINY}", KICKING_BY_FIRST)),
        "as kicking, on the side of the longer body"),
    Pattern("ladderbottom", "Ladder bottom", 5, 14,
        _up("black | black lower | black lower | black upper_shadow | white", LADDER),
        "three lower opens; the fifth opens above the open before and closes above its high"),
    Pattern("longleggeddoji", "Long-legged doji", 1, 10,
        (*_up("doji lower_long"), *_up("doji upper_long"))),
    Pattern("longline", "Long line", 1, 10, _both("white long shadows_short")),
    Pattern("marubozu", "Marubozu", 1, 10, _both(f"white long {_TINY}")),
    Pattern("matchinglow", "Matching low", 2, 6, _up("black | black same_close")),
    Pattern("mathold", "Mat hold", 5, 14,
        _up("white long | black short gap_up | short | short | white", MAT_HOLD),
        "the three short ones fall, and stay above the first's body by the penetration; the "
        "fifth opens above the close before and closes above their highs", 0.5),
    Pattern("morningdojistar", "Morning doji star", 3, 12,
        _up("black long | doji gap_down | white long", STAR), _INTO_THE_FIRST, 0.3),
    Pattern("morningstar", "Morning star", 3, 12,
        _up("black long | not_long gap_down | white long", STAR), _INTO_THE_FIRST, 0.3),
    Pattern("onneck", "On-neck", 2, 11, _down("black long | white opens_below", ON_NECK),
        "the second closes at the first's low"),
    Pattern("piercing", "Piercing", 2, 11, _up("black long | white long opens_below", PIERCING),
        "the second closes in the upper half of the first's body"),
    Pattern("rickshawman", "Rickshaw man", 1, 10,
        _up("doji upper_long lower_long at_middle")),
    Pattern("risefall3methods", "Rising and falling three methods", 5, 14,
        _both("white long | black short | black short lower | black short lower | white long",
            THREE_METHODS),
        "the short ones lie in the first's range; the last opens beyond the close before, "
        "and closes beyond the first's"),
    Pattern("separatinglines", "Separating lines", 2, 11,
        _both("black | white long lower_tiny", EQUAL_OPEN),
        "equal opens"),
    Pattern("shootingstar", "Shooting star", 1, 11, _down("short upper_long lower_tiny gap_up")),
    Pattern("shortline", "Short line", 1, 10, _both("white short shadows_short")),
    Pattern("spinningtop", "Spinning top", 1, 10, _both("white short upper_long lower_long")),
    Pattern("stalledpattern", "Stalled pattern", 3, 12,
        _down("white long | white long higher upper_tiny | white short higher", STALLED),
        "the second opens in or near the first's body; the third lies near the second's close"),
    Pattern("sticksandwich", "Stick sandwich", 3, 7,
        _up("black | white above_close | black", SANDWICH),
        "the third closes where the first did"),
    Pattern("takuri", "Takuri", 1, 10, _up("doji upper_tiny lower_long", TAKURI),
        "the lower shadow is longer than twice the body"),
    Pattern("tasukigap", "Tasuki gap", 3, 7, _both("| white gap_up | black", TASUKI),
        "the third opens inside the second's body, is of about its size, and closes in the "
        "gap"),
    Pattern("thrusting", "Thrusting", 2, 11, _down("black long | white opens_below", THRUSTING),
        "the second closes above the first's close, in the lower half of its body"),
    Pattern("tristar", "Tristar", 3, 12,
        (*_up("doji | gap_down |", TRISTAR), *_down("doji | gap_up |", TRISTAR)),
        "all three are doji by the first's average; the third goes back"),
    Pattern("unique3river", "Unique three river", 3, 12,
        _up("black long | black higher | white short", RIVER),
        "the second opens inside the first's body and makes a lower low; the third opens "
        "above that"),
    Pattern("upsidegap2crows", "Upside gap two crows", 3, 12,
        _down("white long | black not_long gap_up | black covers", UPSIDE_CROWS),
        "the third closes above the first's close"),
    Pattern("xsidegap3methods", "Upside and downside gap three methods", 3, 2,
        _both("white | white gap_up | black", GAP_METHODS),
        "the third opens inside the second's body, and closes inside the first's"),
)  # fmt: skip
"""In TA-Lib's order."""

TREND_ROWS = 10
"""Closes whose mean the last of them is compared with, for the trend before a pattern."""

"""Goal: each rule of judging a screen, by an example that can be followed by hand.

Method: panels of a few bars with their values written out, and the answers beside them: ``x`` is a
match, ``.`` is none, ``?`` is unknown. Base bars last 15 minutes, from 09:15.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tallow.core.errors import ScreenError
from tallow.core.time import MINUTE_US
from tallow.screens.evaluation import Evaluation
from tallow.screens.panels import Panel
from tallow.screens.parser import parse_screen

NAN = float("nan")
MORNING = (20_000 * 24 * 60 + 9 * 60 + 15) * MINUTE_US


def panel(
    columns: Mapping[str, Any], minutes: int = 15, first: int = 0, final: str = "", **more: Any
) -> Panel:
    """Return the bars of instruments that are given as ``{"column": {"A": [1, 2, 3]}}``.

    They open one after the other from `first` minutes after 09:15; `final` says of each ``1`` or
    ``0``. Others of the panel's arrays are given as they are.
    """
    by_name = next(iter(columns.values()))
    counts = [len(values) for values in by_name.values()]
    starts = [MORNING + (first + k * minutes) * MINUTE_US for n in counts for k in range(n)]
    opens = more.pop("opens", np.array(starts, np.int64))
    return Panel(
        tuple(by_name),
        np.cumsum([0, *counts]),
        opens,
        opens + minutes * MINUTE_US,
        np.array([sign == "1" for sign in final or "1" * sum(counts)]),
        {name: np.concatenate([*map(np.float64, each.values())]) for name, each in columns.items()},
        **more,
    )


def close_of(*values: float, **more: Any) -> dict[str, Panel]:
    return {"15m": panel({"close": {"A": values}}, **more)}


def judged(text: str, panels: Mapping[str, Panel], **populations: Any) -> str:
    named: Any = populations
    found = Evaluation(panels, "15m", named).condition(parse_screen(text))
    return "".join(".?x"[state] for state in found.states)


def numbers(text: str, panels: Mapping[str, Panel], **populations: Any) -> list[float | None]:
    named: Any = populations
    found = Evaluation(panels, "15m", named).number(parse_screen(text)).tolist()
    return [None if value != value else value for value in found]


def test_kleenes_tables():
    # Known false, unknown and known true, each with each.
    signs = {-1.0: ".", NAN: "?", 1.0: "x"}
    pairs = [(x, y) for x in signs for y in signs]
    columns = {"open": {"A": [x for x, _ in pairs]}, "close": {"A": [y for _, y in pairs]}}
    panels = {"15m": panel(columns)}
    assert judged("open > 0 and close > 0", panels) == "....??.?x"
    assert judged("open > 0 or close > 0", panels) == ".?x??xxxx"
    assert judged("not open > 0", panels) == "xxx???..."
    assert judged("not (open > 0 and close > 0)", panels) == "xxxx??x?."


def test_a_division_by_zero_and_what_is_infinite_are_unknown():
    panels = close_of(0, 2, 1e200, float("inf"))
    assert numbers("1 / close", panels) == [None, 0.5, 1e-200, None]
    assert numbers("close * close", panels) == [0.0, 4.0, None, None]
    assert judged("not 1 / close > 0", panels) == "?..?"
    assert judged("close / close == 1 or close == 0", panels) == "xxx?"


def test_a_crossing_was_at_most_and_is_more():
    panels = close_of(1, 2, 3, 2, 2, 3, 1, 3)
    assert judged("close crosses above 2", panels) == "?.x..x.x"
    assert judged("close crosses below 2", panels) == "?.....x."
    assert judged("2 crosses below close", panels) == "?.x..x.x"


def test_there_is_no_crossing_over_a_missing_or_an_unknown_bar():
    positions = np.array([0, 1, 3, 4, 5, 6])
    values = (1, 1, 3, 1, NAN, 3)
    assert judged("close crosses above 2", close_of(*values, positions=positions)) == "?.?.??"
    assert judged("close crosses above 2", close_of(*values)) == "?.x.??"
    # Everything else counts the bars that are there.
    assert numbers("close[1]", close_of(*values, positions=positions)) == [None, 1, 1, 3, 1, None]


def test_windows_over_bars():
    panels = close_of(1, 2, 3, 3, 4, NAN, 6, 7)
    assert judged("rising(close, 2)", panels) == "??x..???"
    assert judged("falling(close, 1)", panels) == "?....??."
    assert numbers("highest(close, 3)", panels) == [None, None, 3, 3, 4, None, None, None]
    assert numbers("lowest(close, 2)", panels) == [None, 1, 2, 3, 3, None, None, 6]
    assert numbers("change(close, 2)", panels) == [None, None, 2, 1, 1, None, 2, None]
    assert numbers("change(close)", panels) == [None, 1, 1, 0, 1, None, None, 1]
    assert judged("close == 3 within 2 bars", panels) == "?.xxx??."
    assert judged("close >= 3 for 2 bars", panels) == "...xx??x"
    assert judged("(close > 2)[2]", panels) == "??..xxx?"


def test_instruments_do_not_run_into_each_other():
    panels = {"15m": panel({"close": {"B": [5, 1], "A": [3, 4, 9]}})}
    assert numbers("close[1]", panels) == [None, 5, None, 3, 4]
    assert judged("close crosses above 2", panels) == "?.?.."
    assert judged("close > 4 within 2 bars", panels) == "xx?.x"


def test_functions_of_one_bar():
    panels = {"15m": panel({"close": {"A": [-3, 1, NAN, 5]}, "open": {"A": [1, 2, 0, NAN]}})}
    assert numbers("abs(close)", panels) == [3, 1, None, 5]
    assert numbers("min(close, open, 1.5)", panels) == [-3, 1, None, None]
    assert numbers("max(close, open)", panels) == [1, 2, None, None]
    assert numbers("-close + 2 * open", panels) == [5, 3, None, None]
    assert judged("between(close, 1, 5)", panels) == ".x?x"
    # What is below the low is not between, whatever the high.
    assert judged("between(close, 6, open)", panels) == "..?."


# Timeframes


def hours(*values: float, final: str = "", **more: Any) -> Panel:
    return panel({"close": {"A": values}}, 60, final=final, **more)


def test_a_longer_bar_is_known_from_its_end_on():
    panels = close_of(*range(10)) | {"1h": hours(100, 200)}
    # The first hour ends at 10:15, with the fourth bar; the second with the eighth.
    assert numbers("close@1h", panels) == [None] * 3 + [100] * 4 + [200] * 3
    assert numbers("close@1h[1]", panels) == [None] * 7 + [100] * 3
    assert numbers("close@15m[1]", panels) == numbers("close[1]", panels)


def test_operators_count_the_bars_of_the_timeframe_of_their_operands():
    panels = close_of(*range(16)) | {"1h": hours(1, 3, 3, 5)}
    assert judged("close@1h crosses above 2", panels) == "???????xxxx....."
    assert judged("rising(close@1h, 1)", panels) == "???????xxxx....x"
    # Of two timeframes, base bars are counted: the hour's value is new on one of them.
    assert judged("close@1h - 0 * close crosses above 2", panels) == "????...x........"
    assert numbers("highest(close@1h, 2)", panels) == [None] * 7 + [3] * 8 + [5]
    assert numbers("highest(close@1h + 0 * close, 2)", panels) == [None] * 4 + [1] * 3 + [3] * 8 + [
        5
    ]


def test_an_instrument_without_longer_bars_is_unknown_there():
    base = panel({"close": {"A": [1, 1, 1, 1], "B": [1, 1, 1, 1]}})
    longer = panel({"close": {"B": [7]}}, 60)
    assert numbers("close@1h", {"15m": base, "1h": longer}) == [None] * 7 + [7]
    evaluation = Evaluation({"15m": base, "1h": longer}, "15m")
    tree = parse_screen("close@1h > 1 and close > 0")
    assert evaluation.condition(tree).counts == {"matched": 1, "not": 0, "unknown": 7}
    assert evaluation.why_unknown(tree) == {"close@1h": 7}


def test_a_bar_that_is_open_is_seen_by_the_word_only():
    open_hour = hours(100, 200, final="10")
    panels = close_of(*range(6)) | {"1h": open_hour}
    assert numbers("close@1h", panels) == [None] * 3 + [100] * 3
    assert numbers("forming close@1h", close_of(1, 2, 3) | {"1h": open_hour}) == [None] * 3
    # Without the moment at which it was seen, it is of the newest base bar.
    assert numbers("forming close@1h", panels) == [None] * 5 + [200]
    moments = {"opens": np.array([MORNING, MORNING, MORNING, MORNING + 60 * MINUTE_US])}
    seen = MORNING + np.array([15, 30, 0, 105]) * MINUTE_US
    panels["1h"] = hours(10, 20, 30, 40, final="0010", seen=seen, **moments)
    # 09:30 sees the first, 09:45 and 10:00 the second; at 10:15 that hour is closed.
    assert numbers("forming close@1h", panels) == [10, 20, 20, None, None, None]
    assert numbers("close@1h", panels) == [None] * 3 + [30] * 3


def test_a_base_bar_that_is_open_is_not_judged():
    panels = close_of(1, 2, 3, final="110")
    assert judged("close > 1", panels) == ".x?"
    assert numbers("close", panels) == [1, 2, None]
    found = Evaluation(panels, "15m").condition(parse_screen("close > 1"))
    assert found.counts == {"matched": 1, "not": 1, "unknown": 0}


# Populations


MARKET = {
    "15m": panel({"close": {"D": [5, NAN], "B": [1, 4], "C": [5, 4], "A": [9, 8], "E": [2]}})
}  # fmt: skip


def test_ranks_are_from_the_least_and_equal_ones_share_theirs():
    # At 09:15 all five, at 09:30 without D, which is unknown, and E, which has no bar.
    assert numbers("cs_rank(close)", MARKET) == [3.5, None, 1, 1.5, 3.5, 1.5, 5, 3, 2]
    assert numbers("cs_pct_rank(close)", MARKET) == [0.625, None, 0, 0.25, 0.625, 0.25, 1, 1, 0.25]
    # 1 2 5 5 9: mean 4.4, variance 7.84; 4 4 8: two thirds below, a root of two above.
    expected = [0.6 / 2.8, NAN, -3.4 / 2.8, -(0.5**0.5), 0.6 / 2.8, -(0.5**0.5), 4.6 / 2.8, 2**0.5]
    scores = Evaluation(MARKET, "15m").number(parse_screen("cs_zscore(close)"))
    assert scores == pytest.approx([*expected, -2.4 / 2.8], rel=1e-12, nan_ok=True)


def test_no_bit_of_a_score_depends_on_the_order_of_instruments():
    draw = np.random.default_rng(7)
    values = {f"I{k}": [each] for k, each in enumerate(draw.lognormal(size=300))}
    names, shuffled = [*values], draw.permutation([*values])
    scores = [
        dict(
            zip(order, numbers("cs_zscore(close)", {"15m": panel({"close": by_name})}), strict=True)
        )
        for order in (names, shuffled)
        for by_name in [{name: values[name] for name in order}]
    ]
    assert scores[0] == scores[1]


def test_breadth_is_the_share_of_the_known():
    assert numbers("breadth(close > 4)", MARKET) == [
        0.6,
        1 / 3,
        0.6,
        1 / 3,
        0.6,
        1 / 3,
        0.6,
        1 / 3,
        0.6,
    ]
    assert judged("breadth(close > 4) > 0.5 and close > 4", MARKET) == "x...x.x.."


def test_one_alone_and_all_equal():
    alone = {"15m": panel({"close": {"A": [7]}})}
    assert [
        numbers(f"{name}(close)", alone) for name in ("cs_rank", "cs_pct_rank", "cs_zscore")
    ] == [
        [1],
        [0.5],
        [None],
    ]
    equal = {"15m": panel({"close": {"A": [0.1], "B": [0.1], "C": [0.1]}})}
    assert numbers("cs_rank(close)", equal) == [2, 2, 2]
    assert numbers("cs_pct_rank(close)", equal) == [0.5, 0.5, 0.5]


def test_a_population_is_of_members_or_of_groups():
    members = np.array([True, True, True, True, False, False, False, False, False])
    # D and B; who is not in it has no rank, and sees its breadth.
    assert numbers("cs_rank(close, in=few)", MARKET, few=members) == [2, None, 1, 1, *[None] * 5]
    assert numbers("breadth(close > 4, in=few)", MARKET, few=members) == [
        0.5,
        0,
        0.5,
        0,
        0.5,
        0,
        0.5,
        0,
        0.5,
    ]

    def sector(given: Panel) -> Any:
        return np.array(
            [{"A": 7, "B": 7, "E": -1}.get(given.names[code], 3) for code in given.codes]
        )

    assert numbers("cs_rank(close, in=sector)", MARKET, sector=sector) == [
        1.5,
        None,
        1,
        1,
        1.5,
        1,
        2,
        2,
        None,
    ]
    assert numbers("breadth(close > 4, in=sector)", MARKET, sector=sector) == [
        *(1, 0, 0.5, 0.5, 1, 0, 0.5, 0.5),
        None,
    ]


# Panels


def test_as_many_instruments_and_years_as_one_key_has_no_room_for():
    names = [f"I{k}" for k in range(1_000)]
    columns = {"close": {name: [k, k + 0.5] for k, name in enumerate(names)}}
    years = np.array([-5_000_000_000_000_000, 7_000_000_000_000_000] * 1_000)
    panels = {"15m": panel(columns, opens=years), "1h": panel(columns, opens=years)}
    panels["1h"] = panel(columns, opens=years)
    assert numbers("close@1h", panels) == [k + half for k in range(1_000) for half in (0, 0.5)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": ("A", "A")}, "names; an instrument is there twice"),
        ({"names": ("A", "B", "C")}, "offsets; must ascend from 0 to the 4 rows"),
        ({"offsets": np.array([0, 5, 4])}, "offsets; must ascend"),
        ({"columns": {"close": np.zeros(3)}}, "close: 3 rows; must be 4"),
        ({"ends": np.array([1, 1, 1, 2]) * 10**15}, "ends of final rows; must ascend"),
        ({"opens": np.array([2, 1, 1, 2])}, "opens; must ascend within an instrument"),
        ({"is_final": np.zeros(4, bool), "seen": np.array([2, 1, 1, 2])}, "seen; must ascend"),
    ],
)
def test_a_panel_that_cannot_be_is_refused(change, words):
    made = panel({"close": {"A": [1, 2], "B": [3, 4]}})
    fields = {name: getattr(made, name) for name in ("names", "offsets", "opens", "ends")}
    fields |= {"is_final": made.is_final, "columns": made.columns}
    with pytest.raises(ScreenError, match=words):
        Panel(**(fields | change))


def test_what_is_not_there_is_named():
    panels = close_of(1, 2)
    for text, words in {
        "open > 1": "panel: 'open'; no such column",
        "close@1h > 1": "panels: 1h: no bars of this timeframe; there are: 15m",
        "cs_rank(close, in=secter) > 1": "in='secter': no such population; did you mean sector",
        "cs_rank(close, in=short) > 1": "in='short': bool [1]; must be bool or whole numbers",
        "cs_rank(close, in=odd) > 1": "in='odd': float64 [2]; must be bool or whole numbers",
    }.items():
        with pytest.raises(ScreenError) as caught:
            judged(text, panels, sector=np.zeros(2, int), short=np.ones(1, bool), odd=np.zeros(2))
        assert words in str(caught.value)
    with pytest.raises(ScreenError, match="close > 1: is a condition; a number is asked for here"):
        numbers("close > 1", panels)
    with pytest.raises(ScreenError, match="close: is a number; a condition is asked for here"):
        judged("close", panels)

"""Cycles, channels and counts that take several steps."""

from __future__ import annotations

from tests.oracles.table import Row

HLC = "high, low, close"

ROWS = (
    Row(
        "kdj({0}, {1}, {2})",
        f"talib.KDJ({HLC}, {{0}}, {{1}}, 13, {{2}}, 13)",
        ((9, 3, 3), (5, 2, 4), (14, 5, 3)),
    ),
    Row(
        "stc({0}, {1}, {2}, {3})",
        "wickra.STC({1}, {2}, {0}, {3}).batch(close)",
        ((10, 23, 50, 0.5), (5, 3, 10, 0.25)),
        residue=1e-8,
        differs_on=dict.fromkeys(
            ("jumps", "stops and goes on", "PREMEXPLN"), "without a range its place falls to zero"
        ),
    ),
    Row(
        "qqe({0}, {1}, {2})",
        "wickra.QQE({0}, {1}, {2}).batch(close).tolist()",
        ((14, 5, 4.236), (5, 3, 2.0)),
        starts="its first values come together",
        differs_on=dict.fromkeys(
            ("still", "zero", "zeros"), "its strength is 50 while nothing has changed"
        ),
    ),
    Row(
        "linreg_channel({0}, {1})",
        "wickra.LinRegChannel({0}, {1}).batch(close).tolist()",
        ((5, 2.0), (20, 2.0), (100, 0.5)),
    ),
    Row(
        "td_sequential({0}, {1})",
        f"np.array(wickra.TDSequential(4, {{0}}, 2, {{1}}).batch({HLC}).tolist())[:, :2]",
        ((9, 13), (3, 5)),
    ),
)

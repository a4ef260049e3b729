"""Screens that a live engine is asked amid its history, beside what its bars say."""

from __future__ import annotations

import random
from copy import copy
from typing import Any

from tallow import LiveEngine
from tallow.core.errors import ScreenError
from tallow.runtime.live.kept_bars import KeptBars
from tests.runtime.live.tables import Table, table
from tests.runtime.live.twin import Twin

TEXTS = (
    "close > open",
    "close > close[{n}]",
    "close crosses above open or close@{other} < open@{other}[{n}]",
    "forming high@{other} > high",
    "cs_rank(volume)[{n}] > 1",
    "highest(high, {n}) > high@{other} within 2 bars",
)


def drawn_text(twin: Twin, draw: random.Random) -> tuple[str, str]:
    """Return a screen, and of which timeframe it is asked."""
    base, other = draw.choice(twin.setup.timeframes), draw.choice(twin.setup.timeframes)
    return draw.choice(TEXTS).format(other=other, n=draw.choice([1, 2, 6])), base


def require_kept(live: LiveEngine, text: str, base: str) -> None:
    """Assert that the bars an engine kept say what those of its candles in memory say."""
    assert answer(live, text, base) == answer(forgetful(live), text, base)


def forgetful(live: LiveEngine) -> LiveEngine:
    """Return an engine of the same state that has kept no bars."""
    other = copy(live)
    other._know_no_screens()
    other._panels._kept = KeptBars(len(live.timeframes))
    other._panels._kept.grow(len(live._state.memory.next))
    return other


def require_newest(twin: Twin, base: str) -> None:
    """Assert that a screen sees the newest closed bars of a run from scratch."""
    is_whole = all(len(twin.own(name)) <= twin.setup.keep for name in twin.live.names)
    closed = closed_bars(twin, base)
    if is_whole and not twin.deletions and closed:
        # Of a store's candles, an engine has no more than it needs.
        columns = [] if twin.store is not None else ["close[1]"]
        found = twin.live.screen("high >= low", base, columns=columns).frame
        expected = expected_rows(closed, len(columns))
        assert table(found.with_columns(candles=0, is_final=True)) == expected


def answer(live: LiveEngine, text: str, base: str) -> Any:
    """Return all that a screen says, or its error."""
    try:
        found = live.screen(text, base, columns=["volume"], sort="close")
    except ScreenError as error:
        return str(error)
    rows = found.frame.rows(), found.unknown.rows()
    return rows, found.counts, found.why_unknown, found.judged_at


def closed_bars(twin: Twin, size: str) -> dict[str, list[tuple[int, Any]]]:
    """Return the opens and closes of each instrument's closed bars, of a run from scratch."""
    closed: dict[str, list[tuple[int, Any]]] = {}
    for (name, opens), (_, is_final, *said) in sorted(twin.expected()[size].items()):
        if is_final:
            closed.setdefault(name, []).append((opens, said[3]))
    return closed


def expected_rows(closed: dict[str, list[tuple[int, Any]]], before: int) -> Table:
    """Return the newest bars of those that have one then, with so many closes before."""
    newest = max(rows[-1][0] for rows in closed.values())
    found: Table = {}
    for name, rows in closed.items():
        earlier = [*(close for _, close in rows[-2:-1]), None][:before]
        if rows[-1][0] == newest:
            found[name, newest] = (0, True, rows[-1][1], *earlier)
    return found

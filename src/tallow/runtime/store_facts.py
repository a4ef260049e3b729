"""What a store's state says beside its candles, asked once for each state."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeVar

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.data.adjust import ADJUSTMENTS, effect_times
from tallow.data.joins import JoinedHistories
from tallow.runtime.stored import StoredCandles

if TYPE_CHECKING:
    from tallow.data.store.reader import StoreState

T = TypeVar("T")


class StoreFacts:
    """The joins, names and actions of a store, as its newest state that was asked has them."""

    def __init__(self, calendars: CalendarAssignment) -> None:
        self._calendars = calendars
        self._facts: dict[Hashable, tuple[Hashable, object]] = {}

    def joined(self, state: StoreState) -> JoinedHistories:
        """Return which instruments go on where others ended."""
        return self._fact(
            "joins",
            state.token(),
            lambda: JoinedHistories.of(state.actions.joins(), self._calendars),
        )

    def interest(self, candles: StoredCandles, state: StoreState) -> bool:
        """Say whether candles have open interest."""
        what = ("interest", candles.timeframe, candles.adjustment)
        return self._fact(what, state.token(), candles.has_interest)

    def names(self, candles: StoredCandles, state: StoreState) -> set[str]:
        """Return all instruments that have candles of a kind."""
        what = ("names", candles.timeframe, candles.adjustment)
        return self._fact(what, state.token(), candles.names)

    def in_effect(self, adjustment: str, state: StoreState, now: int) -> int:
        """Return how many of the store's actions have happened: in one state the number says which.

        One that was announced happens at a midnight, without anything being written.
        """
        if adjustment not in ADJUSTMENTS:
            return 0
        times = self._fact(
            "actions",
            state.token(),
            lambda: effect_times(state.actions.read(), self._calendars),
        )
        return bisect_right(times, now)

    def _fact(self, what: Hashable, token: Hashable, ask: Callable[[], T]) -> T:
        """Return what a store's state says, asked once for each state."""
        kept = self._facts.get(what)
        if kept is None or kept[0] != token:
            self._facts[what] = kept = (token, ask())
        return kept[1]  # type: ignore[return-value]

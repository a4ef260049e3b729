"""The bars of a live engine, as far back as its candles are in memory, for screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ScreenError, near_matches
from tallow.core.text import counted
from tallow.core.time import BEGIN_OF_TIME, END_OF_TIME
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.kernels import aggregate
from tallow.data.store.store import Store
from tallow.data.universe import Universe
from tallow.data.universe_files import find_universe
from tallow.runtime.live.bar_rows import BarRows, join_rows
from tallow.runtime.live.compared import ComparedBars
from tallow.runtime.live.comparing import Comparing
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.kept_bars import KeptBars
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.screens.bars import bucket_times
from tallow.screens.needs import TimeframeNeeds, population_names
from tallow.screens.nodes import Node
from tallow.screens.panels import Panel

_MINUTES = {"day": 1440, "week": 7 * 1440, "month": 31 * 1440}


class LiveSource:
    """The bars of a live engine for one question, as they were when it was asked."""

    has_receipts, is_whole = False, True

    def __init__(self, names: Sequence[str], panels: dict[str, Panel], store: Store | None) -> None:
        self._names, self._panels, self._store = names, panels, store
        self.size, self.until = parse_timeframe("1m"), END_OF_TIME
        self.notes, self.why_empty, self.quarantined = tuple[str, ...](), "", 0

    def begin(self, names: Sequence[str] | None, until: int | None, known_at: int | None) -> None:
        """Take of whom is asked: the bars are those of all, as they are."""

    def panels(
        self,
        needs: Mapping[str | None, TimeframeNeeds],
        base: str,
        first: int | None,
        calendars: CalendarAssignment,
    ) -> dict[str, Panel]:
        """Return the panels of the question."""
        return self._panels

    def universe(self, given: str | Path | Universe | None) -> Universe | None:
        """Return the universe that is meant, with keys for symbols of a store."""
        universes = None if self._store is None else self._store.universes
        found = find_universe(given, universes)
        return found if found is None or universes is None else universes.by_keys(found)

    def instruments(self) -> Sequence[str]:
        """Return the engine's instruments."""
        return self._names


@dataclass(frozen=True)
class BarNeeds:
    """What a screen wants of one of an engine's timeframes, by its number.

    Attributes
    ----------
    columns
        Of the bars.
    bars
        How many of the newest closed ones are looked at, at most.
    must
        Of how many an instrument must be there.
    has_forming
        Whether the open ones are, too.
    """

    number: int
    columns: tuple[str, ...]
    bars: int
    must: int
    has_forming: bool


class LivePanels:
    """A live engine's bars as panels; nothing may change its state meanwhile.

    Attributes
    ----------
    names
        The instruments, sorted, as in all panels.
    order
        Their numbers in the engine, in this order.
    """

    def __init__(
        self,
        state: LiveState,
        intake: Intake,
        calendars: CalendarAssignment,
        comparing: Comparing | None,
    ) -> None:
        self._state, self._intake = state, intake
        self._calendars, self._comparing = calendars, comparing
        self._sizes = [each.size for each in state.timeframes]
        # The state does not know what was compared.
        self._kept = state.kept if comparing is None else KeptBars(len(self._sizes))
        self._compared = tuple[int, ...]()
        self.names: tuple[str, ...] = ()
        self.order = np.empty(0, dtype=np.int64)

    def look(self) -> tuple[int, ...]:
        """Doubt what has changed outside of the kept bars; return a version of what there is.

        It differs where closed bars, or how many of them are in memory, may differ.
        """
        count = len(self._intake.names)
        if self._comparing is not None:
            parts = self._comparing.bars
            compared = (count, self._comparing.closed, *(each.gone for each in parts))
            if compared != self._compared:
                self._kept.grow(len(self._state.memory.next))
                self._kept.doubt(slice(None))
                self._compared = compared
        if any(any(each.failed.values()) for each in self._state.timeframes):
            # A kernel that fails takes the values of earlier bars away, too.
            self._kept.doubt(slice(None))
        return count, self._kept.version, int(self._state.memory.first.sum())

    def wanted(
        self,
        needs: Mapping[str | None, TimeframeNeeds],
        base: Timeframe,
        trees: Sequence[Node],
        judged: int = 1,
    ) -> list[BarNeeds]:
        """Return what trees want; `ScreenError` if the engine lacks a timeframe or an indicator.

        `judged` is how many of the newest bars of `base` are judged.
        """
        is_compared = bool(population_names(*trees))
        found = []
        for each in {None: TimeframeNeeds(None), **needs}.values():
            size, own = parse_timeframe(each.timeframe or base), each.timeframe is None
            number = self._place(size)
            self._require_columns(number, each)
            names = (*each.columns, *(spec.columns[0] for spec in each.specs), "close")
            columns = tuple(dict.fromkeys(names))
            bars = each.bars + judged if own else _bars_of(each, size, base, judged)
            if own and is_compared and each.bars:
                # Members of a population may have more bars since than who is judged.
                bars = max(bars, self._capacity(size))
            found.append(BarNeeds(number, columns, bars, each.bars + 1, each.has_forming))
        return found

    def of(
        self, wanted: Sequence[BarNeeds], *, is_crossed: bool, may_be_short: bool = False
    ) -> dict[str, Panel]:
        """Return the panels that are wanted, after a look.

        `ScreenError` if they look back further than the engine's memory goes now, unless they
        `may_be_short`: what looks back so far is unknown then.
        """
        if len(self.names) != len(self._intake.names):
            names, self.order = self._intake.names, np.argsort(self._intake.rank)
            self.names = tuple(names[number] for number in self.order.tolist())
        for each in wanted:
            most = self._state.memory.capacity + 2
            self._kept.want(each.number, each.columns, min(each.bars, most))
        self._kept.settle(len(self.names), self._load)
        return {
            self._sizes[each.number].text: self._panel(each, is_crossed, may_be_short)
            for each in wanted
        }

    def require_room(self, wanted: Sequence[BarNeeds]) -> None:
        """Raise `ScreenError` if bars are looked at that will never be in memory."""
        for each in wanted:
            size = self._sizes[each.number]
            if size.minutes and each.must > self._capacity(size):
                raise ScreenError(
                    f"screen: looks {counted(each.must - 1, 'bar')} of {size} back; this live "
                    f"engine keeps {self._state.memory.capacity} candles in memory; have it keep "
                    "more"
                )

    # What the engine has

    def _place(self, size: Timeframe) -> int:
        if size not in self._sizes:
            raise ScreenError(
                f"screen: {size}; is no timeframe of this live engine, which has "
                f"{', '.join(map(str, self._sizes))}; start it with this one, too"
            )
        return self._sizes.index(size)

    def _require_columns(self, number: int, needs: TimeframeNeeds) -> None:
        part = self._state.timeframes if self._comparing is None else self._comparing.bars
        fields = part[number].fields
        for spec in needs.specs:
            if spec.columns[0] not in fields:
                hint = near_matches(spec.columns[0], fields)
                raise ScreenError(
                    f"screen: {spec.text}; is no indicator of this live engine, which computes "
                    f"what it was started with; {hint}"
                )

    def _require_depth(self, wanted: BarNeeds, counts: Ints) -> None:
        """Raise `ScreenError` if bars are looked at that are older than those in memory."""
        closed = int(counts.max(initial=0))
        if closed >= wanted.must or self._has_all():
            return
        if not closed:
            raise ScreenError(
                f"screen: this live engine has no closed bar of {self._sizes[wanted.number]} in "
                "memory yet; ask again when one has closed, or have it keep more candles"
            )
        raise ScreenError(
            f"screen: looks {counted(wanted.must - 1, 'bar')} of {self._sizes[wanted.number]} "
            f"back; this live engine has {max(closed - 1, 0)} in memory; have it keep more candles"
        )

    def _has_all(self) -> bool:
        """Say whether no instrument ever had more candles than are in memory."""
        return self._intake.source is None and not self._state.memory.first.any()

    def _capacity(self, size: Timeframe) -> int:
        """Return how many bars of an instrument that traded every minute are in memory."""
        return self._state.memory.capacity // max(size.minutes, 1) + 2

    # Bars

    def _load(self, which: Ints) -> Sequence[BarRows]:
        """Return the bars that are kept, and perhaps more, of instruments; see `KeptBars`."""
        if self._comparing is not None:
            return self._load_compared(which, self._comparing.bars)
        memory, parts = self._state.memory, zip(self._kept.timeframes, self._sizes, strict=True)
        # A bar has no more candles than minutes; one is open, and one may begin the memory.
        back = max((kept.bars + 2) * size.minutes or memory.capacity for kept, size in parts)
        rows = self._state.newest_bars(which, back)
        has_more = (memory.next - memory.first)[which] > back
        short = which[has_more & self._has_few(which, rows)]
        if not len(short):
            return rows
        # They have candles that are in no bar.
        whole = self._state.newest_bars(short, memory.capacity)
        rest = [part.take(~np.isin(part.instrument, short)) for part in rows]
        return [join_rows(pair).sort() for pair in zip(rest, whole, strict=True)]

    def _load_compared(self, which: Ints, parts: Sequence[ComparedBars]) -> Sequence[BarRows]:
        """Do so where instruments are compared: at the bar times that are kept, of all of them."""
        rows = [each.all_rows() for each in parts]
        short = which[self._has_few(which, rows)]
        if not len(short) or all(each.gone == BEGIN_OF_TIME for each in parts):
            return rows
        # The newest bars of those that trade seldom are older.
        own = self._state.newest_bars(short, self._state.memory.capacity)
        older = [
            each.shown(part.take(part.timestamp <= each.gone))
            for each, part in zip(parts, own, strict=True)
        ]
        return [join_rows(pair).sort() for pair in zip(rows, older, strict=True)]

    def _has_few(self, which: Ints, rows: Sequence[BarRows]) -> Flags:
        """Say which instruments have less closed bars among rows than are kept."""
        few = np.zeros(len(which), dtype=np.bool_)
        for kept, part in zip(self._kept.timeframes, rows, strict=True):
            closed = part.instrument[part.is_final]
            few |= np.bincount(closed, minlength=int(which[-1]) + 1)[which] < kept.bars
        return few

    def _since(self, number: int) -> Times:
        """Return until when the bars of each instrument ended that are in memory no more."""
        memory, which = self._state.memory, self.order
        if self._comparing is not None or not memory.first.any():
            return np.full(len(which), BEGIN_OF_TIME)
        at = sum(part.shape[1] for each in self._state.timeframes[:number] for part in each.now)
        slots = memory.slot(memory.first[which])
        has_bar, opens, last = (
            memory.snapshots[slots, which, at + field]
            for field in (aggregate.HAS_BAR, aggregate.OPENS, aggregate.LAST_TIME)
        )
        since: Floats = np.maximum(np.where(has_bar != 0.0, opens, last), BEGIN_OF_TIME)
        return since.astype(np.int64)

    def _panel(self, wanted: BarNeeds, is_crossed: bool, may_be_short: bool) -> Panel:
        number, kept = wanted.number, self._kept.timeframes[wanted.number]
        bars = min(wanted.bars, kept.bars)
        slots, counts = kept.newest(self.order, bars, self._since(number))
        if not may_be_short:
            self._require_depth(wanted, counts)
        opens, ends, values = kept.at(slots, wanted.columns)
        final = np.ones(len(slots), dtype=np.bool_)
        codes = np.repeat(np.arange(len(counts)), counts)
        if wanted.has_forming:
            rows = self._open_rows(number)
            codes = np.append(codes, self._intake.rank[rows.instrument])
            order = np.argsort(codes, kind="stable")
            codes = codes[order]
            opens = np.append(opens, rows.timestamp)[order]
            ends = np.append(ends, rows.end)[order]
            final = np.append(final, rows.is_final)[order]
            values = {name: np.append(each, rows[name])[order] for name, each in values.items()}
        offsets = np.searchsorted(codes, np.arange(len(counts) + 1))
        positions = None
        if is_crossed:
            calendar_of = self._state.calendar_of[self.order[codes]]
            size, source = self._sizes[number], parse_timeframe("1m")
            positions = bucket_times(opens, calendar_of, size, source, self._calendars)[1]
        return Panel(self.names, offsets, opens, ends, final, values, positions)

    def _open_rows(self, number: int) -> BarRows:
        """Return the bars that are open."""
        if self._comparing is not None:
            rows = self._comparing.bars[number].all_rows()
        else:
            rows = self._state.timeframes[number].last_bars(np.arange(len(self.names)))
        return rows.take(~rows.is_final)


def _bars_of(needs: TimeframeNeeds, size: Timeframe, base: Timeframe, judged: int) -> int:
    """Return how many closed bars are looked at, counted from the newest one of any base bar."""
    # Of a shorter timeframe, some close after the base bar that is judged.
    each = -(-_minutes(base) // _minutes(size))
    return needs.bars + 1 + (needs.base_bars + judged) * each


def _minutes(size: Timeframe) -> int:
    return size.minutes or _MINUTES[size.unit]

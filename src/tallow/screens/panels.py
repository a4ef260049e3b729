"""Bars of one timeframe of many instruments as arrays, and which of them is known at a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.errors import ScreenError, excerpt, near_matches
from tallow.core.text import counted
from tallow.screens.series import known_only

_FEW_BARS = 16
"""How many bars of each instrument are counted faster than searched."""

_KEY_MAX = int(np.iinfo(np.int64).max) // 2


@dataclass(frozen=True, eq=False)
class Panel:
    """Bars of one timeframe of many instruments.

    Attributes
    ----------
    names
        The instruments, each once.
    offsets
        int64 ``[instruments + 1]``: rows ``offsets[i]:offsets[i + 1]`` are of instrument ``i``.
    opens, ends
        int64 ``[rows]``, microseconds since 1970 UTC; they ascend within an instrument.
    is_final
        bool ``[rows]``: whether the bar is closed.
    columns
        float64 ``[rows]`` by name: columns of the candles, and those of specs, such as ``ema_20``.
        NaN is unknown.
    positions
        int64 ``[rows]``, or None: bars that follow each other differ by 1, so that a missing bar
        shows. Without, every row follows the one before it.
    seen
        int64 ``[rows]``, or None: the moment up to which the candles of a bar that is not final go.
        There may be several rows of one open bar, each as it was at another moment; they ascend by
        it, and the final one comes last. Without, such a row is what the panel's newest base bar
        sees, and no earlier one.

    Raises
    ------
    ScreenError
        If arrays differ in length, or rows do not ascend.
    """

    names: tuple[str, ...]
    offsets: Ints
    opens: Times
    ends: Times
    is_final: Flags
    columns: Mapping[str, Floats]
    positions: Ints | None = None
    seen: Times | None = None

    def __post_init__(self) -> None:
        rows = len(self.opens)
        if len(set(self.names)) != len(self.names):
            raise ScreenError("panel: names; an instrument is there twice; give each once")
        ends_well = len(self.offsets) == len(self.names) + 1 and self.offsets[-1] == rows
        if not ends_well or self.offsets[0] != 0 or (np.diff(self.offsets) < 0).any():
            raise ScreenError(
                f"panel: offsets; must ascend from 0 to the {counted(rows, 'row')}, with one more "
                f"than the {counted(len(self.names), 'instrument')}"
            )
        others = {"ends": self.ends, "is_final": self.is_final, **self.columns}
        others |= {"positions": self.positions} if self.positions is not None else {}
        others |= {"seen": self.seen} if self.seen is not None else {}
        for name, values in others.items():
            if len(values) != rows:
                raise ScreenError(f"panel: {name}: {counted(len(values), 'row')}; must be {rows}")
        final = self.closed
        if not final.is_all:
            _require_ascending(PanelRows(self, np.arange(rows)))
        _require_ascending(final, "of final rows")
        if self.seen is not None:
            still_open = self.still_open
            _require_steps("seen", still_open.of_rows(self.seen), still_open)

    @cached_property
    def codes(self) -> Ints:
        """The instrument of each row, as its place among `names`."""
        return np.repeat(np.arange(len(self.names)), np.diff(self.offsets))

    @cached_property
    def closed(self) -> PanelRows:
        """The rows that are final."""
        return PanelRows(self, np.flatnonzero(self.is_final))

    @cached_property
    def still_open(self) -> PanelRows:
        """The rows that are not final."""
        return PanelRows(self, np.flatnonzero(~self.is_final))


@dataclass(frozen=True, eq=False)
class PanelRows:
    """Some rows of a panel, by their places in it; instruments are those of the panel."""

    panel: Panel
    rows: Ints

    @cached_property
    def is_all(self) -> bool:
        """Whether these are all rows of the panel."""
        return len(self.rows) == len(self.panel.opens)

    @cached_property
    def codes(self) -> Ints:
        """The instrument of each row."""
        return self.of_rows(self.panel.codes)

    @cached_property
    def offsets(self) -> Ints:
        """Where each instrument's rows begin, and the end of the last one's."""
        if self.is_all:
            return self.panel.offsets
        return np.searchsorted(self.rows, self.panel.offsets)

    @cached_property
    def of_each(self) -> int:
        """How many rows each instrument has; 0 where they have none, or not equally many."""
        counts = np.diff(self.offsets)
        return int(counts[0]) if len(counts) and (counts == counts[0]).all() else 0

    @cached_property
    def within(self) -> Flags:
        """Whether each row but the first is of the instrument of the row before it."""
        is_same: Flags = np.diff(self.codes) == 0
        return is_same

    @cached_property
    def numbers(self) -> Ints:
        """Which row of its instrument each one is, from 0."""
        return np.arange(len(self.rows)) - self.offsets[self.codes]

    @cached_property
    def newest(self) -> Ints:
        """Which row of the panel is the last of these of each instrument; -1 where it has none."""
        starts, stops = self.offsets[:-1], self.offsets[1:]
        return np.where(stops > starts, np.append(self.rows, -1)[stops - 1], -1)

    @cached_property
    def opens(self) -> Times:
        """When each bar opens."""
        return self.of_rows(self.panel.opens)

    @cached_property
    def ends(self) -> Times:
        """When each bar ends."""
        return self.of_rows(self.panel.ends)

    @cached_property
    def follows(self) -> Flags:
        """Whether each row's bar follows the bar of the row before, with none missing between."""
        is_next = self.numbers > 0
        if self.panel.positions is not None:
            is_next &= np.diff(self.of_rows(self.panel.positions), prepend=0) == 1
        return is_next

    def of_rows(self, values: np.ndarray) -> np.ndarray:
        """Return the values of these rows, of an array of all."""
        return values if self.is_all else values[self.rows]

    def column(self, name: str) -> Floats:
        """Return a column, with NaN for what is not finite."""
        if name in self._known:
            return self._known[name]
        if name not in self.panel.columns:
            hint = near_matches(name, self.panel.columns)
            raise ScreenError(
                f"panel: {excerpt(name)}; no such column; `leaves` says which are needed; {hint}"
            )
        self._known[name] = known_only(self.of_rows(self.panel.columns[name]))
        return self._known[name]

    @cached_property
    def _known(self) -> dict[str, Floats]:
        """The columns that somebody has asked for."""
        return {}


def latest(rows: PanelRows, known: Times, at: PanelRows, moments: Times) -> Ints:
    """Return, for moments of rows, which of other rows of the instrument is the newest one known.

    Parameters
    ----------
    rows, known
        The rows to choose from, and from when each is known, ascending within an instrument.
    at, moments
        The rows to choose for, and the moment of each.

    Returns
    -------
    numpy.ndarray
        int64: the place among `rows`; -1 where none is known then.
    """
    found = np.full(len(moments), -1)
    if not len(known) or not len(moments):
        return found
    is_same = rows.panel.names == at.panel.names
    if is_same and 0 < rows.of_each <= _FEW_BARS and at.of_each > 0:
        return _latest_of_few(known.reshape(-1, rows.of_each), moments.reshape(-1, at.of_each))
    codes = codes_among(rows.panel.names, at.panel.names)[at.codes]
    first = min(known.min(), moments.min())
    span = int(max(known.max(), moments.max()) - first) + 1
    # Instrument and time are one key, of as many instruments at once as an int64 has room for.
    step = max(_KEY_MAX // span, 1)
    for start in range(0, len(rows.panel.names), step):
        stop = min(start + step, len(rows.panel.names))
        low, high = rows.offsets[start], rows.offsets[stop]
        keys = (rows.codes[low:high] - start) * span + (known[low:high] - first)
        asked = np.flatnonzero((codes >= start) & (codes < stop))
        wanted = (codes[asked] - start) * span + (moments[asked] - first)
        last = low + np.searchsorted(keys, wanted, side="right") - 1
        found[asked] = np.where(last >= rows.offsets[codes[asked]], last, -1)
    return found


def _latest_of_few(known: Times, moments: Times) -> Ints:
    """Return `latest` where instruments, in rows here, have few bars, and equally many each."""
    counts = np.zeros(moments.shape, dtype=np.int64)
    for bar in known.T:
        counts += bar[:, np.newaxis] <= moments
    first = known.shape[1] * np.arange(len(known))[:, np.newaxis]
    return np.where(counts > 0, first + counts - 1, -1).ravel()


def codes_among(names: Sequence[str], others: Sequence[str]) -> Ints:
    """Return where each of other instruments stands among `names`; -1 where it does not."""
    if names is others or names == others:
        return np.arange(len(names))
    codes = {name: code for code, name in enumerate(names)}
    return np.array([codes.get(name, -1) for name in others], np.int64)


def _require_ascending(rows: PanelRows, once: str = "") -> None:
    for what, times in (("opens", rows.opens), ("ends", rows.ends)):
        _require_steps(what, times, rows, once and f"{what} {once}")


def _require_steps(what: str, times: Times, rows: PanelRows, once: str = "") -> None:
    """Raise `ScreenError` unless times ascend within an instrument; with `once`, each differs."""
    each = rows.of_each
    # Equally many rows of each instrument need no look at whose row each is.
    steps = np.diff(times.reshape(-1, each)) if each else np.diff(times)[rows.within]
    least = int(steps.min(initial=1))
    if least < 0 or (once and not least):
        raise ScreenError(
            f"panel: {what if least < 0 else once}; must ascend within an instrument; sort the rows"
        )

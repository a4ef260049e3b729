"""Compared bars as named arrays, for a live engine's state on disk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tallow.data.state_file import Arrays
from tallow.runtime.live.compared import BarTime, ComparedBars

COMPARED = "compared/"
_OF_BARS = ("end", "final", "revision", "values", "made", "before")
_OF_LAST = ("after", "last_open", "last_made", "last_revision", "last_values")


def arrays_of(all_bars: Sequence[ComparedBars]) -> Arrays:
    """Return the bars of all timeframes as named arrays."""
    found: Arrays = {}
    for place, bars in enumerate(all_bars):
        where = f"{COMPARED}{place}/"
        opens = [each.open for each in bars.bar_times]
        found[f"{where}open"] = np.array(opens, dtype=np.int64)
        found[f"{where}gone"] = np.array([bars.gone, bars.gone_end], dtype=np.int64)
        like = bars.bar_time_of(0)
        for name in _OF_BARS:
            parts = [getattr(each, name) for each in bars.bar_times]
            none = getattr(like, name)
            found[f"{where}{name}"] = np.array(parts or none[np.newaxis][:0], dtype=none.dtype)
        found |= {f"{where}{name}": getattr(bars, name) for name in _OF_LAST}
    return found


def restore(all_bars: Sequence[ComparedBars], arrays: Arrays, names: Sequence[str]) -> None:
    """Put saved bars, whose arrays fit, into new ones; `names` are those of all instruments."""
    for place, bars in enumerate(all_bars):
        where = f"{COMPARED}{place}/"
        bars.grow(names[: len(arrays[f"{where}last_open"])])
        bars.gone, bars.gone_end = arrays[f"{where}gone"].tolist()
        for name in _OF_LAST:
            setattr(bars, name, arrays[f"{where}{name}"].copy())
        kept = [arrays[f"{where}{name}"] for name in _OF_BARS]
        bars.bar_times = [
            BarTime(moment, *(part[k].copy() for part in kept))
            for k, moment in enumerate(arrays[f"{where}open"].tolist())
        ]


def what_is_wrong(make: Sequence[ComparedBars], arrays: Arrays, names: Sequence[str]) -> str | None:
    """Say what of some arrays is not as an engine with these bars saves it.

    `make` are bars without instruments.
    """
    own = {name: array for name, array in arrays.items() if name.startswith(COMPARED)}
    counts = {a.shape[0] if a.ndim else -1 for n, a in own.items() if n.endswith("/last_open")}
    count = counts.pop() if len(counts) == 1 else -1
    if not 0 <= count <= len(names):
        return "how many instruments it compares"
    like = [each.copied() for each in make]
    for each in like:
        each.grow(names[:count])
    shapes = {name: (array.dtype, array.shape[1:]) for name, array in arrays_of(like).items()}
    found = {name: (array.dtype, array.shape[1:]) for name, array in own.items()}
    for name in sorted(shapes.keys() | found.keys()):
        if shapes.get(name) != found.get(name):
            return f"array {name!r}"
    for place, each in enumerate(like):
        where = f"{COMPARED}{place}/"
        lengths = {len(own[f"{where}{name}"]) for name in ("open", *_OF_BARS)}
        opens = own[f"{where}open"]
        rest = [len(own[f"{where}{n}"]) - len(getattr(each, n)) for n in (*_OF_LAST,)]
        if len(lengths) > 1 or any(rest) or (np.diff(opens) <= 0).any():
            return f"array {where + 'open'!r}"
        if len(own[f"{where}gone"]) != 2 or (len(opens) and opens[0] <= own[f"{where}gone"][0]):
            return f"array {where + 'gone'!r}"
    return None

"""Checks of a saved state: whether each value has its type, and each array its shape.

A file may be older, from elsewhere, or made by hand, and still have the right checksum. Nothing of
it is used before all of it is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from tallow.core.errors import StateError, excerpt
from tallow.core.time import BEGIN_OF_TIME, END_OF_TIME
from tallow.data.kernels.rows import TIME_MAX_US
from tallow.data.kernels.tick_book import FIRST, HIGH, LAST, LOW, NEVER
from tallow.data.kernels.tick_minutes import TIME_FIRST_US, TIME_LAST_US
from tallow.data.state_file import Arrays
from tallow.runtime.live.bar_rows import rows_of_text
from tallow.runtime.live.compared_state import COMPARED
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.memory import FIELDS, TIME
from tallow.runtime.live.timeframe_state import new_rows

Check = Callable[[Any], bool]
"""Says whether a value of the header is of one kind."""

TICKS = "ticks/"
_FORM = "is not what this version writes; rebuild it"


def is_text(value: Any) -> bool:
    """Say whether a value is text."""
    # Half of a surrogate pair is valid JSON, but not text.
    return isinstance(value, str) and value.encode(errors="ignore").decode() == value


def is_flag(value: Any) -> bool:
    """Say whether a value is true or false."""
    return isinstance(value, bool)


def whole(low: int, high: int) -> Check:
    """Return a check for a whole number in a range."""
    return lambda value: type(value) is int and low <= value <= high


def each(check: Check) -> Check:
    """Return a check for a list whose values all pass a check."""
    return lambda value: isinstance(value, list) and all(map(check, value))


def row(*checks: Check) -> Check:
    """Return a check for a list of as many values, each of which passes its check."""

    def fits(value: Any) -> bool:
        right = isinstance(value, list) and len(value) == len(checks)
        return right and all(check(one) for check, one in zip(checks, value, strict=True))

    return fits


def by_name(check: Check, names: Collection[str] | None = None) -> Check:
    """Return a check for a mapping from names, known ones if given, to values that pass a check."""

    def fits(value: Any) -> bool:
        right = isinstance(value, dict) and (names is None or value.keys() <= set(names))
        return right and all(map(check, value.values()))

    return fits


def record(checks: Mapping[str, Check]) -> Check:
    """Return a check for a mapping that has all of these names, each with a value that passes."""
    return lambda value: (
        isinstance(value, dict)
        and checks.keys() <= value.keys()
        and all(check(value[name]) for name, check in checks.items())
    )


_ASKED = record(
    {
        "timeframes": each(is_text),
        "indicators": each(is_text),
        "convention": is_text,
        "grace": lambda value: type(value) is float,
        "keep": lambda value: type(value) is int,
    }
)
"""What an engine was asked to compute, and to keep."""


def require_header(path: Path, header: Mapping[str, Any], state: LiveState) -> None:
    """Raise `StateError` unless a header has all that an engine with these timeframes saves."""
    names: Any = header.get("names")
    if not _are_names(names):
        raise StateError(f"state: file={path}; its list of instruments {_FORM}")
    for name, check in _checks(state, len(names)).items():
        if name not in header:
            raise StateError(f"state: file={path}; it does not say {name!r}; rebuild it")
        if not check(header[name]):
            raise StateError(f"state: file={path}; {name}={excerpt(header[name])}; {_FORM}")
    # Files of before do not say it.
    if "asked" in header and not _ASKED(header["asked"]):
        raise StateError(f"state: file={path}; asked={excerpt(header['asked'])}; {_FORM}")


def require_arrays(path: Path, arrays: Arrays, state: LiveState, count: int) -> None:
    """Raise `StateError` unless the arrays fit so many instruments."""
    shapes = _shapes(state, _length(arrays, "memory/next"))
    others = (TICKS, COMPARED)
    own = {name: array for name, array in arrays.items() if not name.startswith(others)}
    _require_shapes(path, own, shapes)
    first, after = own["memory/first"], own["memory/next"]
    memory = state.memory
    right = (first >= 0) & (first <= after) & (first % memory.stride == 0)
    right &= (after - first <= memory.capacity) & (after < END_OF_TIME)
    if len(after) < count or not right.all():
        raise StateError(f"state: file={path}; which candles it holds {_FORM}")


def require_ticks(path: Path, arrays: Arrays, empty: Arrays, count: int) -> None:
    """Raise `StateError` unless the arrays of ticks fit so many instruments.

    `empty` are the arrays of a builder without instruments and ticks.
    """
    own = {name.removeprefix(TICKS): a for name, a in arrays.items() if name.startswith(TICKS)}
    sizes = {name: _length(own, name) for name in ("begun", "whole")}
    sizes |= {"base": sizes["begun"], "spans": sizes["begun"], "real": sizes["whole"]}
    shapes = {
        name: (array.dtype, tuple(sizes[name] if axis == 0 else axis for axis in array.shape))
        for name, array in empty.items()
    }
    _require_shapes(path, own, shapes)
    spans, times = own["spans"], own["whole"][TIME]
    low, high, first, last = (spans[:, column] for column in (LOW, HIGH, FIRST, LAST))
    right = (low >= 0) & (low <= first) & (first <= last) & (last <= high) & (high <= len(times))
    right[count:] &= first[count:] == last[count:]
    in_days = (times >= TIME_FIRST_US) & (times <= TIME_LAST_US)
    now = int(own["clock"][0])
    is_set = now == NEVER or TIME_FIRST_US <= now <= TIME_LAST_US
    if not (right.all() and in_days.all() and is_set):
        raise StateError(f"state: file={path}; what ticks it holds {_FORM}")


def _length(arrays: Arrays, name: str) -> int:
    """Return the length of an array's last axis."""
    return arrays[name].shape[-1] if name in arrays and arrays[name].ndim else 0


Shapes = Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]


def _require_shapes(path: Path, arrays: Arrays, shapes: Shapes) -> None:
    for name in sorted(shapes.keys() ^ arrays.keys()):
        said = "is missing" if name in shapes else "is of another version"
        raise StateError(f"state: file={path}; array {name!r} {said}; rebuild it")
    for name, (dtype, shape) in shapes.items():
        found = arrays[name]
        if (found.dtype, found.shape) != (dtype, shape):
            raise StateError(
                f"state: file={path}; array {name!r} is {found.dtype} {list(found.shape)}; must be "
                f"{dtype} {list(shape)}; rebuild it"
            )


def _shapes(state: LiveState, room: int) -> Shapes:
    """Return the arrays that an engine with these timeframes and so much room saves."""
    one, two = (_with_room(state, more).arrays() for more in (1, 2))
    return {
        name: (
            array.dtype,
            tuple(
                room if size != other else size
                for size, other in zip(array.shape, two[name].shape, strict=True)
            ),
        )
        for name, array in one.items()
    }


def _with_room(state: LiveState, more: int) -> LiveState:
    """Return a copy of a state with room for more instruments."""
    like = copy(state)
    like.timeframes, like.memory = ([copy(each) for each in state.timeframes], copy(state.memory))
    like.memory.grow(new_rows(like.timeframes, more))
    for each in like.timeframes:
        each.grow(len(like.memory.next))
    return like


def _checks(state: LiveState, count: int) -> dict[str, Check]:
    """Return the check of each value of a header for so many instruments."""
    number, moment = whole(0, count - 1), whole(0, TIME_MAX_US)
    point = row(is_text, moment)
    store = record(
        {
            "point": point,
            "behind": each(row(number, point, is_flag)),
            "unmet": by_name(moment),
            "knows_all": is_flag,
        }
    )
    failures = each(row(number, is_text))
    return {
        "now": whole(BEGIN_OF_TIME, TIME_MAX_US),
        "revision": whole(0, END_OF_TIME),
        "interest": is_flag,
        "failed": row(
            *(row(by_name(each(number), one.fields), failures) for one in state.timeframes)
        ),
        "waiting": each(lambda value: _are_minutes(value, number)),
        "store": lambda value: (
            value is None or (store(value) and _are_deferred(value.get("deferred"), state, count))
        ),
    }


def _are_deferred(value: Any, state: LiveState, count: int) -> bool:
    """Say whether a value holds rows of each timeframe that are still to be reported, or is None.

    Files of before have none.
    """
    texts = each(is_text)
    fits = row(
        *(lambda one: one is None or (texts(one) and len(one) == 4),) * len(state.timeframes)
    )
    if value is None or not fits(value):
        return value is None
    for part, timeframe in zip(value, state.timeframes, strict=True):
        try:
            found = None if part is None else rows_of_text(part, timeframe.fields)
        except ValueError:
            return False
        if found is not None and len(found):
            numbers, times = found.instrument, found.times[1:]
            if numbers.min() < 0 or numbers.max() >= count or np.abs(times).max() > TIME_MAX_US:
                return False
    return True


def _are_minutes(value: Any, number: Check) -> bool:
    """Say whether a value holds candles that wait for the store."""
    if not row(each(number), is_text, each(is_flag))(value):
        return False
    numbers, rows, closed = value
    try:
        found = np.frombuffer(bytes.fromhex(rows)).reshape(len(numbers), len(FIELDS))
    except ValueError:
        return False
    in_years = np.abs(found[:, TIME]) <= TIME_MAX_US
    return len(closed) == len(numbers) and bool(in_years.all())


def _are_names(names: Any) -> bool:
    right = each(lambda name: is_text(name) and name != "")
    return right(names) and len(set(names)) == len(names)

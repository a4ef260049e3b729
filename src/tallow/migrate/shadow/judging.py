"""The default comparison of an experiment: two answers, value by value."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tallow.migrate.evidence import Judgement

RELATIVE = 1e-9
ABSOLUTE = 1e-12
"""Numbers within either count as explained by rounding, like sums in different orders."""


def judge_values(control: Any, candidate: Any, *_args: Any, **_kwargs: Any) -> Judgement:
    """Compare two answers of any kind, and count their values.

    Mappings, dataclasses and frames are compared by name, sequences and arrays by position; a value
    that one side lacks is unexplained. NaN equals NaN, None equals None, and None is not NaN.
    Numbers that differ by at most `RELATIVE` or `ABSOLUTE` are explained by ``ROUNDING``.
    """
    equal, close, other = _count(control, candidate)
    return Judgement(
        compared=equal + close + other,
        equal=equal,
        explained=close,
        unexplained=other,
        causes={"ROUNDING": close} if close else {},
    )


_MatchCounts = tuple[int, int, int]
"""Values that are equal, within the tolerance, and different."""


def _count(left: Any, right: Any) -> _MatchCounts:
    left, right = _plain(left), _plain(right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        pairs = [(left[name], right[name]) for name in left.keys() & right.keys()]
        unpaired = [*(left[n] for n in left.keys() - right.keys())]
        unpaired += [right[n] for n in right.keys() - left.keys()]
        return _count_pairs(pairs, unpaired)
    if _is_array(left) and _is_array(right) and left.shape == right.shape:
        return _count_arrays(left, right)
    if _is_sequence(left) and _is_sequence(right):
        shared = min(len(left), len(right))
        pairs = list(zip(left[:shared], right[:shared], strict=True))
        return _count_pairs(pairs, [*left[shared:], *right[shared:]])
    if _is_nested(left) or _is_nested(right):
        return 0, 0, max(_size(left), _size(right))
    return _count_one(left, right)


def _count_pairs(pairs: Sequence[tuple[Any, Any]], unpaired: Sequence[Any]) -> _MatchCounts:
    """Return the counts of pairs, and of values that only one side has."""
    found = [_count(*pair) for pair in pairs]
    found += [(0, 0, _size(value)) for value in unpaired]
    equal, close, other = zip(*found, strict=True) if found else ((), (), ())
    return sum(equal), sum(close), sum(other)


def _count_one(left: Any, right: Any) -> _MatchCounts:
    """Return the counts of two single values."""
    try:
        if bool(left == right) or (left != left and right != right):
            return 1, 0, 0
        if math.isclose(left, right, rel_tol=RELATIVE, abs_tol=ABSOLUTE):
            return 0, 1, 0
    except Exception:  # noqa: BLE001 - somebody else's comparison; values without one differ
        return 0, 0, 1
    return 0, 0, 1


def _count_arrays(left: Any, right: Any) -> _MatchCounts:
    """Return the counts of two arrays of one shape."""
    import numpy as np

    if not all(np.issubdtype(side.dtype, np.number) for side in (left, right)):
        pairs = list(zip(left.ravel().tolist(), right.ravel().tolist(), strict=True))
        return _count_pairs(pairs, [])
    equal = (left == right) | ((left != left) & (right != right))
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.isclose(left, right, rtol=RELATIVE, atol=ABSOLUTE) & ~equal
    same, near = int(equal.sum()), int(close.sum())
    return same, near, left.size - same - near


def _plain(value: Any) -> Any:
    """Return frames, series and dataclasses as mappings, arrays and lists; others unchanged."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    polars, pandas = sys.modules.get("polars"), sys.modules.get("pandas")
    if polars is not None and isinstance(value, polars.DataFrame):
        return {name: value[name] for name in value.columns}
    if polars is not None and isinstance(value, polars.Series):
        # A null is not NaN, and an array cannot distinguish them.
        plain = value.dtype.is_float() and not value.null_count()
        return value.to_numpy() if plain else value.to_list()
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return {None: value.index.to_numpy()} | {name: value[name] for name in value.columns}
    if pandas is not None and isinstance(value, pandas.Series):
        return value.to_numpy()
    return value.item() if _is_array(value) and not value.shape else value


def _is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _is_sequence(value: Any) -> bool:
    if _is_array(value):
        return True
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) or _is_sequence(value)


def _size(value: Any) -> int:
    """Return how many values a value contains; an empty list counts as one."""
    value = _plain(value)
    if _is_array(value):
        return max(1, int(value.size))
    if isinstance(value, Mapping):
        return max(1, sum(_size(item) for item in value.values()))
    if _is_sequence(value):
        return max(1, sum(_size(item) for item in value))
    return 1

"""Goal: the default judge counts every value of two answers of any kind once, and calls nothing
equal that is not.

Method: pairs of answers with counts worked out by hand: equal, within the tolerance, different.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tallow.migrate.shadow import judge_values

NAN = math.nan
NEAR = 1.0 + 1e-12
DAY = date(2025, 7, 18)


@dataclass
class Old:
    close: float
    name: str


@dataclass
class New:
    close: float
    name: str
    extra: int = 0


class Strange:
    """Has an opinion on equality that is no truth value."""

    def __eq__(self, other: object) -> Any:
        raise TypeError

    __hash__ = None  # type: ignore[assignment]


FRAME = pl.DataFrame({"close": [1.0, 2.0, NAN, None], "name": ["a", "b", "c", None]})


@pytest.mark.parametrize(
    ("control", "candidate", "counts"),
    [
        (1.0, 1.0, (1, 0, 0)),
        (1, 1.0, (1, 0, 0)),
        (1.0, NEAR, (0, 1, 0)),
        (1.0, 1.0001, (0, 0, 1)),
        (NAN, NAN, (1, 0, 0)),
        (NAN, None, (0, 0, 1)),
        (None, 0.0, (0, 0, 1)),
        ("a", "a", (1, 0, 0)),
        ("a", "b", (0, 0, 1)),
        (DAY, DAY, (1, 0, 0)),
        (Strange(), Strange(), (0, 0, 1)),
        ([1.0, 2.0, 3.0], (1.0, NEAR, 3.0), (2, 0, 1)),
        ([1.0, 2.0], [1.0, 2.0, 3.0, 4.0], (2, 0, 2)),
        ([], [], (0, 0, 0)),
        ([], None, (0, 0, 1)),
        ([1.0, 2.0], 1.0, (0, 0, 2)),
        ({"a": 1.0, "b": [1, 2]}, {"a": NEAR, "c": 5}, (0, 1, 3)),
        (Old(1.0, "x"), New(1.0, "x"), (2, 0, 1)),
        (np.array([1.0, NAN, 2.0]), np.array([NEAR, NAN, 3.0]), (1, 1, 1)),
        (np.array([1.0, 2.0]), [1.0, 2.0], (2, 0, 0)),
        (np.ones((2, 2)), np.ones((2, 3)), (4, 0, 2)),
        (np.array(["a", "b"]), np.array(["a", "c"]), (1, 0, 1)),
        (np.float64(2.0), 2.0, (1, 0, 0)),
        (FRAME, FRAME.clone(), (8, 0, 0)),
        (FRAME, FRAME.with_columns(close=pl.Series([NEAR, 9.0, NAN, NAN])), (5, 1, 2)),
        (FRAME, FRAME.drop("name"), (4, 0, 4)),
        (FRAME, FRAME.head(3), (6, 0, 2)),
        (pd.DataFrame({"a": [1.0, 2.0]}), pd.DataFrame({"a": [1.0, NEAR * 2]}), (3, 1, 0)),
        (pl.Series([1, 2]), pl.Series([1, 3]), (1, 0, 1)),
    ],
)
def test_every_value_is_counted_once(
    control: Any, candidate: Any, counts: tuple[int, int, int]
) -> None:
    for left, right in ((control, candidate), (candidate, control)):
        judged = judge_values(left, right)
        assert (judged.equal, judged.explained, judged.unexplained) == counts
        assert judged.compared == sum(counts)
        assert judged.causes == ({"ROUNDING": counts[1]} if counts[1] else {})

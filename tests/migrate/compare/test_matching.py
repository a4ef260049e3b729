"""Goal: each row is counted as what it is, and no difference passes for an equality.

Method: values written by hand, with the match that the documentation promises; every kind of
rounding of a random number must count as rounded, and its neighbours must not.
"""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import numpy as np
import pytest

from tallow.core.errors import ParameterError
from tallow.migrate.compare.matching import Match, Tolerance, decimals_of, match_rows
from tests.migrate.compare.answers import pair

EXACT = Tolerance(0.0, 0.0, 0)
NOTHING = (None, None)


def match(left, right, tolerance=EXACT, decimals=NOTHING) -> Match:
    return Match(int(match_rows(pair([left], [right]), tolerance, decimals)[0]))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (None, None, Match.NOTHING),
        (1.5, 1.5, Match.EQUAL),
        (math.inf, math.inf, Match.EQUAL),
        (0.0, None, Match.ONLY_CONTROL),
        (None, 0.0, Match.ONLY_CANDIDATE),
        (1.0, math.nextafter(1.0, 2.0), Match.DIFFERENT),
        (math.inf, -math.inf, Match.DIFFERENT),
        (math.inf, 1.0, Match.DIFFERENT),
    ],
)
def test_without_tolerance_only_the_same_bits_are_equal(left, right, expected) -> None:
    assert match(left, right) is expected


@pytest.mark.parametrize(
    ("tolerance", "near", "far"),
    [
        (Tolerance(0.5, 0.0, 0), (1.0, 1.5), (1.0, 1.51)),
        (Tolerance(0.0, 0.01, 0), (100.0, 99.0), (100.0, 98.9)),
        (
            Tolerance(0.0, 0.0, 2),
            (1.0, 1.0 + 2 * math.ulp(1.0)),
            (1.0, 1.0 + 3 * math.ulp(1.0)),
        ),
        (Tolerance(0.0, 0.0, 2), (-0.0, 0.0), (-1e-300, 1e-300)),
    ],
)
def test_each_tolerance_alone_is_enough(tolerance, near, far) -> None:
    assert match(near[0], near[1], tolerance) is Match.TOLERATED
    assert match(far[0], far[1], tolerance) is Match.DIFFERENT


def test_the_usual_tolerance_takes_another_order_of_a_sum_and_no_price_step() -> None:
    assert match(0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1, Tolerance()) is Match.TOLERATED
    assert match(700.25, 700.2501, Tolerance()) is Match.DIFFERENT


@pytest.mark.parametrize("digits", [0, 2, 4])
@pytest.mark.parametrize("mode", [ROUND_HALF_UP, ROUND_HALF_EVEN])
def test_rounding_of_any_kind_is_recognised(digits: int, mode: str) -> None:
    random = np.random.default_rng(digits)
    unit = Decimal(1).scaleb(-digits)
    ties = [float(Decimal(n) * unit + unit / 2) for n in range(100)]
    for fine in [*random.uniform(-900, 900, 100), *ties]:
        coarse = Decimal(float(fine)).quantize(unit, mode)
        for sides, decimals in ((0, (digits, None)), (1, (None, digits))):
            left, right = [float(coarse), float(fine)][:: 1 - 2 * sides]
            assert match(left, right, decimals=decimals) in {Match.ROUNDED, Match.EQUAL}
            left, right = [float(coarse + unit), float(fine)][:: 1 - 2 * sides]
            is_tie = abs(float(coarse + unit) - fine) <= float(unit) * 0.5001
            assert is_tie or match(left, right, decimals=decimals) is Match.DIFFERENT


def test_cutting_digits_off_is_no_rounding() -> None:
    cut = float(Decimal("700.259").quantize(Decimal("0.01"), ROUND_DOWN))
    assert match(cut, 700.259, decimals=(2, None)) is Match.DIFFERENT


def test_sides_of_the_same_decimals_are_not_rounded_again() -> None:
    assert match(700.25, 700.26, decimals=(2, 2)) is Match.DIFFERENT
    assert match(700.25, 700.254, decimals=(2, 3)) is Match.ROUNDED


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.arange(1, 30) * 0.05, 2),
        (np.arange(1, 30) * 100.0, 0),
        (np.round(np.linspace(1, 2, 50), 4), 4),
        (np.linspace(1, 2, 50) / 3, None),
        # A frozen price ends in a zero by chance: it tells nothing of how it was rounded.
        (np.full(400, 546.2), None),
        (np.zeros(400), None),
        (np.array([]), None),
    ],
)
def test_decimals_are_found_where_the_values_tell_them(values, expected) -> None:
    assert decimals_of(values) == expected


def test_zeros_and_gaps_do_not_hide_the_decimals() -> None:
    values = np.concatenate([np.zeros(19), [math.nan, math.inf], np.arange(1, 30) / 100])
    assert decimals_of(values) == 2


@pytest.mark.parametrize("wrong", [{"absolute": -1.0}, {"relative": math.nan}, {"ulps": -1}])
def test_a_wrong_tolerance_is_an_error_that_names_it(wrong) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        Tolerance(**wrong)

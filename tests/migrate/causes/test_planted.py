"""Goal: a planted defect is classified as what it is, and is never called equal.

Method: each class of defect, one at a time, by plain formulas of `planted`, in a random instrument,
series, timeframe, range, length and stretch of rows; of a simulated market and of real candles. Of
all values that the defect changes by more than a billionth, at least 95% must carry its class and
no other. The confusion matrix is in the message, and printed by the long campaign.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from tallow import read_candles
from tallow.core.calendars import load_calendar
from tallow.migrate.causes import DESCRIPTIONS, Classifier
from tallow.migrate.pairs import Cause, SeriesPair
from tests.frames import simulate_candles
from tests.migrate.causes.pairing import pairs
from tests.migrate.causes.planted import CLASSES, Planted, plant
from tests.migrate.causes.test_analysers import OF_ANALYSERS

SHARE_MIN = 0.95
CI_TRIALS, NIGHTLY_TRIALS = 1, 100
SEED = 20_250_718


@pytest.fixture(scope="module")
def simulated() -> pl.DataFrame:
    calendar = load_calendar("XNSE")
    return simulate_candles(5, 3, calendar=calendar, start=date(2025, 6, 2), seed=3)


@pytest.fixture(scope="module")
def real(reference: Path) -> pl.DataFrame:
    frame = read_candles(reference / "data" / "candles_1m.csv").frame
    return frame.filter(pl.len().over("instrument") > 100)


def changed(pair: SeriesPair) -> NDArray[np.bool_]:
    one, other = pair.control, pair.candidate
    # The last bits of a price of hundreds: what arithmetic leaves of a flat window is no defect.
    same = np.isclose(one, other, rtol=1e-9, atol=1e-10, equal_nan=True)
    return np.asarray(~same | (pair.in_control != pair.in_candidate))


def classified(planted: Planted) -> Counter[Cause]:
    """Count what the changed values are said to be."""
    classifier = Classifier(planted.request, planted.control, planted.candidate)
    found: Counter[Cause] = Counter()
    for pair in pairs(planted.control, planted.candidate):
        found.update(map(Cause, classifier.causes(pair)[changed(pair)].tolist()))
    return found


def campaign(cause: Cause, candles: pl.DataFrame, trials: int, seed: int) -> Counter[Cause]:
    found: Counter[Cause] = Counter()
    draw = np.random.default_rng([seed, int(cause)])
    for _ in range(trials):
        # A defect that changes nothing is none: draw again.
        while not (said := classified(plant(cause, candles, draw))):
            pass
        found += said
    return found


def check(cause: Cause, found: Counter[Cause]) -> None:
    line = ", ".join(f"{said!r}: {count}" for said, count in found.most_common())
    assert found.total(), f"{cause!r}: the defect changed nothing"
    assert found[Cause(0)] == 0, f"{cause!r}: called equal; {line}"
    assert found[cause] >= SHARE_MIN * found.total(), f"{cause!r}: {line}"


@pytest.mark.parametrize("cause", CLASSES, ids=lambda cause: cause.name.lower())
def test_a_defect_in_a_simulated_market_is_what_it_is(
    cause: Cause, simulated: pl.DataFrame
) -> None:
    check(cause, campaign(cause, simulated, CI_TRIALS, SEED))


@pytest.mark.parametrize("cause", CLASSES, ids=lambda cause: cause.name.lower())
def test_a_defect_on_real_candles_is_what_it_is(cause: Cause, real: pl.DataFrame) -> None:
    check(cause, campaign(cause, real, 1, SEED))


@pytest.mark.nightly
@pytest.mark.parametrize("cause", CLASSES, ids=lambda cause: cause.name.lower())
def test_many_defects_are_what_they_are(
    cause: Cause, simulated: pl.DataFrame, real: pl.DataFrame
) -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    found = campaign(cause, simulated, NIGHTLY_TRIALS, seed)
    found += campaign(cause, real, NIGHTLY_TRIALS, seed)
    # Printed, so that what failed at night can be run again, and the matrix be read.
    print(f"seed {seed}: planted {cause!r}, found {dict(found)}")  # noqa: T201
    check(cause, found)


def test_every_cause_is_planted_or_has_a_test_of_its_own_and_is_described() -> None:
    own = {*OF_ANALYSERS, Cause.CAPPED, Cause.UNEXPLAINED}
    assert set(Cause) == {*CLASSES, *own}
    assert set(DESCRIPTIONS) == set(Cause)

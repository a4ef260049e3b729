"""Goal: the kernels are those of the library that the old system used.

Method: the library's own test vectors. Where it has none for a kernel, those of its indicators that
are made of it: Keltner channels of EMA and ATR, price oscillators of two or three EMA. Vectors are
printed to few digits, and some are cut off instead of rounded.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from tallow.migrate.legacy import cinar
from tallow.migrate.legacy.candles import Candle
from tallow.migrate.legacy.kernels import bollinger

Vectors = dict[str, dict[str, list[float]]]


@pytest.fixture(scope="module")
def vectors(reference: Path) -> Vectors:
    """Return each test's series by name."""
    found: Vectors = {}
    path = reference / "oracles" / "cinar_v1" / "v1_3_0_test_vectors.csv"
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            series = found.setdefault(row["test"], {}).setdefault(row["series"], [])
            series.append(float(row["value"]))
    return found


def test_sma(vectors: Vectors) -> None:
    given = vectors["Sma"]
    assert cinar.sma(2, given["values"]) == given["expected"]


def test_ema(vectors: Vectors) -> None:
    given = vectors["Ema"]
    assert cinar.ema(2, given["values"]) == pytest.approx(given["expected"], abs=1e-3)


def test_rma_after_its_first_window(vectors: Vectors) -> None:
    given = vectors["Rma"]
    assert cinar.rma(14, given["values"])[13:] == pytest.approx(given["expected"], abs=1e-12)


def test_atr_with_ema_makes_keltner_channels(vectors: Vectors) -> None:
    given = vectors["KeltnerChannel"]
    middle = cinar.ema(20, given["closing"])
    _, reach = cinar.atr(20, given["high"], given["low"], given["closing"])
    upper = [mean + 2.0 * wide for mean, wide in zip(middle, reach, strict=True)]
    lower = [mean - 2.0 * wide for mean, wide in zip(middle, reach, strict=True)]
    assert middle == pytest.approx(given["expectedMiddleLine"], abs=0.0051)
    assert upper == pytest.approx(given["expectedUpperBand"], abs=0.0051)
    assert lower == pytest.approx(given["expectedLowerBand"], abs=0.0051)


def test_ema_of_ema_makes_the_price_oscillator(vectors: Vectors) -> None:
    given = vectors["PercentagePriceOscillator"]
    fast, slow = cinar.ema(12, given["price"]), cinar.ema(26, given["price"])
    ppo = [100.0 * (a - b) / b for a, b in zip(fast, slow, strict=True)]
    assert len(ppo) == 90
    assert ppo == pytest.approx(given["expectedPpo"], abs=0.0051)
    assert cinar.ema(9, ppo) == pytest.approx(given["expectedSignal"], abs=0.0051)


def test_the_old_bands_are_the_librarys_once_their_window_is_full(vectors: Vectors) -> None:
    given = vectors["BollingerBands"]
    newest_first = [Candle(-i, c, c, c, c, 1.0) for i, c in enumerate(given["closing"])][::-1]
    names = ("expectedUpperBand", "expectedMiddleBand", "expectedLowerBand")
    for series, name in zip(bollinger(newest_first), names, strict=True):
        values = [value for _, value in reversed(series)]
        assert values[:19] == [0.0] * 19
        assert values[19:] == pytest.approx(given[name][19:], abs=0.0051)


def test_relative_strength_is_the_first_of_the_pair() -> None:
    """By hand: after 1 up, 1 down and 2 up, the means over 2 are 1.125 and 0.25."""
    strength, index = cinar.rsi(2, [10.0, 11.0, 10.0, 12.0])
    assert math.isnan(strength[0])
    assert strength[1:] == [math.inf, 0.5, 4.5]
    assert index[1:] == pytest.approx([100.0, 100.0 / 3.0, 100.0 * 4.5 / 5.5])

"""The functions that formulas use: of floats, or of many digits while a test says so."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

FUNCTIONS: Any = math
"""`math`, or mpmath, whose functions have the same names."""


def fsum(parts: Iterable[float]) -> float:
    return FUNCTIONS.fsum(list(parts))


def sqrt(x: float) -> float:
    return FUNCTIONS.sqrt(x)


def exp(x: float) -> float:
    return FUNCTIONS.exp(x)


def log(x: float) -> float:
    return FUNCTIONS.log(x)


def cos(x: float) -> float:
    return FUNCTIONS.cos(x)


def sin(x: float) -> float:
    return FUNCTIONS.sin(x)


def atan(x: float) -> float:
    return FUNCTIONS.atan(x)


def degrees(x: float) -> float:
    return FUNCTIONS.degrees(x)

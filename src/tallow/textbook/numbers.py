"""The functions that formulas use: of floats, or of many digits while a test says so."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

FUNCTIONS: Any = math
"""`math`, or mpmath, whose functions have the same names."""


def _apply(name: str, x: Any) -> float:
    found: float = getattr(FUNCTIONS, name)(x)
    return found


def fsum(parts: Iterable[float]) -> float:
    return _apply("fsum", list(parts))


def sqrt(x: float) -> float:
    return _apply("sqrt", x)


def exp(x: float) -> float:
    return _apply("exp", x)


def log(x: float) -> float:
    return _apply("log", x)


def cos(x: float) -> float:
    return _apply("cos", x)


def sin(x: float) -> float:
    return _apply("sin", x)


def atan(x: float) -> float:
    return _apply("atan", x)


def degrees(x: float) -> float:
    return _apply("degrees", x)

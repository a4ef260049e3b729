"""The two sides of an experiment: the new one turns bad when a file says so."""

from __future__ import annotations

import time
from pathlib import Path

BAD = 1.0
"""What is added to a wrong answer."""


SECONDS = 0.04
"""What a call takes."""

SLOW_SECONDS = 10.0 * SECONDS
"""What a call of a slow candidate takes."""


def control(_folder: str, number: int) -> float:
    time.sleep(SECONDS)
    return float(number)


def candidate(folder: str, number: int) -> float:
    try:
        mode = (Path(folder) / "mode").read_text()
    except FileNotFoundError:
        mode = "good"
    if mode == "error":
        raise ValueError(number)
    time.sleep(60.0 if mode == "hang" else SLOW_SECONDS if mode == "slow" else SECONDS)
    return number + BAD * (mode == "wrong")

"""The two sides of an experiment: the new one turns bad when a file says so."""

from __future__ import annotations

import time
from pathlib import Path

BAD = 1.0
"""What is added to a wrong answer."""


def control(_folder: str, number: int) -> float:
    return float(number)


def candidate(folder: str, number: int) -> float:
    try:
        mode = (Path(folder) / "mode").read_text()
    except FileNotFoundError:
        mode = "good"
    if mode == "error":
        raise ValueError(number)
    if mode == "slow":
        time.sleep(1.0)
    if mode == "hang":
        time.sleep(60)
    return number + BAD * (mode == "wrong")

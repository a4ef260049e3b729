"""Goal: what users keep outlives a change of words, and nothing that does otherwise is mistaken.

Method: each kernel's statements are compared with those that were written down beside its version;
and a state is saved by this build and read by a copy of it with other docstrings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tallow
from tallow.data.kernels import aggregate, rows
from tests.core.kernel_trees import digest_of, kept, trees, unraised, unversioned

REWRITE = "python -m tests.core.kernel_trees"


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_a_kernel_that_does_otherwise_has_another_version():
    now = trees()
    assert not unraised(kept(), now), f"raise the version, then run {REWRITE}"
    assert kept() == now, f"run {REWRITE}"
    assert unversioned() == set()


def halved(values: np.ndarray) -> float:
    """Return half of the first."""
    return values[0] / 2.0


def test_words_are_no_part_of_what_a_kernel_does():
    def other(values: np.ndarray) -> float:
        # A comment, no docstring, another name.
        return values[0] / 2.0

    def third(values: np.ndarray) -> float:
        return values[0] / 3.0

    assert digest_of(halved) == digest_of(other) != digest_of(third)
    before = {"a": [1, "x"], "b": [1, "x"], "c": [1, "x"]}
    assert unraised(before, {"a": [1, "y"], "b": [2, "y"], "d": [1, "y"]}) == ["a"]


def test_what_a_kernel_calls_and_its_constants_belong_to_it(monkeypatch):
    before = digest_of(aggregate._pass)
    monkeypatch.setattr(aggregate, "_bucket", aggregate._added)
    assert digest_of(aggregate._pass) != before
    before = digest_of(rows.rows_hold)
    monkeypatch.setattr(rows, "TIME_MIN_US", rows.TIME_MIN_US + 1)
    assert digest_of(rows.rows_hold) != before


SAVE = """
import sys
from datetime import datetime
import polars as pl
from tallow import AnalyticsEngine, LiveEngine
state, action = sys.argv[1:]
options = {"timeframes": ["5m"], "indicators": "ema(3), rsi(2)"}
def candle(minute, close):
    time = datetime.fromisoformat(f"2025-07-18T09:{minute}+05:30")
    return pl.DataFrame({"symbol": ["A"], "ts": [time], "o": [close], "h": [close + 1.0],
                         "l": [close - 1.0], "c": [close], "v": [9.0]})
if action == "save":
    live = LiveEngine(**options)
    for minute in range(15, 40):
        live.update(candle(minute, float(minute)))
    live.save(state)
else:
    live = LiveEngine.load(state, **options)
    print(live.update(candle(40, 50.0)).frame.drop("revision").to_dicts())
"""


def run(source: Path, *arguments: object) -> str:
    # A copy of the package is no part of what tests cover.
    own = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment = {**own, "PYTHONPATH": str(source), "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", SAVE, *map(str, arguments)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def test_a_state_outlives_other_words_in_the_code(tmp_path):
    own = Path(tallow.__file__).parents[1]
    other = tmp_path / "other"
    shutil.copytree(own / "tallow", other / "tallow", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("data/reading/readers.py", "data/kernels/aggregate.py", "indicators/ema.py"):
        file = other / "tallow" / name
        text = file.read_text()
        file.write_text(text.replace('"""', '""" Said otherwise. ', 1))
    run(own, tmp_path / "state", "save")
    assert run(other, tmp_path / "state", "go on") == run(own, tmp_path / "state", "go on") != ""

"""Goal: an experiment on real engines and real candles says what the comparison says, and its
mismatches are data, not code.

Method: the old engine answers, this one runs in the background, and the judge is that of the
comparison. What the comparison says is asked of it directly, with both engines' answers in this
process.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl

import tallow
from tallow.migrate.compare import judge
from tallow.migrate.engines import load_engine
from tallow.migrate.protocol import Request
from tallow.migrate.shadow import Budget, load_mismatch, replay
from tests.migrate.shadow.conftest import Running


def test_engines_are_compared_in_the_background_as_by_hand(
    running: Running, reference: Path, tmp_path: Path
) -> None:
    candles = tallow.read_candles(reference / "data" / "candles_1m.csv").frame
    last = candles["instrument"][-1]
    request = Request(candles.filter(pl.col("instrument") == last).tail(375))
    old, new = load_engine("legacy"), load_engine("tallow")
    budget = Budget(seconds=60.0)
    run = running(old.answer, new.answer, judge=judge, budget=budget)
    served = run(request)

    expected = judge(old.answer(request), new.answer(request), request)
    assert expected.explained > 0
    assert served.equals(old.answer(request))
    totals = run.totals()
    assert (totals.errors, totals.skipped) == (0, 0)
    assert (totals.compared, totals.equal) == (expected.compared, expected.equal)
    assert (totals.unexplained, totals.flips) == (expected.unexplained, expected.flips)
    assert totals.causes == expected.causes
    (mismatch,) = run.mismatches()
    mismatch.save(tmp_path / "mismatch.zip")
    assert "pickle" not in " ".join(zipfile.ZipFile(tmp_path / "mismatch.zip").namelist())
    assert replay(load_mismatch(tmp_path / "mismatch.zip"), new.answer, judge) == expected

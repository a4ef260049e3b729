"""Goal: the compiled kernels do what their Python source says, bit for bit.

Method: the same cases run in a second process with Numba's compiler switched off. The tests marked
`twin` are repeated that way as a whole, so that coverage sees the kernels' bodies: they take every
branch of every indicator, on few rows, because Python is slow.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tallow.testing.cases import Case
from tallow.testing.histories import Rows, flat, gaps, joined, ticking, walk, with_gaps
from tests.contract.cases import CASES, is_telling, of_cases
from tests.contract.test_values import assert_textbook
from tests.running import assert_same_bits
from tests.running import case as case_of

LONG = ("sma(45)", "stddev(45)", "bollinger(45, 2)")
"""Above the short windows, so that their kernels for long ones run as well."""

SMALL = (
    *(case for case in CASES if max(case.warmup) < 60),
    *(case_of(spec, "tradingview") for spec in LONG),
)
ROWS = 840
"""More than one stretch of 768 rows."""

every_small_case = of_cases(SMALL, now=lambda case: is_telling(case) or case not in CASES)


def mixed(seed: int = 31) -> Rows:
    """Return rows that stand still, tick, move and are missing, in turns."""
    rows = joined([flat(60), ticking(120, seed), walk(ROWS - 180, seed)])
    return with_gaps(rows, gaps(ROWS, seed))


def dump(path: str) -> None:
    """Write every small case's outputs; the other process calls this."""
    found = {f"{i}-{k}": c for i, case in enumerate(SMALL) for k, c in enumerate(case.run(mixed()))}
    np.savez(path, allow_pickle=False, **found)


@pytest.mark.twin
@every_small_case
def test_textbook_on_mixed_rows(case: Case) -> None:
    assert_textbook(case, mixed())


@pytest.mark.twin
@every_small_case
def test_textbook_without_prices(case: Case) -> None:
    """All-zero candles reach the branches for denominators of zero."""
    assert_textbook(case, flat(80, price=0.0, volume=0.0))


@pytest.mark.twin
@pytest.mark.skipif("NUMBA_DISABLE_JIT" not in os.environ, reason="fills buffers of plain Python")
def test_what_lay_in_memory_is_not_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """An overflow is a warning, and here every warning is an error."""

    def empty(shape: int | tuple[int, ...], dtype: type = np.float64) -> NDArray[Any]:
        return np.full(shape, 1e308 if dtype is np.float64 else 0, dtype)

    clean = [case.run(mixed()) for case in SMALL]
    monkeypatch.setattr(np, "empty", empty)
    for case, expected in zip(SMALL, clean, strict=True):
        assert_same_bits(case.run(mixed()), expected)


def test_compiled_and_python_give_the_same_bits(tmp_path: Path) -> None:
    path = tmp_path / "outputs.npz"
    call = f"from tests.contract.test_twin import dump; dump({str(path)!r})"
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-c", call],
        check=True,
        cwd=root,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(root)},
    )
    python = np.load(path)
    for i, case in enumerate(SMALL):
        compiled = case.run(mixed())
        assert_same_bits(compiled, [python[f"{i}-{k}"] for k in range(len(compiled))])

"""Goal: all candle patterns keep the contract of indicators: batch, pieces, live, and what was put
back give the same bits; the compiled kernel does what its Python source says.

Method: they are computed by one kernel, so one plan of all of them, with their trends and names,
goes through every check at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tallow.core.spec import parse_specs
from tallow.plan.plan import make_plan
from tallow.runtime.operations import Machine
from tallow.testing.cases import Case
from tallow.testing.contract import CHECKS
from tallow.testing.histories import gaps, with_gaps
from tests.candle_patterns import BUILT, COLUMNS, PRICES, built, drawn, theirs
from tests.contract.test_chains import ChainCase
from tests.running import assert_same_bits

SPECS = [*(f"{name}[pattern, trend]" for name in COLUMNS.values()), "patterns"]


def all_patterns() -> ChainCase:
    """Return all of them as one indicator, whose outputs are the columns of the plan."""
    plan = make_plan(SPECS)
    outputs = [
        replace(output, name=column)
        for spec in parse_specs(SPECS)
        for output, column in zip(spec.indicator.outputs, spec.columns, strict=True)
    ]
    (last,) = parse_specs("patterns")
    indicator = replace(
        last.indicator,
        outputs=tuple(outputs),
        warmup=lambda _: tuple(plan.warmup[column] for column in plan.columns),
    )
    made = ChainCase(indicator, {})
    object.__setattr__(made, "machine", Machine(plan))
    return made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_all_patterns_keep_the_contract(check: Callable[[Case], None]) -> None:
    check(all_patterns())


@pytest.mark.twin
def test_all_patterns_are_talibs_in_plain_python_too() -> None:
    """On few rows, for the bodies of kernels to be seen; see also the oracles."""
    for rows in (drawn(2_000, 21), *map(built, BUILT)):
        columns = dict(zip(make_plan(SPECS).columns, all_patterns().run(rows), strict=True))
        for name, column in COLUMNS.items():
            np.testing.assert_array_equal(np.nan_to_num(columns[column]), theirs(name, rows), name)


def dump(path: str) -> None:
    """Write all columns over candles with gaps; the other process calls this."""
    np.savez(path, *all_patterns().run(_mixed()), allow_pickle=False)


def _mixed() -> dict[str, np.ndarray]:
    rows = drawn(1_200, 22)
    return {name: column for name, column in with_gaps(rows, gaps(1_200)).items() if name in PRICES}


def test_compiled_and_python_give_the_same_bits(tmp_path: Path) -> None:
    path, root = tmp_path / "outputs.npz", Path(__file__).parents[2]
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"from tests.contract.test_patterns import dump; dump({str(path)!r})",
        ],
        check=True,
        cwd=root,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(root)},
    )
    python = np.load(path)
    assert_same_bits(all_patterns().run(_mixed()), [python[name] for name in python.files])

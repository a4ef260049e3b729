"""Goal: a kernel does behind its entry what it does when it is called, and nothing that it raises
ends a process.

Method: kernels of a module that a user wrote, in processes of their own with an empty cache, and
the kernels of all indicators; the values are those of the same kernel in plain Python.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tallow.core.entries import call_entry, entry_of, floats_at, table_at
from tallow.core.kernel import kernel, read_only
from tallow.plan.plan import make_plan

compiled = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled"
)

OWN = """
from tallow.core.kernel import kernel, read_only

@kernel
def doubled(state, params, offsets, close, out):
    for row in range(offsets[0], offsets[len(state)]):
        if close[row] < 0.0:
            raise ValueError("below zero")
        out[row] = FACTOR * close[row]
        state[0, 0] += 1.0
"""
PROBE = """
import numpy as np, own
from tallow.core import entries
entry, kernel = entries.entry_of(own.doubled, 1, 1)
def call(values):
    state, close, out = np.zeros((1, 1)), np.array(values), np.zeros(len(values))
    given, made = np.array([close.ctypes.data]), np.array([out.ctypes.data])
    ends, parameters = np.array([0, len(values)]), np.zeros(1)
    operation = np.array([entry, kernel, parameters.ctypes.data, 1, 1])
    status = driver(
        operation.ctypes.data, state.ctypes.data, 1, ends.ctypes.data, given.ctypes.data,
        made.ctypes.data,
    )
    return status, out.tolist(), float(state[0, 0])
import numba
@numba.njit
def driver(a, b, c, d, e, f):
    return entries.call_entry(a, b, c, d, e, f)
print(call([1.0, 2.0]), call([1.0, -2.0, 3.0]), call([4.0]))
"""


def run(folder: Path, factor: int) -> str:
    (folder / "own.py").write_text(OWN.replace("FACTOR", f"{factor}.0"))
    environment = {
        **os.environ,
        "TALLOW_CACHE_DIR": str(folder / "cache"),
        "PYTHONPATH": str(folder),
    }
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.strip()


@compiled
def test_a_kernel_of_a_users_module_is_called_by_address_and_may_raise(tmp_path):
    """Once compiled, its entry is found by the next process; edited, it is another one."""
    (tmp_path / "cache").mkdir(mode=0o700)
    assert run(tmp_path, 2) == "(0, [2.0, 4.0], 2.0) (1, [2.0, 0.0, 0.0], 1.0) (0, [8.0], 1.0)"
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*/entries/**/*.nb?")}
    assert files
    run(tmp_path, 2)
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert run(tmp_path, 3).startswith("(0, [3.0, 6.0], 2.0)")


@compiled
def test_entries_fill_in_what_their_kernels_do():
    random = np.random.default_rng(3)
    ends = np.array([0, 40, 90])
    for operation in make_plan("default").operations:
        inputs = [read_only(100.0 + random.normal(0.0, 1.0, 90)) for _ in operation.inputs]
        made = np.full((2, len(operation.columns), 90), np.nan)
        states = [operation.indicator.new_state(operation.values, 2) for _ in range(2)]
        operation.advance(states[0], operation.parameters, ends, *inputs, *made[0])
        found = entry_of(operation.advance, len(inputs), len(operation.columns))
        assert found is not None
        count, size = len(operation.parameters), states[1].shape[1]
        words = np.array([*found, operation.parameters.ctypes.data, count, size])
        given = np.array([column.ctypes.data for column in inputs])
        filled = np.array([column.ctypes.data for column in made[1]])
        where = [each.ctypes.data for each in (ends, given, filled)]
        status = _driven(words.ctypes.data, states[1].ctypes.data, 2, *where)
        assert status == 0
        np.testing.assert_array_equal(made[1], made[0], operation.indicator.name)
        np.testing.assert_array_equal(states[1], states[0], operation.indicator.name)


@kernel
def _driven(operation, state, instruments, offsets, inputs, outputs):
    return call_entry(operation, state, instruments, offsets, inputs, outputs)


def test_a_kernel_in_plain_python_has_no_entry():
    assert entry_of(lambda *_: None, 0, 1) is None


def test_arrays_at_an_address_are_that_memory():
    values = np.arange(6.0)
    table_at(values.ctypes.data, 2, 3)[1, 0] = 9.0
    assert floats_at(values.ctypes.data, 4).tolist() == [0.0, 1.0, 2.0, 9.0]
    assert floats_at(0, 0).shape == (0,)

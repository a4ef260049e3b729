"""Goal: what the process beside a first run is told to compile, it can compile.

Method: a failure there is silent by design, so the statements themselves are run, for a plan with
words, fractions, a chain and an indicator of this process alone.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tallow.core.spec import Spec
from tallow.plan.plan import make_plan
from tallow.runtime import warming
from tests.runtime.test_batch import FRAGILE_SPEC


def test_the_process_beside_compiles_what_it_is_told() -> None:
    asked: list[str | Spec] = [
        "bollinger(20, 2.5)",
        "vwap(anchor=week)",
        "ema(hl2, 9)",
        FRAGILE_SPEC,
    ]
    statements = warming._beside(make_plan(asked))
    for name in ("'bollinger'", "'vwap'", "'hl2'"):
        assert name in statements
    done = subprocess.run(
        [sys.executable, "-c", statements], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_compiled_is_not_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    monkeypatch.setattr(warming, "run_one_row", lambda each: ran.append(each.indicator.name))
    monkeypatch.setattr(warming, "is_compiled", lambda kernel: "ema" in kernel.__module__)
    ema = make_plan("ema(9)").operations[0].values
    warming.compile_in_order([("ema", ema), ("rsi", make_plan("rsi").operations[0].values)])
    assert ran == ["rsi"]

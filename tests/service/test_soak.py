"""Goal: under load, nothing that a service acknowledged is lost, and each client is told all of it.

Method: the soak of `make soak`, of a few seconds and a few instruments.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_short_soak_loses_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--minutes", "0.1"]
    command += ["--instruments", "50", "--clients", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("nothing lost\n")

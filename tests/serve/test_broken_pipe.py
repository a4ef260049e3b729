"""Goal: who has read enough of a verb's output, as `head -1` has, gets no traceback.

Method: each verb runs in a process whose output is closed before it writes, and stderr stays empty.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serve.calling import ingested

SIDES = ("--control", "tallow", "--candidate", "tallow", "-i", "sma(1)", "--runs", "0")


@pytest.mark.parametrize(
    "words",
    [
        ("run", "candles.csv", "-o", "bars.csv", "--json"),
        ("run", "candles.csv", "-o", "bars.csv"),
        ("compare", "candles.csv", *SIDES, "--json"),
        ("compare", "candles.csv", *SIDES),
        ("store", "list", "--store", "store"),
        ("query", "--store", "store", "--json"),
        ("indicators", "--json"),
        ("indicators",),
    ],
    ids=" ".join,
)
def test_a_closed_output_ends_a_verb_in_silence(tmp_path: Path, words: tuple[str, ...]) -> None:
    ingested(tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        command = [sys.executable, "-m", "tallow", *words]
        done = subprocess.run(
            command, cwd=tmp_path, stdout=output, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.stderr == ""

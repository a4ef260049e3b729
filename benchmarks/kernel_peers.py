"""Other libraries' indicators, each library in a process of its own which takes its turns.

`ta-lib-takt` installs as ``talib``, so all of them are in an environment of their own, which ``make
bench`` makes. Their values are compared with Tallow's before any time counts.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import ROOT, Taken

PYTHON = ROOT / ".venv" / "peers" / "bin" / "python"
LIBRARIES = (
    "ta-lib-takt",
    "wickra",
    "ferro-ta",
    "polars-talib",
    "polars-talib-fast",
    "quantwave",
    "talipp",
)
SEEDED = 2_000
"""Rows until which seeds are forgotten: libraries differ in what they count as the first range."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Peer:
    """A library in a process that waits for what to run on the arrays it has read."""

    name: str
    process: subprocess.Popen[str]

    def run(self, indicator: str, length: int) -> Taken:
        """Run an indicator over all instruments; return what it took by that process's clocks."""
        wall, cpu = self._ask(f"run {indicator} {length}").split()
        return Taken(float(wall), float(cpu))

    def values(self, indicator: str, length: int, folder: Path) -> Floats:
        """Return an indicator's outputs ``[outputs, rows]`` of the first instrument."""
        path = folder / f"{self.process.pid}-{indicator}-{length}.npy"
        self._ask(f"values {indicator} {length} {path}")
        found: Floats = np.load(path)
        return found

    def _ask(self, line: str) -> str:
        _stream(self.process.stdin).write(line + "\n")
        _stream(self.process.stdin).flush()
        answer = _stream(self.process.stdout).readline().strip()
        if not answer:
            raise RuntimeError(f"{self.name}: {line}; no answer; its process has ended")
        return answer


def _stream(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@contextmanager
def start_peers(
    columns: Mapping[str, NDArray], folder: Path, libraries: Sequence[str] = LIBRARIES
) -> Iterator[list[Peer]]:
    """Start a process for each library on one thread; end them with the block.

    Nothing starts where the environment is not there.
    """
    arrays = folder / "peers.npz"
    if PYTHON.exists():
        np.savez(arrays, **columns)
    with ExitStack() as stack:
        yield [_start(stack, name, arrays) for name in libraries if PYTHON.exists()]


def _start(stack: ExitStack, name: str, arrays: Path) -> Peer:
    process = stack.enter_context(
        subprocess.Popen(
            [PYTHON, ROOT / "benchmarks" / "peer_process.py", name, arrays],
            env=os.environ | {"POLARS_MAX_THREADS": "1", "RAYON_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    )
    stack.callback(_stream(process.stdin).close)
    version = _stream(process.stdout).readline().strip()
    return Peer(f"{name} {version}", process)


def agree(own: Floats, other: Floats) -> bool:
    """Say whether a peer's columns, at most a band's three, are ours once seeds are forgotten."""
    count = min(len(own), len(other), 3)
    return bool(
        own.shape[1] == other.shape[1]
        and np.allclose(own[:count, SEEDED:], other[:count, SEEDED:], rtol=1e-9, atol=1e-9)
    )

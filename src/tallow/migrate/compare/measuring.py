"""What an engine's answer costs: each engine in a process of its own, one after the other.

The process first answers for a little, so that code is compiled and imported. Then it answers the
whole request: by how much that raises the peak of its resident memory is the engine's memory. Then
it answers again, several times: the median is its time.
"""

from __future__ import annotations

import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.limits import COMPARE_MEASURE_SECONDS
from tallow.migrate.engines import load_engine
from tallow.migrate.engines.registry import engines
from tallow.migrate.engines.remote import RemoteEngine
from tallow.migrate.engines.stored import StoredEngine
from tallow.migrate.protocol import Engine, Request


@dataclass(frozen=True)
class Named:
    """An engine by the text that it is loaded from, and its names of series where it has others."""

    text: str
    series: Mapping[str, str] | None = None
    timezone: str | None = None

    def load(self) -> Engine:
        """Return the engine; see `load_engine`. Declared engines have no names of their own."""
        declared = self.text in engines().engines
        series = None if declared else dict(self.series or {})
        return load_engine(self.text, series=series, timezone=self.timezone)


@dataclass(frozen=True)
class Cost:
    """What an answer costs.

    Attributes
    ----------
    seconds
        Median of the runs; None where it was not measured.
    memory_bytes
        Peak above what the process held before; None where it was not measured.
    why
        Why something was not measured.
    failed
        It was to be measured, and the process died or hung.
    """

    seconds: float | None = None
    memory_bytes: int | None = None
    why: str | None = None
    failed: bool = False


def measured_part(request: Request) -> Request:
    """Return what engines are measured on: the request for the instrument with most candles.

    That is what a service is asked. Of many instruments at once, memory would be that of the
    answer, whoever gives it.
    """
    sizes = request.candles.group_by("instrument").len()
    first = sizes.sort("len", "instrument", descending=[True, False])["instrument"].head(1)
    own = request.candles.filter(pl.col("instrument").is_in(first.to_list()))
    return replace(request, candles=own)


def measure(source: Named | Engine, request: Request, runs: int) -> Cost:
    """Measure one engine; nothing that it does can hurt this process."""
    engine = source.load() if isinstance(source, Named) else source
    if isinstance(engine, StoredEngine):
        return Cost(why="stored values")
    try:
        payload = pickle.dumps(source)
    except Exception as error:  # noqa: BLE001 - whatever a user's object raises
        return Cost(why=f"cannot be sent to a process of its own: {error}")
    cost = _in_a_process(payload, request, runs)
    if isinstance(engine, RemoteEngine) and not cost.failed:
        return Cost(cost.seconds, None, "its memory is another process's")
    return cost


def _in_a_process(payload: bytes, request: Request, runs: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="tallow-") as name:
        folder = Path(name)
        # A user's module is found there as it was found here.
        (folder / "path").write_text(json.dumps(sys.path), "utf-8")
        request.candles.write_ipc(folder / "candles")
        told = replace(request, candles=request.candles.clear())
        try:
            # Not forked: what this process holds would count, and its threads' locks come along.
            done = subprocess.run(
                [sys.executable, "-m", "tallow.migrate.compare.measured", name, str(runs)],
                # By its pipe: a pickle in a file might be another's by the time it is loaded.
                input=payload + pickle.dumps(told),
                capture_output=True,
                timeout=COMPARE_MEASURE_SECONDS,
                check=False,
                env=os.environ | {"PYTHONSAFEPATH": "1"},
            )
        except subprocess.TimeoutExpired:
            why = f"did not end within {COMPARE_MEASURE_SECONDS:g} s, and was killed"
            return Cost(why=why, failed=True)
        if done.returncode:
            return Cost(why=_why(done.returncode, done.stderr), failed=True)
        return _cost(json.loads((folder / "cost").read_text("utf-8")))


def _why(code: int, stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    end = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"its process {end}: {lines[-1]}" if lines else f"its process {end}"


def _cost(told: dict[str, Any]) -> Cost:
    memory = told["memory_bytes"]
    why = None if memory is not None else "this system does not tell a process's peak memory"
    return Cost(statistics.median(told["seconds"]), memory, why)

"""The cost of an engine's answer, measured in a separate process for each engine in turn.

The process first answers for a few candles, so that code is compiled and imported. Then it answers
the whole request: the increase of its peak resident memory is the engine's memory. Then it answers
several times more: the median is its time.
"""

from __future__ import annotations

import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.limits import COMPARE_MEASURE_SECONDS
from tallow.migrate.engines import EngineSource
from tallow.migrate.engines.remote import RemoteEngine
from tallow.migrate.engines.stored import StoredEngine
from tallow.migrate.protocol import Engine, Request


@dataclass(frozen=True)
class Cost:
    """The cost of an answer."""

    seconds: float | None = None
    """Median of the runs; None where it was not measured."""
    memory_bytes: int | None = None
    """Peak above the memory before the answer; None where it was not measured."""
    why: str | None = None
    """Why something was not measured."""
    failed: bool = False
    """Whether the measuring process died or hung."""


def select_measured_part(request: Request) -> Request:
    """Return the request that engines are measured on: for the instrument with most candles.

    That is a service's usual request. For many instruments at once, the answer itself would
    dominate the memory of every engine.
    """
    sizes = request.candles.group_by("instrument").len()
    first = sizes.sort("len", "instrument", descending=[True, False])["instrument"].head(1)
    own = request.candles.filter(pl.col("instrument").is_in(first.to_list()))
    return replace(request, candles=own)


def measure(source: EngineSource | Engine, request: Request, runs: int) -> Cost:
    """Measure one engine; nothing that it does affects this process."""
    engine = source.load() if isinstance(source, EngineSource) else source
    if isinstance(engine, StoredEngine):
        return Cost(why="stored values")
    try:
        payload = pickle.dumps(source)
    except Exception as error:  # noqa: BLE001 - whatever a user's object raises
        return Cost(why=f"cannot be sent to a process of its own: {error}")
    cost = _measure_in_process(payload, request, runs)
    if isinstance(engine, RemoteEngine) and not cost.failed:
        return Cost(cost.seconds, None, "its memory is another process's")
    return cost


def _measure_in_process(payload: bytes, request: Request, runs: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="tallow-") as name:
        folder = Path(name)
        # A user's module must be found there as it is found here.
        (folder / "path").write_text(json.dumps(sys.path), "utf-8")
        request.candles.write_ipc(folder / "candles")
        without_candles = replace(request, candles=request.candles.clear())
        try:
            # Not forked: the memory of this process would count, and its threads' locks be copied.
            done = subprocess.run(
                [sys.executable, "-m", "tallow.migrate.compare.measuring_process", name, str(runs)],
                # Through a pipe: somebody might replace a pickle in a file before it is loaded.
                input=payload + pickle.dumps(without_candles),
                capture_output=True,
                timeout=COMPARE_MEASURE_SECONDS,
                check=False,
                env=os.environ | {"PYTHONSAFEPATH": "1"},
            )
        except subprocess.TimeoutExpired:
            why = f"did not end within {COMPARE_MEASURE_SECONDS:g} s, and was killed"
            return Cost(why=why, failed=True)
        if done.returncode:
            return Cost(why=_describe_end(done.returncode, done.stderr), failed=True)
        return _cost_of(json.loads((folder / "cost").read_text("utf-8")))


def _describe_end(code: int, stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    end = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"its process {end}: {lines[-1]}" if lines else f"its process {end}"


def _cost_of(figures: dict[str, Any]) -> Cost:
    memory = figures["memory_bytes"]
    why = None if memory is not None else "this system does not report a process's peak memory"
    return Cost(statistics.median(figures["seconds"]), memory, why)

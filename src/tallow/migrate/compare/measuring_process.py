"""The process that measures an engine: ``python -m tallow.migrate.compare.measuring_process``."""

from __future__ import annotations

import gc
import json
import pickle
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import polars as pl

from tallow.migrate.protocol import Engine, Request

FEW_ROWS = 400
"""Candles of the first answer, which compiles: one session of minutes of one instrument."""

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main(folder: Path, runs: int) -> None:
    """Measure the engine and request in a folder, and write the figures there."""
    sys.path[:] = json.loads((folder / "path").read_text("utf-8"))
    source = pickle.load(sys.stdin.buffer)
    engine = source if isinstance(source, Engine) else source.load()
    # Not mapped from the file: pages loaded while the engine reads would count as its memory.
    candles = pl.read_ipc(BytesIO((folder / "candles").read_bytes()))
    request = replace(pickle.load(sys.stdin.buffer), candles=candles)
    _warm_up(engine, request)
    memory = added_peak(lambda: engine.answer(request))
    seconds = [_time(lambda: engine.answer(request)) for _ in range(runs)]
    figures = {"seconds": seconds, "memory_bytes": memory}
    (folder / "cost").write_text(json.dumps(figures), "utf-8")


def added_peak(act: Callable[[], object]) -> int | None:
    """Return by how many bytes the peak exceeds the memory before; None where that is unknown."""
    gc.collect()
    if not RESET.exists():
        return _added_to_all_time_peak(act)
    # Linux can reset the peak, so that importing and compiling do not hide what comes after.
    RESET.write_text("5")
    before = _status("VmRSS")
    act()
    return max(_status("VmHWM") - before, 0)


def _added_to_all_time_peak(act: Callable[[], object]) -> int | None:
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    act()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit


def _status(name: str) -> int:
    for line in STATUS.read_text("ascii").splitlines():
        field, _, value = line.partition(":")
        if field == name:
            return int(value.split()[0]) * 1024
    raise AssertionError(name)


def _warm_up(engine: Engine, request: Request) -> None:
    first = request.candles["instrument"][0]
    few = request.candles.filter(pl.col("instrument") == first).head(FEW_ROWS)
    engine.answer(replace(request, candles=few, start=None, end=None))


def _time(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

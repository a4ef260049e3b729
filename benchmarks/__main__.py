"""``python -m benchmarks``: run the workloads, and print what they found."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import tallow
from benchmarks import (
    alerts,
    cache,
    desk,
    durable,
    file_to_frame,
    hops,
    indicators,
    kernels,
    live,
    memory,
    migration,
    patterns,
    plots,
    request,
    scaling,
    screens,
    sequences,
    service_reads,
    service_stream,
    shadow,
    small,
    start,
    store,
)
from benchmarks.market import CALENDAR, Market
from benchmarks.measure import Outcome
from benchmarks.report import machine, make_console, show_machine, show_outcome, to_json
from benchmarks.settings import Settings

WORKLOADS: dict[str, Callable[[Settings], Outcome]] = {
    "file-to-frame": file_to_frame.measure,
    "kernels": kernels.measure,
    "kernel-peers": kernels.measure_peers,
    "indicators": indicators.measure,
    "patterns": patterns.measure,
    "memory": memory.measure,
    "scaling": scaling.measure,
    "start": start.measure,
    "request": request.measure,
    "ingest": store.measure_ingest,
    "range": store.measure_range,
    "day": store.measure_day,
    "small-writes": store.measure_small_writes,
    "small": small.measure,
    "durable": durable.measure,
    "locks": small.measure_locks,
    "live": live.measure,
    "corrections": live.measure_corrections,
    "live-memory": live.measure_memory,
    "cache": cache.measure_request,
    "hits": cache.measure_hits,
    "hops": hops.measure,
    "migration": migration.measure,
    "shadow": shadow.measure,
    "screens": screens.measure,
    "alerts": alerts.measure,
    "plots": plots.measure,
    "sequences": sequences.measure,
    "service-reads": service_reads.measure,
    "desk": desk.measure,
    "stream": service_stream.measure,
}


def main() -> int:
    """Run what the command line asks for; a missed target is told, and no failure."""
    asked = _parser().parse_args()
    console, about, outcomes = make_console(), machine(), []
    show_machine(console, about)
    with tempfile.TemporaryDirectory(prefix="tallow-bench-") as folder:
        settings = _settings(asked, Path(folder))
        tallow.AnalyticsEngine(calendar=CALENDAR).warm_up()
        for name in asked.only or WORKLOADS:
            outcomes.append(WORKLOADS[name](settings))
            show_outcome(console, outcomes[-1])
    if asked.json:
        asked.json.write_text(json.dumps(to_json(about, outcomes), indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=WORKLOADS, help="repeat for more")
    parser.add_argument("--quick", action="store_true", help="a tenth of the instruments")
    parser.add_argument(
        "--full", action="store_true", help="time per row up to 100 million rows (2 GB of disk)"
    )
    parser.add_argument("--rounds", type=int, help="turns of each contestant (default 7, quick 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    return parser


def _settings(asked: argparse.Namespace, folder: Path) -> Settings:
    """Return sizes: those of the targets, or those of a quick look."""
    row_counts = (100_000, 1_000_000) if asked.quick else (100_000, 1_000_000, 10_000_000)
    return Settings(
        market=Market(folder, instruments=100 if asked.quick else 1_000, sessions=20),
        rounds=asked.rounds or (3 if asked.quick else 7),
        row_counts=(*row_counts, 100_000_000) if asked.full else row_counts,
        peer_instruments=20 if asked.quick else 100,
    )


if __name__ == "__main__":
    sys.exit(main())

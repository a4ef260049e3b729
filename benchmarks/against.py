"""``python -m benchmarks.against REVISION``: this build and an older one in turn, figure by figure.

Each turn is a process of its own for either build, the older one first in every second turn. The
older build is a git worktree beside this one, on the same Python and the same packages. A figure is
worse if its median is by more than `WORSE`, and by more than either build's spread: half of what
lies between the quartiles of its turns, against the median.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from rich.table import Table

from benchmarks.measure import ROOT
from benchmarks.report import make_console

WORSE = 0.05

Turns = dict[tuple[str, str], list[float]]
"""The values of a figure, one a turn, by workload and name."""


@dataclass(frozen=True)
class Change:
    """A figure of both builds: medians, how much worse the new one is, and the larger spread."""

    workload: str
    figure: str
    old: float
    new: float
    worse_by: float
    spread: float

    @property
    def is_worse(self) -> bool:
        """Whether it is worse by more than is allowed, and by more than the spread."""
        return self.worse_by > max(WORSE, self.spread)


def main() -> int:
    """Measure both builds, print a table, and exit with 1 where a figure is worse."""
    asked = _parser().parse_args()
    options = ["--rounds", str(asked.rounds), *(["--quick"] if asked.quick else [])]
    options += [part for name in asked.only or () for part in ("--only", name)]
    old: Turns = defaultdict(list)
    new: Turns = defaultdict(list)
    better: dict[tuple[str, str], str] = {}
    console = make_console()
    with _worktree(asked.revision) as other:
        for turn in range(asked.turns):
            pairs = [(other, old), (ROOT, new)][:: -1 if turn % 2 else 1]
            for root, values in pairs:
                better |= _run(root, options, values)
            console.print(f"turn {turn + 1} of {asked.turns}")
    changes = [_change(key, old[key], new[key], better[key]) for key in new if key in old]
    console.print(_table(changes))
    return int(any(change.is_worse for change in changes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.against", description=__doc__)
    parser.add_argument("revision", help="the older build, as git names it")
    parser.add_argument("--turns", type=int, default=7, help="turns of each build (default 7)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in a turn (default 3)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the instruments")
    parser.add_argument("--only", action="append", help="a workload; repeat for more")
    return parser


@contextmanager
def _worktree(revision: str) -> Iterator[Path]:
    """Check a revision out into a folder, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="tallow-against-") as folder:
        root = Path(folder) / "old"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(root), revision], check=True)
        try:
            yield root
        finally:
            subprocess.run([*git, "remove", "--force", str(root)], check=True)


def _run(root: Path, options: Sequence[str], values: Turns) -> dict[tuple[str, str], str]:
    """Run a build's benchmarks, add what they found, and return which side of each is better."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        command = [sys.executable, "-m", "benchmarks", *options, "--json", str(found)]
        path = os.pathsep.join([str(root / "src"), str(root)])
        environment = os.environ | {"PYTHONPATH": path}
        subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
        workloads = json.loads(found.read_text())["workloads"]
    better = {}
    for workload, outcome in workloads.items():
        for figure in outcome["figures"]:
            key = (workload, figure["name"])
            values[key].append(figure["value"])
            better[key] = figure["better"]
    return better


def _change(
    key: tuple[str, str], old: Sequence[float], new: Sequence[float], better: str
) -> Change:
    before, after = median(old), median(new)
    worse, base = (after, before) if better == "lower" else (before, after)
    # What counts faults is zero where all is well.
    ratio = worse / base if base else 1.0 if worse == base else math.inf
    return Change(*key, before, after, ratio - 1, max(_spread(old), _spread(new)))


def _spread(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    low, _, high = quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / (abs(median(values)) or 1.0)


def _table(changes: Sequence[Change]) -> Table:
    table = Table("workload", "figure", "old", "new", "worse by", "spread", "")
    for change in sorted(changes, key=lambda each: -each.worse_by):
        table.add_row(
            change.workload,
            change.figure,
            f"{change.old:.3g}",
            f"{change.new:.3g}",
            f"{change.worse_by:+.1%}",
            f"{change.spread:.1%}",
            "worse" if change.is_worse else "",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())

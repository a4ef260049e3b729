"""Showing outcomes: tables for a person, JSON for a script."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Column, Table

from benchmarks.measure import Figure, Outcome

PACKAGES = ("tallow", "polars", "polars-talib", "pandas", "TA-Lib", "numba", "numpy")

COLUMNS_MIN = 100
"""Width where there is no terminal to ask, and the least: narrower tables cut the figures off."""


def machine() -> dict[str, Any]:
    """Return what a reader must know to judge the figures."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "load": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def make_console() -> Console:
    """Return the console that tables go to."""
    console = Console(highlight=False)
    console.width = max(console.width, COLUMNS_MIN)
    return console


def show_machine(console: Console, about: dict[str, Any]) -> None:
    """Print what runs where, and a warning where something else runs too."""
    versions = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    console.print(f"{about['processors']} x {about['processor']}, {about['system']}")
    console.print(f"Python {about['python']}, {versions}")
    if about["load"] > 0.5:
        console.print(
            f"[yellow]The machine is busy (load {about['load']}): figures are noisy, and those of "
            "whatever uses several processors suffer most."
        )


def show_outcome(console: Console, outcome: Outcome) -> None:
    """Print a workload's measurements, then its figures, each beside its target."""
    console.print(f"\n[bold]{outcome.title}")
    console.print(_table(outcome.columns, [[_text(cell) for cell in row] for row in outcome.rows]))
    for note in outcome.notes:
        console.print(f"[dim]{note}")
    if outcome.figures:
        lines = [_figure_cells(figure) for figure in outcome.figures]
        console.print(_table(("figure", "value", "target", ""), lines))


def to_json(about: dict[str, Any], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return everything as plain values."""
    return {"machine": about, "workloads": {o.name: _outcome_json(o) for o in outcomes}}


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    names = [column or "name" for column in outcome.columns]
    return {
        "title": outcome.title,
        "rows": [dict(zip(names, row, strict=True)) for row in outcome.rows],
        "figures": [
            {
                "name": figure.name,
                "value": figure.value,
                "unit": figure.unit,
                "target": figure.target,
                "better": figure.better,
                "met": figure.is_met,
            }
            for figure in outcome.figures
        ],
        "notes": list(outcome.notes),
    }


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    first, *others = columns
    headings = [Column(first), *(Column(name, justify="right") for name in others)]
    table = Table(*headings, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for line in lines:
        table.add_row(*line)
    return table


def _figure_cells(figure: Figure) -> tuple[str, str, str, str]:
    target = ""
    if figure.target is not None:
        sign = "at most" if figure.better == "lower" else "at least"
        target = f"{sign} {figure.target:g} {figure.unit}"
    colour = {True: "green", False: "red", None: "dim"}[figure.is_met]
    verdict = f"[{colour}]{figure.verdict}[/]"
    return figure.name, f"{_text(figure.value)} {figure.unit}", target, verdict


def _text(cell: str | float) -> str:
    """Write a number in about three digits."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or cell >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.1f}" if cell >= 10 else f"{cell:.2f}" if cell >= 1 else f"{cell:.3f}"

"""`tallow config`: each setting of the service, its value, and who said it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from tallow.serve.console import QUIET, make_console, print_json
from tallow.service.read_settings import SaidSetting, said_settings


def show_config(*, config: Path | None, json: bool, **options: Any) -> int:
    """Show the settings, and return the exit code; `TallowError` if one is wrong."""
    settings = said_settings(config, timeframes=options.pop("timeframe"), **options)
    if json:
        print_json([asdict(each) for each in settings])
    else:
        make_console().print(_table(settings, config))
    return 0


def _table(settings: list[SaidSetting], config: Path | None) -> Table:
    table = Table.grid(Column(no_wrap=True), "", Column(no_wrap=True), "", padding=(0, 2))
    for each in settings:
        value = ", ".join(each.value) if isinstance(each.value, list) else each.value
        origin = str(config) if each.origin == "file" else each.origin
        style = QUIET if each.origin == "default" else "none"
        table.add_row(
            each.name,
            "-" if value is None else escape(str(value)),
            f"[{style}]{escape(origin)}[/]",
            f"[{QUIET}]{escape(each.description)}[/]",
        )
    return table

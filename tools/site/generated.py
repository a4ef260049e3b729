"""Pages that are written from the declarations while the site is built."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tallow.core.described import details_of, example_of, number_text
from tallow.core.operator import Indicator
from tallow.core.registry import registry
from tallow.serve.cli import app
from tools.site.staging import ORPHAN

COMMANDS_HEAD = """\
# Commands

What `tallow COMMAND --help` says, of every command. It is written from the program itself.
"""
INDICATOR = """\
# {name}

{title}. One of [all indicators](../indicators.md); `tallow indicators {name}` says the same.

{facts}

## Try

```bash
tallow run candles.csv -i "{example}" -o bars.parquet
```

## Outputs

{outputs}
"""
PARAMETERS = "\n## Parameters\n\n{parameters}\n"


def write_commands(pages: Path) -> None:
    """Write the page of the command line: each command's own help."""
    os.environ["COLUMNS"] = "88"
    command = typer.main.get_command(app)
    text = [COMMANDS_HEAD, *_helps(command, None, "tallow")]
    (pages / "commands.md").write_text("\n".join(text), "utf-8")


def _helps(command: Any, parent: Any, name: str) -> Iterator[str]:
    """Yield a heading and the help of a command, and of those below it."""
    context = type(command).context_class(command, info_name=name.rpartition(" ")[2], parent=parent)
    help_text = re.sub(r"\x1b\[[0-9;]*m", "", command.get_help(context)).rstrip()
    yield f"## {name}\n\n```text\n{help_text}\n```\n"
    for each in command.list_commands(context) if hasattr(command, "list_commands") else ():
        found = command.get_command(context, each)
        if not found.hidden:
            yield from _helps(found, context, f"{name} {each}")


def write_indicators(pages: Path) -> None:
    """Write a page for each indicator, so that a search for its name finds it.

    Candle patterns are a table of their own on the page of all indicators.
    """
    folder = pages / "indicators"
    folder.mkdir()
    for indicator in shown_indicators():
        (folder / f"{indicator.name}.md").write_text(indicator_page(indicator), "utf-8")
    table = pages / "indicators.md"
    table.write_text(_linked(table.read_text("utf-8")), "utf-8")


def _linked(table: str) -> str:
    """Return the page of all indicators, each spec in its first table leading to its own page."""
    names = "|".join(each.name for each in shown_indicators())
    return re.sub(
        rf"^\| (`({names})(?:\([^`|]*\))?`) \|",
        r"| [\1](indicators/\2.md) |",
        table,
        flags=re.MULTILINE,
    )


def shown_indicators() -> list[Indicator]:
    """Return the indicators that have a page of their own, by name."""
    found = (each for each in registry().by_name.values() if each.family is None)
    return sorted(found, key=lambda each: each.name)


def indicator_page(indicator: Indicator) -> str:
    """Return the page of an indicator, from its declaration."""
    found = details_of(indicator)
    outputs = [
        (
            f"`{each['name']}`",
            f"`{each['column']}`",
            each["unit"],
            _bounds(each),
            each["description"],
        )
        for each in found["outputs"]
    ]
    page = ORPHAN + INDICATOR.format(
        name=indicator.name,
        title=found["title"],
        example=example_of(indicator),
        facts=_table(("", ""), _facts(found)),
        outputs=_table(("name", "column", "unit", "bounds", "what it is"), outputs),
    )
    parameters = [
        (f"`{each['name']}`", _shown(each["default"]), _rule(each), each["description"])
        for each in found["parameters"]
    ]
    head = ("name", "default", "takes", "what it is")
    return page + (PARAMETERS.format(parameters=_table(head, parameters)) if parameters else "")


def _facts(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "formula", found["formula"]
    if found["aliases"]:
        yield "other names", ", ".join(f"`{each}`" for each in found["aliases"])
    yield "reads", ", ".join(found["inputs"])
    yield "memory", found["memory"]
    for convention, preset in found["presets"].items():
        rows = sorted(set(preset["warmup"]))
        given = "".join(
            f", `{name}={_shown(value)}`" for name, value in preset["parameters"].items()
        )
        yield f"warm-up, `{convention}`", f"{', '.join(map(str, rows))} rows{given}"
    yield "seed", found["seed"]
    yield "flat market", found["flat"]
    yield "missing values", found["missing_values"]
    if found["charts_draw"]:
        yield "charts draw", ", ".join(found["charts_draw"])
    yield "reference", found["reference"]
    yield "version", f"{found['version']}; raised when a value changes"


def _shown(value: Any) -> str:
    return number_text(value) if isinstance(value, (int, float, str)) else str(value)


def _rule(parameter: dict[str, Any]) -> str:
    if parameter["choices"]:
        return ", ".join(f"`{each}`" for each in parameter["choices"])
    return _bounds(parameter)


def _bounds(what: dict[str, Any]) -> str:
    low, high = what["minimum"], what["maximum"]
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"at least {low:g}" if high is None else f"at most {high:g}"
    return f"{low:g} to {high:g}"


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for row in rows:
        cells = [str(cell).replace("|", "\\|").replace("*", "\\*") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)

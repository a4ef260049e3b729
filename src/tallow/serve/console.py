"""What verbs print with: the consoles, their tables, and a bar for long work."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from tallow.core.text import printable
from tallow.serve.wording import say_json

PLAIN_COLUMNS = 100
"""Width where there is no terminal to ask: rich would take 80, and cut what is longer."""

QUIET = "dim"
GOOD, WARN, BAD = "green", "yellow", "red"

ASSUMED = "?"
"""Follows what is in an assumed session."""

WHOLE = ("volume", "open_interest")
"""Columns that are shown without decimals."""

SPARKS = "▁▂▃▄▅▆▇█"

ShowProgress = Callable[[int, int], None]
"""Called with what is done, and what there is in all or 0 where that is not known."""


class SafeConsole(Console):
    """A console on which text of others steers nothing: rich lets most control characters pass."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Make text of a string; what would steer a terminal is written out."""
        return super().render_str(printable(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Draw anything; nothing of it steers a terminal, not even of a `Text` made elsewhere."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(printable(text), style)


def make_console(stderr: bool = False) -> Console:
    """Return a console for stdout or stderr that colours nothing by itself."""
    console = SafeConsole(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PLAIN_COLUMNS
    return console


JSON = (".json",)
"""How a file's name ends that `--json-file` writes."""


def check_json_file(file: Path | None) -> None:
    """Raise `OutputError` unless a file for JSON can be written, if there is to be one."""
    from tallow.data.writers import check_output

    if file is not None:
        check_output(file, JSON)


def put_json(value: Any, shown: bool, file: Path | None) -> None:
    """Print one JSON value, if it is to be shown, and write it, if there is to be a file."""
    if shown:
        print_json(value)
    if file is not None:
        from tallow.data.writers import write_text

        write_text(file, json.dumps(value, ensure_ascii=False, allow_nan=False))


def print_json(value: Any) -> None:
    """Print one JSON value, and nothing else, on stdout."""
    say_json(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def make_counts(rows: Iterable[tuple[str, str, str]]) -> Table:
    """Return a table of counts, what they count, and a note; a path in a note is never cut off."""
    table = Table.grid(number(""), "", Column(overflow="fold"), padding=(0, 2))
    for count, name, note in rows:
        table.add_row(count, name, f"[{QUIET}]{escape(note)}[/]" if note else "")
    return table


def next_text(commands: Iterable[str]) -> Text:
    """Return what to try next, one command a line, each to be copied whole, in this order.

    Where a shell does not find the program, the first command is the one after which it does.
    """
    text = Text("\nNext, try\n", "bold")
    lines = [f"  {command}\n" for command in (*_activation(), *commands)]
    return text.append("".join(lines), "not bold")


def _activation() -> list[str]:
    """Return the command that puts this environment's programs on a shell's path, if it must."""
    script, found = Path(sys.prefix, "bin", "activate"), shutil.which("tallow")
    own = script.with_name("tallow").resolve()
    if (found and Path(found).resolve() == own) or not script.exists():
        return []
    here = Path.cwd()
    shown = script.relative_to(here) if script.is_relative_to(here) else script
    return [f". {shlex.quote(str(shown))}"]


def make_table(*columns: Column | str, title: str = "") -> Table:
    """Return a table in the one look that all verbs share: a rule below the headings, no frame."""
    return Table(
        *columns,
        title=title or None,
        title_justify="left",
        title_style="bold",
        header_style=QUIET,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        show_edge=False,
    )


def number(name: str) -> Column:
    """Return a column of numbers: to the right, never wrapped."""
    return Column(name, justify="right", no_wrap=True)


def number_cells(column: str, values: Sequence[float | None]) -> list[str]:
    """Return a column's values as text, all with as many decimals.

    Examples
    --------
    >>> number_cells("close", [1.5, None, 1234.0])
    ['1.50', '-', '1,234.00']
    """
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    # A coin may cost a thousandth of a cent.
    form = ",.0f" if column in WHOLE else ",.2f" if largest >= 1 else ".4g"
    return ["-" if value is None else f"{value:{form}}" for value in values]


def compact(count: float) -> str:
    """Write a count in three or four digits.

    Examples
    --------
    >>> [compact(n) for n in (12, 9_870, 12_758, 1_523_000)]
    ['12', '9.9k', '13k', '1.5M']
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            scaled = count / size
            return f"{scaled:.1f}{letter}" if scaled < 10 else f"{scaled:.0f}{letter}"
    return f"{count:.0f}"


def draws_sparks(console: Console) -> bool:
    """Say whether a console can print a sparkline: an old one's encoding has no blocks."""
    return console.encoding.lower().startswith("utf")


def sparkline(values: Sequence[float | None], width: int) -> str:
    """Draw the last `width` values with one character each: null is a space, a flat line is low.

    Examples
    --------
    >>> sparkline([1.0, 2.0, None, 3.0, 8.0], 4)
    '▁ ▂█'
    """
    last = values[-width:]
    there = [value for value in last if value is not None]
    low = min(there, default=0.0)
    span = max(there, default=0.0) - low or 1.0
    top = len(SPARKS) - 1
    return "".join(
        " " if value is None else SPARKS[round((value - low) / span * top)] for value in last
    )


class _PaceColumn(ProgressColumn):
    """How many are done, of how many, and how many a second; or the seconds, if they are few."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        of_all = f" of {task.total:,.0f}" if task.total else ""
        seconds = task.elapsed or 0.0
        is_slow = task.completed <= seconds
        pace = f"{seconds:.0f} s" if is_slow else f"{compact(task.completed / seconds)}/s"
        return Text(f"{task.completed:,.0f}{of_all} {self._unit}, {pace}", QUIET)


@contextmanager
def progress_bar(
    console: Console, title: str, unit: str, shown: bool = True
) -> Iterator[ShowProgress | None]:
    """Give a function that moves a bar, or None where no terminal shows one.

    The bar goes away when the work is done: what is left is the verb's own answer.
    """
    if not (shown and console.is_terminal):
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(24), _PaceColumn(unit))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=None)

        def move(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total or None)

        yield move


def colour(count: int, style: str) -> str:
    """Return a count, in a colour unless it is 0."""
    return f"[{style}]{count:,}[/]" if count else "0"

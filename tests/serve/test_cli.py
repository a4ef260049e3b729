"""Goal: the command line's help is fast to load and complete, and its parts print as they should.

Method: a process of its own tells what `tallow --help` imported; the help texts are searched for
what a reader needs; consoles with a terminal that is only pretended record what bars look like.
"""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tallow import AnalyticsEngine
from tallow.core.operator import CONVENTIONS
from tallow.serve.cli import app
from tallow.serve.console import compact, make_console, make_table, progress_bar
from tallow.serve.verbs import WORKS, find_work
from tallow.serve.wording import in_options

VERBS = ("run", "ingest", "query", "demo", "indicators", "doctor", "leak-check")
STORE_VERBS = (
    *("stats", "list", "coverage", "quarantine", "ingests", "actions"),
    *("compact", "backup", "restore", "prune"),
)


def help_of(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--help"])
    assert result.exit_code == 0
    return result.stdout


def assert_not_cut(page: str) -> None:
    """Assert that the list of verbs says what each does to the end."""
    assert not [line for line in page.splitlines()[1:] if line.endswith("...")]


def test_help_imports_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "tallow", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "tallow.serve.options" in imported
    # Coverage imports what it likes when it measures this process, but none of these.
    heavy = {"polars", "numba", "exchange_calendars", "pandas", "deltalake", "tallow.engine"}
    assert imported.isdisjoint(heavy)


@pytest.mark.parametrize("verb", WORKS)
def test_what_does_a_verbs_work_takes_all_of_its_options(verb: str) -> None:
    declared, work = WORKS[verb]
    options = dict.fromkeys(inspect.signature(declared).parameters)
    bound = inspect.signature(find_work(work)).bind(**options)
    assert set(options) <= {*bound.kwargs, *bound.arguments}


WITHOUT_FCNTL = """
import sys

class NoFcntl:
    def find_spec(self, name, path=None, target=None):
        if name == "fcntl":
            raise ModuleNotFoundError("No module named 'fcntl'", name=name)

sys.modules.pop("fcntl", None)
sys.meta_path.insert(0, NoFcntl())

import tallow
import typer.main
from typer.testing import CliRunner
from tallow.serve.cli import app

def pages(command, *names):
    yield names
    for name, below in getattr(command, "commands", {}).items():
        yield from pages(below, *names, name)

for names in pages(typer.main.get_command(app)):
    result = CliRunner().invoke(app, [*names, "--help"])
    assert result.exit_code == 0, (names, result.exception)
    assert result.stdout.startswith("Usage: ")
    print(*names)
assert CliRunner().invoke(app, ["rollout", "plan"]).exit_code == 0
"""


def test_all_help_works_where_there_is_no_fcntl() -> None:
    command = [sys.executable, "-c", WITHOUT_FCNTL]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    verbs = result.stdout.splitlines()
    assert {"run", "live", "store backup", "rollout revert"} <= set(verbs)


INTERRUPTED = """
import sys
from tallow.__main__ import main

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
main()
"""


def test_ctrl_c_while_the_program_is_imported_is_no_traceback() -> None:
    command = [sys.executable, "-c", INTERRUPTED]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, result.stderr) == (130, "cancelled\n")


def test_help_shows_verbs_examples_exit_codes_and_next_steps() -> None:
    page = help_of()
    for words in (*VERBS, "store", "Examples:", "Exit codes:", "Next:", "--version"):
        assert words in page
    assert_not_cut(page)


def test_the_help_of_store_lists_its_verbs() -> None:
    page = help_of("store")
    for words in (*STORE_VERBS, "Examples:", "TALLOW_STORE"):
        assert words in page
    assert_not_cut(page)


@pytest.mark.parametrize("verb", [*VERBS, *(f"store {verb}" for verb in STORE_VERBS)])
def test_each_verb_explains_itself(verb: str) -> None:
    page = help_of(*verb.split())
    assert page.startswith(f"Usage: tallow {verb} ")
    assert max(map(len, page.splitlines())) <= 100


def test_the_help_of_run_groups_its_options_and_names_the_conventions() -> None:
    page = help_of("run")
    assert [line for line in page.splitlines() if line in {"Bars:", "Result:", "Reading:"}] == [
        "Bars:",
        "Result:",
        "Reading:",
    ]
    assert "|".join(CONVENTIONS) in page
    assert "INPUT..." in page


def test_the_version_is_the_package_s() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"tallow {version('tallow')}\n")


def test_an_unknown_verb_exits_with_2_and_a_near_match() -> None:
    result = CliRunner().invoke(app, ["rum"])
    assert result.exit_code == 2
    assert "'run'" in result.stderr


def test_a_bar_shows_what_is_done_and_the_pace() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with progress_bar(console, "Working", "candles") as move:
        assert move is not None
        move(1_500, 0)
        move(2_000, 3_000)
    assert "Working" in screen.getvalue()
    assert "2,000 of 3,000 candles" in screen.getvalue()


def test_on_a_terminal_a_run_shows_its_bar_and_a_first_run_that_it_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setattr(AnalyticsEngine, "is_warm", lambda *_: False)
    demo = ["demo", "--instruments", "2", "--sessions", "2", "-t", "1d", "-o", str(tmp_path)]
    result = CliRunner().invoke(app, demo)
    assert result.exit_code == 0, result.output
    for title in ("Simulating a market", "Compiling kernels, once", "Bars of 1d"):
        assert title in result.stderr


@pytest.mark.parametrize(("terminal", "shown"), [(False, True), (True, False)])
def test_no_bar_without_a_terminal_or_when_quiet(terminal: bool, shown: bool) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=terminal)
    with progress_bar(console, "Working", "candles", shown) as move:
        assert move is None
    assert screen.getvalue() == ""


def test_without_a_terminal_lines_are_100_wide_unless_columns_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert make_console().width == 100
    monkeypatch.setenv("COLUMNS", "60")
    assert make_console().width == 60
    make_console().print(make_table("a column"))
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (999, "999"), (1_000, "1.0k"), (2.5e6, "2.5M"), (12e9, "12G")]
)
def test_counts_are_written_short(count: float, text: str) -> None:
    assert compact(count) == text


@pytest.mark.parametrize(
    ("verb", "message", "text"),
    [
        ("run", 'pass timezone="UTC", for example', 'pass --timezone "UTC", for example'),
        (
            "run",
            "add them in a file given as calendar_dates=: [[session]]",
            "add them in a file given as --calendar-dates: [[session]]",
        ),
        ("run", "source_timeframe='1d' takes any time", "--source-timeframe '1d' takes any time"),
        ("run", 'pass instrument_key="A"', 'pass --instrument-key "A"'),
        ("ingest", 'pass instrument_key="A"', 'pass --instrument-key "A"'),
        ("run", "read_candles(candles, timezone=...)", "read_candles(candles, timezone=...)"),
        ("ingest", "see keep= and --keep", "see keep= and --keep"),
        ("run", "rsi: length=1; must be 2..5000", "rsi: length=1; must be 2..5000"),
    ],
)
def test_messages_name_options(verb: str, message: str, text: str) -> None:
    assert in_options(message, verb) == text

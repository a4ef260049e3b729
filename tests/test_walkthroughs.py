"""Goal: whatever a page tells a reader to type works as it is printed, from the first line on.

Method: every command and every block of Python of a page is run in order, in an empty folder;
what a block prints is compared where the page shows it (`pages.py`). Targets of make that install
or take minutes are represented by what they run after that.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import REPRESENTED, ROOT, blocks, commands, run_command, run_commands, run_page

PAGES = {
    "README.md": 21,
    "CONTRIBUTING.md": 0,
    "docs/tutorial.md": 9,
    "docs/feed-of-a-broker.md": 3,
    "docs/migrate.md": 11,
    "docs/operate.md": 20,
    "docs/own-indicator.md": 7,
    "docs/store-in-a-bucket.md": 8,
}
"""How many commands a page has, at least: a page whose blocks are not found would pass."""

REFERENCES = {"docs/screens.md": 2, "docs/leaks.md": 3, "docs/alerts.md": 2, "docs/keys.md": 2}
"""Pages whose commands are asked of the demo's candles, in a file and in a store; and how many."""

REPEATED = {"docs/index.md": "README.md"}
"""Pages that show nothing but commands of another one, which is run."""

NOT_RUN_HERE = {"docs/http.md": "tests/service/test_http_page.py runs it, with what each answers"}
"""Pages with commands that no test of this file runs, and why."""

COMMAND = re.compile(
    r"^ *(tallow|make|curl|python|pip|docker|sudo|systemctl|journalctl|promtool|helm|kubectl) ",
    re.MULTILINE,
)
"""A line of a block that a reader types."""


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_runs_as_it_is_printed(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if page == "docs/store-in-a-bucket.md":
        for name, text in request.getfixturevalue("bucket_options").items():
            monkeypatch.setenv(name.upper(), text)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    run_page(ROOT / page, tmp_path)


@pytest.mark.parametrize("page", REFERENCES)
def test_commands_of_a_page_of_reference_run(page: str, tmp_path: Path) -> None:
    said = "--source-timeframe 1m --adjustment raw"
    for command in (
        "tallow demo --instruments 4",
        "cp tallow-demo/candles_1m.parquet candles.parquet",
        f"tallow ingest candles.parquet --store candles {said}",
    ):
        run_command(tmp_path, command)
    assert run_commands(ROOT / page, tmp_path) == REFERENCES[page]


def test_all_pages_that_show_commands_are_run() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    shown = {
        str(page.relative_to(ROOT))
        for page in pages
        for language, text in blocks(page)
        if language in {"bash", "sh", "shell", "console"} and COMMAND.search(text)
    }
    known = {*PAGES, *REFERENCES, *REPEATED, *NOT_RUN_HERE}
    assert shown - known == set(), "run these pages here, or say in NOT_RUN_HERE why not"
    silent = {page for page, least in PAGES.items() if least == 0}
    assert known - shown == silent, "these pages show no commands"


@pytest.mark.parametrize("page", REPEATED)
def test_commands_that_a_page_repeats_are_those_of_the_other(page: str) -> None:
    own, other = (
        {
            command
            for kind, text in blocks(ROOT / name)
            if kind == "bash"
            for command in commands(text)
        }
        for name in (page, REPEATED[page])
    )
    assert own
    assert own <= other


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_are_found(page: str) -> None:
    found = [c for kind, text in blocks(ROOT / page) if kind == "bash" for c in commands(text)]
    assert len(found) >= PAGES[page]


def test_what_stands_for_a_target_is_what_it_runs() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target, command in REPRESENTED.items():
        if command:
            recipe = makefile.partition(f"\n{target.removeprefix('make ')}:")[2].partition("\n\n")[
                0
            ]
            assert f"$(BIN)/{' '.join(command.split()[:2])}\n" in f"{recipe}\n"


def install(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run what `make setup` shows an installation with; nothing is fetched."""
    words = [sys.executable, "tools/install.py", "Installing a package", "--no-index", *arguments]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def test_an_installation_says_what_it_does_in_plain_lines_without_a_terminal() -> None:
    done = install("hatchling")
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first == "Installing a package"
    assert last.startswith("  done in ")
    assert "\r" not in done.stdout


def test_an_installation_that_fails_shows_what_pip_said() -> None:
    done = install("no-such-package-of-tallow")
    assert done.returncode != 0
    assert "no-such-package-of-tallow" in done.stderr
    assert "done in" not in done.stdout

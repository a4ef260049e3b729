"""What tests of pages share: a real browser opens a page as a file, and says what became of it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Opened:
    """What a browser made of a page: its document, and the lines of its console."""

    document: str
    console: list[str]


def opened(text: str, folder: Path, width: int = 1280, height: int = 900) -> Opened:
    """Return what headless Chromium makes of a page; the test is skipped where there is none."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed: no browser to open the page with")
    path = folder / "page.html"
    path.write_text(text, "utf-8")
    done = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            # Time for what a page does later, which passes at once.
            "--virtual-time-budget=3000",
            *("--no-first-run", "--disable-background-networking", "--enable-logging=stderr"),
            *(f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}"),
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Opened(done.stdout, lines)

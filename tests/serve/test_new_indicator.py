"""Goal: a package with an indicator of one's own is there in a minute, and works as it was written.

Method: the package is written, installed as a user would, asked for by name, and its test is run,
each in a process of its own; what cannot be a name is refused.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tallow.serve.cli import app


def run(folder: Path, site: Path, *words: str) -> str:
    """Run Python in a folder, with what was installed; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(site), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_package_is_installed_found_and_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["indicators", "new", "my_average"])
    assert shown.exit_code == 0
    assert "tallow indicators my_average" in shown.stdout
    site = tmp_path / "site"
    # As `pip install my_average`, from what this environment has.
    quiet = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    run(tmp_path, site, "pip", "install", *quiet, "--target", str(site), "./my_average")
    page = run(tmp_path, site, "tallow", "indicators", "my_average")
    assert "Distance from the average" in page
    assert "1 passed" in run(
        tmp_path / "my_average", site, "pytest", "-q", "-p", "no:cacheprovider"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ema", "new 'ema'; is taken; choose another name"),
        ("json", "new 'json'; is taken"),
        ("My-Average", "new 'My-Average'; must be lower-case letters"),
        ("class", "new 'class'; must be"),
        ("there", "folder=there; exists; choose another name"),
    ],
)
def test_what_cannot_be_a_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    shown = CliRunner().invoke(app, ["indicators", "new", name])
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["there"]

"""Goal: a package with an indicator of one's own is there in a minute, and works as it was written.

Method: the package is written, and the commands of its own page are run in its folder; what cannot
be a name is refused.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tallow.serve.cli import app
from tests.pages import blocks, commands, run_command


def test_a_new_package_is_installed_found_and_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["indicators", "new", "my_average"])
    assert shown.exit_code == 0
    assert "tallow indicators my_average" in shown.stdout
    folder = tmp_path / "my_average"
    (_, text), *others = blocks(folder / "README.md")
    installed, page, tested = (run_command(folder, each) for each in commands(text))
    assert "Successfully installed" in installed
    assert "Distance from the average" in page
    assert "1 passed" in tested
    assert not others


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ema", "new 'ema'; is taken; choose another name"),
        ("json", "new 'json'; is taken"),
        ("My-Average", "new 'My-Average'; must be lower-case letters"),
        ("class", "new 'class'; must be"),
        ("highest", "new indicator: highest; is a word of the language of screens"),
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

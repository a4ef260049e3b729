"""Goal: `tallow doctor` sees what is broken, says what to do, and never breaks itself.

Method: it runs on this installation, and on ones in which one thing is made to look broken.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest
from typer.testing import CliRunner

from tallow.core.kernel import cache_folder
from tallow.core.registry import registry
from tallow.serve.cli import app


def tallow_doctor() -> tuple[int, dict[str, list[tuple[str, str]]]]:
    """Return the exit code, and what is said about each thing: a status and a text."""
    result = CliRunner().invoke(app, ["doctor", "--json"])
    said: dict[str, list[tuple[str, str]]] = {}
    answer = json.loads(result.stdout)
    for check in answer["checks"]:
        said.setdefault(check["what"], []).append((check["status"], check["text"]))
    assert answer["ok"] == (result.exit_code == 0)
    return result.exit_code, said


def fail(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("made to fail")


@pytest.fixture
def another_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let kernels be kept in another folder, which does not exist yet."""
    root = tmp_path / "cache"
    monkeypatch.setenv("TALLOW_CACHE_DIR", str(root))
    cache_folder.cache_clear()
    yield root
    cache_folder.cache_clear()


def test_this_installation_is_whole() -> None:
    code, said = tallow_doctor()
    assert code == 0, said
    assert said["tallow"] == [("ok", metadata.version("tallow"))]
    assert said["polars"] == [("ok", metadata.version("polars"))]
    covered = [text.split(":")[0] for _, text in said["calendar"]]
    assert covered == [*["XNSE"] * 3, *["XBOM"] * 3, "MCX", "FX", "24/7"]


def test_the_page_has_a_line_for_each_check() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split()[:2] == ["ok", "tallow"]
    assert "ok" in lines[-1]


def test_a_new_cache_is_made_and_older_ones_are_counted(another_cache: Path) -> None:
    (another_cache / "kernels-old").mkdir(parents=True)
    _, said = tallow_doctor()
    assert said["kernels"][0][1].startswith("0 of ")
    assert said["kernel cache"][0][0] == "ok"
    assert "1 of other versions" in said["kernel cache"][0][1]


def test_a_cache_that_cannot_be_written_fails(another_cache: Path) -> None:
    another_cache.write_text("a file where the folder should be")
    code, said = tallow_doctor()
    assert code == 1
    assert said["kernel cache"][0][0] == "fail"
    assert "set TALLOW_CACHE_DIR" in said["kernel cache"][0][1]


def test_plug_ins_are_listed_and_broken_ones_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    found = replace(registry(), failures={"theirs = their.package": "ImportError: no"})
    monkeypatch.setattr("tallow.core.registry.registry", lambda: found)
    code, said = tallow_doctor()
    assert code == 1
    assert said["plug-in"] == [("fail", "theirs = their.package: ImportError: no")]


def test_an_installation_without_entry_points_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    none = replace(registry(), declared={})
    monkeypatch.setattr("tallow.core.registry.registry", lambda: none)
    code, said = tallow_doctor()
    assert code == 1
    assert "install tallow again" in said["indicators"][0][1]


def test_a_missing_or_broken_package_fails_and_an_optional_one_warns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find_version, find_module = metadata.version, importlib.import_module

    def version(name: str) -> str:
        if name == "narwhals":
            raise metadata.PackageNotFoundError(name)
        return find_version(name)

    def import_module(name: str) -> ModuleType:
        return fail() if name == "numba" else find_module(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(importlib, "import_module", import_module)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    code, said = tallow_doctor()
    assert code == 1
    assert said["narwhals"] == [("fail", "not installed; pip install narwhals")]
    assert said["numba"][0] == ("fail", "cannot be imported: made to fail; install it again")
    assert said["pyarrow"][0][0] == "warn"


@pytest.mark.parametrize(("version", "limited"), [("2.3.3", False), ("3.1.0", True)])
def test_a_pandas_beside_which_some_venues_begin_late_is_told(
    monkeypatch: pytest.MonkeyPatch, version: str, limited: bool
) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: version)
    assert ("XKRX begins in" in tallow_doctor()[1]["other venues"][0][1]) == limited


def test_a_calendar_that_runs_out_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    warning = "calendar XNSE:derivatives: ends; give a TOML file as calendar_dates="
    monkeypatch.setattr("tallow.core.calendars.coverage_warning", lambda *_: warning)
    code, said = tallow_doctor()
    assert code == 0
    assert said["calendar"][0] == (
        "warn",
        "XNSE:derivatives: ends; give a TOML file as --calendar-dates of tallow run",
    )


def test_a_check_that_raises_is_a_line_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tallow.core.calendars.load_calendar", fail)
    monkeypatch.setattr("tallow.core.kernel.cache_folder", fail)
    code, said = tallow_doctor()
    assert code == 1
    assert said["calendars"] == [("fail", "RuntimeError: made to fail")]
    assert said["kernels"] == [("fail", "RuntimeError: made to fail")]
    assert said["indicators"][0][0] == "ok"

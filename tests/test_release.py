"""Goal: what is published has all that users need, nothing else, and the number it says.

Method: the backend builds the wheel of this tree, and its files are compared with those in
`src/`; what `make release` concludes from a wheel is tried on this one, and on it with a change.
The run itself, with an environment for each extra, is `make release`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest

import tallow
from tools import release

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
HEADING = re.compile(r"^## (\d+)\.(\d+)\.(\d+) \((unreleased|\d{4}-\d\d-\d\d)\)$", re.MULTILINE)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*command, str(folder)], cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


def changed(wheel: Path, folder: Path, name: str, text: bytes) -> Path:
    """Copy a wheel, with another text in one of its files."""
    copy = folder / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(copy, "w") as new:
        for each in old.namelist():
            new.writestr(each, text if each == name else old.read(each))
    return copy


def test_the_changelog_and_the_package_say_one_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = HEADING.findall(text)
    assert len(headings) == len(re.findall("^## ", text, re.MULTILINE))
    versions = [tuple(map(int, numbers)) for *numbers, _ in headings]
    assert ".".join(map(str, versions[0])) == PROJECT["version"] == tallow.__version__
    assert all(newer > older for newer, older in pairwise(versions))
    dates = [date for *_, date in headings]
    assert "unreleased" not in dates[1:], "only the first may still be unreleased"
    assert dates[1:] == sorted(dates[1:], reverse=True)


def test_a_wheel_has_every_file_of_the_package_its_licences_and_no_more(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "tallow").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    about = f"tallow-{PROJECT['version']}.dist-info"
    assert {name for name in names if not name.startswith(about)} == package
    assert {
        "tallow/py.typed",
        "tallow/plots/vendor/lightweight-charts.standalone.production.js",
        "tallow/service/desk/static/desk.css",
        "tallow/core/calendars/data/nse_holidays.csv",
        f"{about}/licenses/LICENSE",
        f"{about}/licenses/src/tallow/plots/vendor/NOTICE.txt",
        f"{about}/entry_points.txt",
    } <= names


def test_every_extra_for_users_has_a_trial(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(release.extras_of(wheel)) | release.NOT_USED_FROM_A_WHEEL == set(
        PROJECT["optional-dependencies"]
    )
    monkeypatch.delitem(release.TRIALS, "desk")
    with pytest.raises(release.ReleaseError, match=r"extras: desk; TRIALS of tools/release\.py"):
        release.extras_of(wheel)


def test_a_wheel_out_of_the_sdist_that_lacks_something_is_found(
    wheel: Path, tmp_path: Path
) -> None:
    other = changed(wheel, tmp_path, "tallow/py.typed", b"partial")
    assert release.differences(wheel, wheel) == []
    assert release.differences(wheel, other) == ["tallow/py.typed"]


def test_the_bill_of_materials_names_what_lies_in_the_wheel_as_a_file(
    wheel: Path, tmp_path: Path
) -> None:
    charts, canvas = release.vendored(wheel)
    script = ROOT / "src/tallow/plots/vendor/lightweight-charts.standalone.production.js"
    head = re.search(r"Lightweight Charts™ v(\S+)", script.read_text("utf-8"))
    assert head is not None
    assert charts["purl"] == f"pkg:npm/lightweight-charts@{head[1]}"
    assert canvas["licenses"] == [{"license": {"id": "MIT"}}]
    other = changed(wheel, tmp_path, release.NOTICE, b"lightweight-charts 5.2.1, as it was")
    with pytest.raises(release.ReleaseError, match="says no version of fancy-canvas"):
        list(release.vendored(other))


def test_a_step_that_fails_says_which_command_and_what_it_printed(tmp_path: Path) -> None:
    script = "import sys; print('no wheel for it'); sys.exit(3)"
    with pytest.raises(release.ReleaseError, match=r"exit code 3\nno wheel for it"):
        release.run([sys.executable, "-c", script], tmp_path)
    with pytest.raises(release.ReleaseError, match="no-such-python"):
        release.run(["no-such-python"], tmp_path)

"""Goal: a setting is what the first says that counts, and a wrong one is said in Tallow's words.

Method: files, environments and options are given to the reader itself; `tallow config` and the help
of `tallow serve` are the real commands, and must name each declared setting.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tallow
from tallow.core.errors import ParameterError, TallowWarning
from tallow.serve.cli import app
from tallow.service.read_settings import OTHERS, read_settings, said_settings
from tallow.service.settings import ServiceSettings

SOURCES = Path(tallow.__file__).parent


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the settings of this machine away."""
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(f"TALLOW_{name.upper()}", raising=False)


def written(folder: Path, text: str) -> Path:
    path = folder / "serve.toml"
    path.write_text(text)
    return path


def test_an_option_counts_before_the_environment_the_file_and_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, 'port = 1\nhost = "file"\nlog = "json"\n')
    monkeypatch.setenv("TALLOW_PORT", "2")
    monkeypatch.setenv("TALLOW_HOST", "environment")
    monkeypatch.setenv("TALLOW_TIMEFRAMES", "5m, 60m")
    found = {each.name: (each.value, each.origin) for each in said_settings(file, port=3)}
    assert found["port"] == (3, "option")
    assert found["host"] == ("environment", "environment")
    assert found["timeframes"] == (["5m", "1h"], "environment")
    assert found["log"] == ("json", "file")
    assert found["calendar"] == ("XNSE", "default")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 70000", "serve.toml: port = 70000; must be 65535 or less"),
        ("port = 'x'", "serve.toml: port = x; must be a whole number"),
        ("prot = 1", "serve.toml: prot; is no setting; did you mean port"),
        ("log = 'xml'", "serve.toml: log = xml; must be 'text' or 'json'"),
        ("timeframes = []", "serve.toml: timeframes = []; must name 1 at least"),
        ("timeframes = ['7x']", "serve.toml: timeframes = 7x; timeframe: '7x'; must be"),
        ("calendar = 'XNSF'", "serve.toml: calendar = XNSF; calendar: name='XNSF'; no such"),
        ("port = [", "serve.toml; must be a TOML file"),
    ],
)
def test_a_wrong_setting_of_a_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(said)):
        read_settings(written(tmp_path, text))


def test_a_wrong_setting_of_the_environment_or_an_option_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TALLOW_PORT", "many")
    with pytest.raises(ParameterError, match=r"^TALLOW_PORT=many; must be a whole number$"):
        read_settings()
    with pytest.raises(ParameterError, match=r"^port=-1; must be 0 or more$"):
        read_settings(port=-1)
    answer = CliRunner().invoke(app, ["config", "--port", "-1"])
    assert answer.exit_code == 2
    assert "Error: --port -1; must be 0 or more" in answer.stderr


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"config=.*none\.toml; cannot be read; No such file"):
        read_settings(tmp_path / "none.toml")


def test_an_unknown_name_in_the_environment_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLOW_PROT", "1")
    with pytest.warns(TallowWarning, match="TALLOW_PROT: is no setting; did you mean TALLOW_PORT"):
        read_settings()


def test_names_in_the_environment_that_the_package_reads_are_known() -> None:
    text = "".join(path.read_text("utf-8") for path in SOURCES.rglob("*.py"))
    settings = {f"TALLOW_{name.upper()}" for name in ServiceSettings.model_fields}
    read = set(re.findall(r"\bTALLOW_[A-Z_]+[A-Z]\b", text))
    assert read <= settings | OTHERS


def test_config_lists_every_setting_and_hides_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLOW_FEED", "redis://me:hunter2@host/0?stream=candles")
    shown = CliRunner().invoke(app, ["config"], env={"COLUMNS": "200"}).stdout
    listed = json.loads(CliRunner().invoke(app, ["config", "--json"]).stdout)
    assert [each["name"] for each in listed] == list(ServiceSettings.model_fields)
    assert all(each["description"] for each in listed)
    assert all(
        re.search(rf"^{name} ", shown, re.MULTILINE) for name in ServiceSettings.model_fields
    )
    assert "host/0?stream=candles" in shown
    assert "hunter2" not in shown + json.dumps(listed)


def test_the_help_of_serve_lists_every_setting() -> None:
    page = CliRunner().invoke(app, ["serve", "--help"]).stdout
    below = page.partition("Settings, as TALLOW_ and a name")[2]
    assert all(
        re.search(rf"^  {name} ", below, re.MULTILINE) for name in ServiceSettings.model_fields
    )

"""Goal: what is deployed with a service fits it: rules, dashboard, containers, the unit.

Method: each file is given to the program that will read it, or to the checker of its format:
Prometheus' own promtool, the schema of compose files, hadolint, systemd-analyze. What names a
metric is held against the declarations, what names a page against the pages.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tallow.serve.grafana_dashboard import dashboard
from tallow.service.metrics import FAMILIES, PREFIX
from tallow.service.read_settings import read_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
PARTS = ("Meaning", "Likely causes", "Look at", "Do")
EXPOSURE_MAX = 20
"""systemd's measure of what a unit could do to its machine, of 100, in tenths of a point."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed"
)
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def run(*words: str | Path, folder: Path | None = None) -> None:
    """Run a checker; fail with what it says."""
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "tallow.rules.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panel_expressions() -> list[str]:
    found = json.loads((DEPLOY / "grafana" / "tallow.json").read_text("utf-8"))
    return [target["expr"] for panel in found["panels"] for target in panel["targets"]]


def metrics_of(expression: str) -> set[str]:
    """Return the metrics that an expression asks for, of a histogram the family."""
    names = re.findall(rf"\b{PREFIX}\w+", re.sub(r'"[^"]*"', "", expression))
    return {name.removesuffix("_bucket") for name in names}


def test_the_dashboard_is_what_the_declarations_say() -> None:
    assert (DEPLOY / "grafana" / "tallow.json").read_text("utf-8") == dashboard(), "run `make docs`"


def test_every_metric_of_a_rule_or_a_panel_is_declared() -> None:
    declared = {PREFIX + family.name for family in FAMILIES}
    for rule in rules():
        assert metrics_of(rule["expr"]) <= declared, rule["alert"]
    assert set().union(*map(metrics_of, panel_expressions())) == declared


def test_every_rule_says_what_to_do_and_leads_to_its_section() -> None:
    page = (ROOT / "docs" / "operate-alerts.md").read_text("utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert list(sections) == [rule["alert"] for rule in rules()]
    for rule in rules():
        name = rule["alert"]
        assert rule["labels"]["severity"] in {"page", "look"}
        assert set(rule["annotations"]) == {"summary", "action", "page"}, name
        assert rule["annotations"]["page"] == f"docs/operate-alerts.md#{name.lower()}"
        assert tuple(re.findall(r"^\*\*([\w ]+)\.\*\*", sections[name], re.MULTILINE)) == PARTS


def test_every_rule_is_tested() -> None:
    tests = yaml.safe_load((PROMETHEUS / "tallow.rules.test.yml").read_text("utf-8"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == names


@needs_promtool
def test_the_rules_fire_where_they_should() -> None:
    run("promtool", "check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")
    run("promtool", "check", "rules", PROMETHEUS / "tallow.rules.yml")
    run("promtool", "test", "rules", "tallow.rules.test.yml", folder=PROMETHEUS)


@needs_promtool
def test_prometheus_reads_what_panels_ask(tmp_path: Path) -> None:
    asked = [each.replace("$__rate_interval", "5m") for each in panel_expressions()]
    records = [{"record": f"panel:{at}", "expr": each} for at, each in enumerate(asked)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": records}]}))
    run("promtool", "check", "rules", file)


def test_the_compose_file_keeps_its_schema_and_names_what_there_is() -> None:
    file = DEPLOY / "compose.yml"
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", file)
    services = yaml.safe_load(file.read_text("utf-8"))["services"]
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), f"{name}: no version"
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        mounted = [each.split(":")[0] for each in service["volumes"] if each.startswith(".")]
        assert all((DEPLOY / each).exists() for each in mounted), name
    build = services["tallow"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")


def test_the_dockerfile_has_no_fault_and_copies_what_there_is() -> None:
    file = DEPLOY / "Dockerfile"
    run(Path(sys.executable).with_name("hadolint"), file)
    text = file.read_text("utf-8")
    *_, user = re.findall(r"^USER (\d+)", text, re.MULTILINE)
    assert user != "0"
    for words in re.findall(r"^COPY (?!--from)(?:--\S+ )?(.*) \S+$", text, re.MULTILINE):
        assert all((ROOT / each).exists() for each in words.split()), words


def test_the_settings_of_the_container_are_right() -> None:
    assert read_settings(DEPLOY / "serve.toml").port == 8765


@needs_systemd
def test_the_unit_is_right_and_may_do_little(tmp_path: Path) -> None:
    text = (DEPLOY / "tallow.service").read_text("utf-8")
    unit = tmp_path / "tallow.service"
    # It verifies that the program is there.
    unit.write_text(text.replace("/opt/tallow/bin/tallow", sys.executable))
    run("systemd-analyze", "verify", unit)
    run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit)

"""`deploy/grafana/tallow.json`, written from the declarations of `tallow.service.metrics`.

Each family has a panel: of a counter its rate, of durations the quantiles, of a gauge its value.
"""

from __future__ import annotations

import json
from typing import Any

from tallow.serve.wording import say
from tallow.service.metrics import FAMILIES, PREFIX, MetricFamily

COLUMNS, WIDTH, HEIGHT = 3, 8, 7
"""Panels in a row; of one, in the grid of 24 columns that a dashboard has."""

SOURCE = {"type": "prometheus", "uid": "${source}"}
CHOSEN = 'job=~"$job", instance=~"$instance"'
QUANTILES = (0.5, 0.99)
UNITS = {"seconds": "s", "bytes": "bytes"}
"""Grafana's unit by the last word of a family's name."""


def dashboard() -> str:
    """Return the dashboard as JSON, as Grafana imports and provisions it."""
    panels = [_panel(number, family) for number, family in enumerate(FAMILIES)]
    found = {
        "uid": "tallow",
        "title": "Tallow",
        "description": "All metrics of tallow serve. Written from their declarations: make docs.",
        "tags": ["tallow"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source(), *map(_variable, ("job", "instance"))]},
        "panels": panels,
    }
    return json.dumps(found, indent=2) + "\n"


def expressions(family: MetricFamily) -> dict[str, str]:
    """Return what a family's panel asks Prometheus for, by the legend of its series."""
    name, by = f"{PREFIX}{family.name}", ", ".join(filter(None, ("instance", family.label)))
    legend = "{{instance}}" + (f" {{{{{family.label}}}}}" if family.label else "")
    if family.kind == "counter":
        return {legend: f"sum by ({by}) (rate({name}{{{CHOSEN}}}[$__rate_interval]))"}
    if family.kind == "gauge":
        return {legend: f"{name}{{{CHOSEN}}}"}
    rate = f"sum by ({by}, le) (rate({name}_bucket{{{CHOSEN}}}[$__rate_interval]))"
    return {f"{legend} p{q * 100:g}": f"histogram_quantile({q}, {rate})" for q in QUANTILES}


def _panel(number: int, family: MetricFamily) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    words = family.name.removesuffix("_total").split("_")
    unit = "cps" if family.kind == "counter" else UNITS.get(words[-1], "short")
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": " ".join(words).capitalize(),
        "description": family.text,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"tooltip": {"mode": "multi"}, "legend": {"displayMode": "list"}},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": expr, "legendFormat": said}
            for at, (said, expr) in enumerate(expressions(family).items())
        ],
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "type": "datasource", "query": "prometheus", "label": "Source"}


def _variable(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": f"label_values({PREFIX}build_info, {name})",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


if __name__ == "__main__":
    say(dashboard(), nl=False)

"""`docs/metrics.md`, written from the declarations of `tallow.service.metrics`."""

from __future__ import annotations

from tallow.serve.wording import say
from tallow.service.metrics import FAMILIES, PREFIX, MetricFamily

OPENING = """# Metrics

`GET /metrics` of [a service](../README.md#serve) has these families, in Prometheus' text
format. What tells series of a family apart is its label; none has a series per instrument. This
page is written from the declarations (`make docs`).

| family | kind | label | what it is |
|---|---|---|---|
"""


def metrics_page() -> str:
    """Return the page."""
    return OPENING + "".join(map(_line, FAMILIES))


def _line(family: MetricFamily) -> str:
    label = family.label and f"`{family.label}`"
    return f"| `{PREFIX}{family.name}` | {family.kind} | {label} | {family.text} |\n"


if __name__ == "__main__":
    say(metrics_page(), nl=False)

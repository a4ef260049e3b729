"""`docs/metrics.md`, written from the declarations of `tallow.service.metrics`."""

from __future__ import annotations

from tallow.serve.wording import say
from tallow.service.metrics import FAMILIES, PREFIX, Family

OPENING = """# Metrics

`GET /metrics` of [`tallow serve`](../README.md#serve) has these families, in Prometheus' text
format. What tells series of a family apart is its label; none has a series per instrument. This
page is written from the declarations (`make docs`).

| family | kind | label | what it is |
|---|---|---|---|
"""

CLOSING = """
```promql
# the share of questions that the cache answered, over five minutes
sum(rate(tallow_cache_answers_total{result="hit"}[5m])) / sum(rate(tallow_cache_answers_total[5m]))
# 99 of 100 bars of five minutes are visible so soon after their close
histogram_quantile(0.99, rate(tallow_bar_visible_seconds_bucket{timeframe="5m"}[1h]))
```
"""


def metrics_page() -> str:
    """Return the page."""
    return OPENING + "".join(map(_line, FAMILIES)) + CLOSING


def _line(family: Family) -> str:
    label = family.label and f"`{family.label}`"
    return f"| `{PREFIX}{family.name}` | {family.kind} | {label} | {family.text} |\n"


if __name__ == "__main__":
    say(metrics_page(), nl=False)

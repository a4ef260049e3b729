"""How a service is, for the page of operations: its metrics, its feed, and whether it is ready."""

from __future__ import annotations

from typing import Any

from tallow.service.measures import BOUNDS, Durations
from tallow.service.metrics import FAMILIES
from tallow.service.readiness import reasons
from tallow.service.service import Service

QUANTILES = (0.5, 0.99)


def state_of(service: Service) -> dict[str, Any]:
    """Return metrics by family and label; of durations their count, sum and quantiles.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    feed = service.watch.statistics
    metrics = {
        family.name: {label: _shown(value) for label, value in family.read(service).items()}
        for family in FAMILIES
    }
    return {
        "metrics": metrics,
        "reasons": reasons(service),
        "feed": {
            "source": service.settings.feed is not None,
            "connected": feed.health.connected,
            "error": feed.health.error,
            "lag_seconds": feed.health.lag_seconds,
            "rows_per_second": feed.rows_per_second,
            "update_ms": feed.update_ms,
            "rows_in": feed.rows_in,
            "by_rule": dict(feed.by_rule),
            "store_error": feed.error,
        },
        "failures": dict(list(service.live.failures.items())[:100]),
    }


def _shown(value: float | Durations) -> Any:
    if not isinstance(value, Durations):
        return value
    total = sum(value.counts)
    return {
        "count": total,
        "seconds": value.seconds,
        **{f"p{quantile * 100:g}": quantile_of(value, quantile) for quantile in QUANTILES},
    }


def quantile_of(durations: Durations, quantile: float) -> float | None:
    """Return the bound within which so many of the durations are; None of none, or beyond all."""
    total, passed = sum(durations.counts), 0
    for bound, count in zip(BOUNDS, durations.counts, strict=False):
        passed += count
        if total and passed >= quantile * total:
            return bound
    return None

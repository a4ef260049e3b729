"""The metrics of a service: each family is declared here, with how it is read.

No family has a series per instrument: what tells series apart are timeframes, stages and kinds.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

import tallow
from tallow.core.disk import free_bytes
from tallow.service.measures import BOUNDS, DROPS, ERRORS, STAGES, STATUSES, Durations
from tallow.service.readiness import ready_parts

if TYPE_CHECKING:
    from tallow.service.service import Service

Kind = Literal["counter", "gauge", "histogram"]

Samples = Mapping[str, float] | Mapping[str, Durations]
"""By the label's value; of a family without a label, by an empty text."""

CONTENT_TYPE = CONTENT_TYPE_LATEST
PREFIX = "tallow_"


@dataclass(frozen=True)
class MetricFamily:
    """A family of metrics.

    Attributes
    ----------
    name
        Without `PREFIX`; a counter's ends with ``_total``.
    label
        What tells its series apart; empty where there is one.
    text
        What it is.
    read
        Returns its samples.
    """

    name: str
    kind: Kind
    label: str
    text: str
    read: Callable[[Service], Samples]


def _one(value: float | None) -> Mapping[str, float]:
    return {} if value is None else {"": float(value)}


def _cache(service: Service) -> Mapping[str, float]:
    counters = service.engine.cache.counters
    return {"hit": counters.hits, "repair": counters.repairs, "miss": counters.misses}


def _memory(_service: Service) -> Mapping[str, float]:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return {}
    return _one(pages * os.sysconf("SC_PAGE_SIZE"))


def _open_files(_service: Service) -> Mapping[str, float]:
    try:
        return _one(sum(1 for _ in Path("/proc/self/fd").iterdir()))
    except OSError:
        return {}


FAMILIES = (
    MetricFamily(
        "build_info",
        "gauge",
        "version",
        "The version that runs: always 1.",
        lambda _: {tallow.__version__: 1.0},
    ),
    MetricFamily(
        "ready",
        "gauge",
        "part",
        "1 if a part is ready, as `/readyz` sees it; 0 if not. That answer says why.",
        ready_parts,
    ),
    MetricFamily(
        "processing_seconds",
        "histogram",
        "stage",
        "How long work took: an update of the live engine, a change until clients of the stream "
        "were told, a read, a question in a worker process, a request over HTTP.",
        lambda service: service.measures.durations("processing", STAGES),
    ),
    MetricFamily(
        "durable_seconds",
        "histogram",
        "",
        "How long it took until candles were on disk, within an update.",
        lambda service: {"": service.measures.durations("durable", ["all"])["all"]},
    ),
    MetricFamily(
        "bar_visible_seconds",
        "histogram",
        "timeframe",
        "From a bar's close by the calendar until its final row could be seen; not of the past.",
        lambda service: service.measures.durations("visible", service.live.timeframes),
    ),
    MetricFamily(
        "candles_in_total",
        "counter",
        "",
        "Rows that came in, from the feed and over HTTP, whatever became of them.",
        lambda service: _one(service.measures.counts("rows", ["rows_in"])["rows_in"]),
    ),
    MetricFamily(
        "revisions_total",
        "counter",
        "kind",
        "Rows that changed what was known: late, revised and deleted candles.",
        lambda service: service.measures.counts("rows", ["late", "revised", "deleted"]),
    ),
    MetricFamily(
        "repeated_total",
        "counter",
        "",
        "Rows that equal what is known.",
        lambda service: _one(service.measures.counts("rows", ["repeated"])["repeated"]),
    ),
    MetricFamily(
        "quarantined_total",
        "counter",
        "",
        "Rows that broke a rule, and messages of the feed that were not understood.",
        lambda service: _one(service.measures.counts("rows", ["quarantined"])["quarantined"]),
    ),
    MetricFamily(
        "bar_rows_total",
        "counter",
        "timeframe",
        "Rows of bars that the feed's updates changed.",
        lambda service: service.measures.counts("bars", service.live.timeframes),
    ),
    MetricFamily(
        "feed_connected",
        "gauge",
        "",
        "1 if the feed is connected, or a replay has not ended; 0 elsewhere.",
        lambda service: _one(service.watch.statistics.health.connected),
    ),
    MetricFamily(
        "feed_lag_seconds",
        "gauge",
        "",
        "How long after it was complete the newest row was handed out; of a replay, after it was "
        "due.",
        lambda service: _one(service.watch.statistics.health.lag_seconds),
    ),
    MetricFamily(
        "instruments",
        "gauge",
        "",
        "Instruments that the live engine holds.",
        lambda service: _one(len(service.live.names)),
    ),
    MetricFamily(
        "errors_total",
        "counter",
        "kind",
        "Errors of the feed and of what is written to disk, failed requests, mistakes here.",
        lambda service: service.measures.counts("errors", ERRORS),
    ),
    MetricFamily(
        "requests_total",
        "counter",
        "status",
        "Requests over HTTP that were answered.",
        lambda service: service.measures.counts("requests", STATUSES),
    ),
    MetricFamily(
        "clients",
        "gauge",
        "",
        "Clients of the stream that are connected.",
        lambda service: _one(len(service.hub.clients)),
    ),
    MetricFamily(
        "client_drops_total",
        "counter",
        "reason",
        "Clients of the stream that the service dropped: they did not read, or sent errors only.",
        lambda service: service.measures.counts("drops", DROPS),
    ),
    MetricFamily(
        "stream_changes_total",
        "counter",
        "",
        "Changes that the stream has numbered since its first client.",
        lambda service: _one(service.hub.seq),
    ),
    MetricFamily(
        "comparison_mismatches",
        "gauge",
        "kind",
        "Values of the last hour in which the rollout's two engines differ: for an accepted cause, "
        "for none, and decisions that follow from them.",
        lambda service: service.rollout.mismatches(),
    ),
    MetricFamily(
        "rollout_stage",
        "gauge",
        "stage",
        "1 for the stage in which the rollout is.",
        lambda service: service.rollout.stage(),
    ),
    MetricFamily(
        "rollout_reverted",
        "gauge",
        "",
        "1 if the rollout was reverted: nothing is served by the candidate; 0 elsewhere.",
        lambda service: _one(service.rollout.is_reverted()),
    ),
    MetricFamily(
        "cache_answers_total",
        "counter",
        "result",
        "Answers to questions of the store: there already, repaired, or computed. The hit rate is "
        "hit over all.",
        _cache,
    ),
    MetricFamily(
        "cache_bytes",
        "gauge",
        "",
        "What the cache of answers holds.",
        lambda service: _one(service.engine.cache.counters.bytes),
    ),
    MetricFamily(
        "disk_free_bytes",
        "gauge",
        "",
        "What is free on the disk of the store's folder.",
        lambda service: _one(free_bytes(Path(service.settings.store))),
    ),
    MetricFamily(
        "tail_rows",
        "gauge",
        "",
        "Rows in the store's durable tail at the last write; beyond 524,288 flushes fail.",
        lambda service: _one(service.store.backend.tail_rows()),
    ),
    MetricFamily("memory_bytes", "gauge", "", "Resident memory of the process.", _memory),
    MetricFamily("open_files", "gauge", "", "Open files and sockets of the process.", _open_files),
)
"""Every family there is, in the order in which they are shown."""


class Metrics:
    """The metrics of a service, as Prometheus reads them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._lock = threading.Lock()

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        # Two who ask at once wait for each other, not the service for them.
        with self._lock:
            return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Read every family."""
        for family in FAMILIES:
            yield _metric(family, family.read(self._service))

    def describe(self) -> list[Metric]:
        """Return nothing: what there is need not be read when this is registered."""
        return []


_CLASSES: dict[Kind, Callable[..., Any]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


def _metric(family: MetricFamily, samples: Samples) -> Metric:
    names = [family.label] if family.label else []
    metric: Any = _CLASSES[family.kind](PREFIX + family.name, family.text, labels=names)
    for label, value in samples.items():
        labels = [label] if family.label else []
        if isinstance(value, Durations):
            metric.add_metric(labels, _cumulative(value), value.seconds)
        else:
            metric.add_metric(labels, value)
    found: Metric = metric
    return found


def _cumulative(durations: Durations) -> list[tuple[str, float]]:
    """Return how many were not longer than each bound, as Prometheus wants them."""
    found, total = [], 0
    for bound, count in zip((*BOUNDS, float("inf")), durations.counts, strict=True):
        total += count
        found.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
    return found

"""Whether a service is ready, and if not, why: for whoever sends it work, or restarts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tallow.core.disk import free_bytes
from tallow.core.errors import StoreError
from tallow.core.text import counted

if TYPE_CHECKING:
    from tallow.service.service import Service


def reasons(service: Service) -> list[str]:
    """Return why a service is not ready: nothing where it is. May take as long as a disk does."""
    if service.is_stopping:
        return ["stopping"]
    return [each for part in PARTS.values() for each in part(service)]


def ready_parts(service: Service) -> dict[str, float]:
    """Return by each part of a service 1 if it is ready, 0 if not; may take as a disk does."""
    return {name: float(not any(part(service))) for name, part in PARTS.items()}


def notes(service: Service) -> list[str]:
    """Return what a service that is ready says besides."""
    return ["feed: was read to its end"] if service.watch.is_over else []


def _of_feed(service: Service) -> Iterator[str]:
    health, most = service.watch.statistics.health, service.settings.feed_lag_max
    if not service.is_driven:
        yield "feed: its thread has ended"
    elif service.watch.is_over:
        return
    elif service.settings.feed is not None and not health.connected:
        yield f"feed: not connected; {health.error or 'it ended'}"
    elif health.lag_seconds is not None and health.lag_seconds > most:
        yield f"feed: lag_seconds={health.lag_seconds:.1f}; must be at most {most:g}"


def _of_engine(service: Service) -> Iterator[str]:
    failures = service.live.failures
    if failures:
        name, why = next(iter(failures.items()))
        yield f"live: {counted(len(failures), 'instrument')} behind; {name}: {why}"


def _of_store(service: Service) -> Iterator[str]:
    error = service.watch.statistics.error
    if error is not None:
        yield f"store: {error}"
        return
    try:
        service.store.require_writable()
    except StoreError as found:
        yield f"store: {found}"


def _of_disk(service: Service) -> Iterator[str]:
    free, least = free_bytes(Path(service.settings.store)), service.settings.disk_free_min
    if free is not None and free < least:
        yield f"disk: free={free:,} bytes; must be at least {least:,}"


PARTS: Mapping[str, Callable[[Service], Iterator[str]]] = {
    "feed": _of_feed,
    "live": _of_engine,
    "store": _of_store,
    "disk": _of_disk,
}
"""What says why a part of a service is not ready; the names are those that reasons begin with."""

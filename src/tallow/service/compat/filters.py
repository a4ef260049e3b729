"""The old routes of the filter pipeline."""

from __future__ import annotations

import time
from collections.abc import Hashable
from datetime import timedelta

from starlette.responses import Response

from tallow.core.time import MINUTE_US, from_us, now_us
from tallow.service.compat.envelopes import double, failure, success, to_text
from tallow.service.compat.members import Members
from tallow.service.compat.old_api import OldRoute, read
from tallow.service.compat.old_bars import OldRow, day_sources
from tallow.service.compat.pipeline import PipelineQuestion, filtered_row, run_pipeline
from tallow.service.compat.reading import OldRequest, UnreadableError, texts
from tallow.service.service import Service

SINCE = timedelta(days=90)
"""How old a stock's days may be, before the newest row of the store, to be looked at."""

Found = tuple[list[OldRow], OldRow]


def make_routes(service: Service, members: Members) -> list[OldRoute]:
    """Return the routes of filters."""
    filters = _Filters(service, members)
    return [
        OldRoute(
            "POST",
            "/filter-pipeline/run",
            filters.run,
            lambda why: failure(f"Failed to run filter pipeline: {why}", 500),
        ),
        OldRoute(
            "GET",
            "/filter-pipeline/fetch/top-10",
            filters.top,
            lambda why: failure(f"Failed to get top 10 filtered stocks: {why}", 500),
        ),
    ]


class _Filters:
    """Filters stocks; the last answer stays until a candle is written."""

    def __init__(self, service: Service, members: Members) -> None:
        self._service, self._members = service, members
        self._last: tuple[Hashable, Found] | None = None

    async def run(self, asked: OldRequest) -> Response:
        began = time.monotonic_ns()
        try:
            keys = texts(await asked.body(), "instrumentKeys")
        except UnreadableError:
            keys = []
        passed, metrics = await self._found(keys)
        sides = {
            f"{name.lower()}_stocks": [item for item in passed if item[f"Is{name}"]]
            for name in ("Bullish", "Bearish")
        }
        counts = {name: len(items) for name, items in sides.items()}
        # The name says milliseconds; it always was nanoseconds.
        took = {"processing_time_ms": time.monotonic_ns() - began}
        found = {name: items or None for name, items in sides.items()}
        return double({**found, "metrics": {**metrics, **counts, **took}})

    async def top(self, asked: OldRequest) -> Response:
        passed, _ = await self._found([])
        newest = max((item["LastCandle"]["timestamp"] for item in passed), default="")
        some = [item for item in passed if item["LastCandle"]["timestamp"] == newest]
        some.sort(key=lambda item: -item["SequenceAnalysis"]["TotalMambaDays"])
        now = to_text(from_us(now_us()).astimezone(asked.zone))
        return success([filtered_row(number, item, now) for number, item in enumerate(some, 1)])

    async def _found(self, keys: list[str]) -> Found:
        token = (self._service.store.token(), tuple(keys), now_us() // MINUTE_US)
        if self._last is not None and self._last[0] == token:
            return self._last[1]
        question = await read(self._service, lambda: self._question(keys))
        found = await self._service.compute(run_pipeline, question)
        self._last = token, found
        return found

    def _question(self, keys: list[str]) -> PipelineQuestion:
        names = self._members.known(keys) if keys else self._members.all()
        since = from_us(self._service.store.last_time() or 0) - SINCE
        sources = day_sources(self._service.store, names)
        return PipelineQuestion(sources, self._members.symbols(), since)

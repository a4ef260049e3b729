"""The old routes of health, candles and stored history."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from tallow.core.time import from_us, now_us
from tallow.service.compat.envelopes import double, failure, success, to_text
from tallow.service.compat.old_api import OldRoute, read
from tallow.service.compat.old_bars import (
    OldRow,
    count_rows,
    day_rows,
    day_sources,
    five_minute_rows,
    minute_rows,
)
from tallow.service.compat.reading import (
    OldRequest,
    UnreadableError,
    field,
    optional_moment,
    read_moment,
    texts,
)
from tallow.service.service import Service

WINDOWS = {"5minute": timedelta(days=7), "day": timedelta(days=30)}
"""Timeframes of the route of candles, and how much is answered without a start."""

INTERVALS = {
    "1minute": "1m",
    "5minute": "5m",
    "30minute": "30m",
    "day": "1d",
    "week": "1w",
    "month": "1mo",
}
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""No candle is older, or newer; moments before and after are taken for these."""

ORDER = "end time must be after start time"
STORED_HINT = "candles come by the feed of tallow serve, tallow ingest, or POST /v1/candles"


def make_routes(service: Service) -> list[OldRoute]:
    """Return the routes of candles."""
    candles = _Candles(service)
    return [
        OldRoute("GET", "/health", candles.health),
        OldRoute(
            "GET",
            "/candles/{instrument_key}/{timeframe}",
            candles.of_timeframe,
            lambda why: failure(f"Failed to retrieve candle data: {why}", 500),
        ),
        OldRoute(
            "POST",
            "/candles/{instrument_key}/multi",
            candles.of_several,
            lambda why: failure(f"Failed to retrieve multi-timeframe candle data: {why}", 500),
        ),
        OldRoute(
            "POST",
            "/historical-data/batch-store",
            candles.stored,
            lambda why: failure(f"Failed to process batch request: {why}", 500),
        ),
    ]


class _Candles:
    """Answers with candles of a service's store."""

    def __init__(self, service: Service) -> None:
        self._service, self._engine, self._store = service, service.engine, service.store

    async def health(self, asked: OldRequest) -> Response:
        now = from_us(now_us()).astimezone(asked.zone).replace(microsecond=0)
        return success({"status": "UP", "time": to_text(now)})

    async def of_timeframe(self, asked: OldRequest) -> Response:
        given: dict[str, datetime | None] = {}
        for name in ("start", "end"):
            text = asked.query(name)
            try:
                given[name] = read_moment(text) if text else None
            except UnreadableError:
                return failure(f"Invalid {name} time format, use RFC3339", 400)
        timeframe, key = asked.path["timeframe"], asked.path["instrument_key"]
        if timeframe not in WINDOWS:
            return failure("Unsupported timeframe", 400)
        span = _span(given["start"], given["end"], WINDOWS[timeframe])
        if span is None:
            return failure(f"Failed to retrieve candle data: {ORDER}", 500)
        if timeframe == "day":
            return await read(self._service, lambda: double(self._days(key, span[0])))
        return await read(self._service, lambda: double(self._five_minutes(key, *span)))

    async def of_several(self, asked: OldRequest) -> Response:
        try:
            said = await asked.body()
            wanted = texts(said, "timeframes")
            start, end = optional_moment(said, "start"), optional_moment(said, "end")
        except UnreadableError as error:
            return failure(f"Invalid request format: {error}", 400)
        if not wanted:
            return failure("At least one timeframe is required", 400)
        key, span = asked.path["instrument_key"], None
        if "5minute" in wanted:
            span = _span(start, end, WINDOWS["5minute"])
            if span is None:
                return failure(f"Failed to retrieve multi-timeframe candle data: {ORDER}", 500)

        def work() -> Response:
            found: dict[str, list[OldRow] | None] = {}
            if "1minute" in wanted:
                found["1minute"] = self._minutes(key, start, end)
            if span is not None:
                found["5minute"] = self._five_minutes(key, *span)
            return double(found)

        return await read(self._service, work)

    async def stored(self, asked: OldRequest) -> Response:
        try:
            said = await asked.body()
            keys = texts(said, "instrumentKeys")
            given = {each: field(said, each, (str,)) or "" for each in ("interval", *_DATES)}
        except UnreadableError as error:
            return failure(f"Invalid request format: {error}", 400)
        wrong = _wrong(given)
        if wrong:
            return failure(f"Validation failed: {wrong}", 400)
        first, last = (_midnight(given[each], asked.zone) for each in _DATES)
        asked_for = (keys, given["interval"], first, last)
        return await read(self._service, lambda: double(self._counts(*asked_for)))

    # In a reader's thread

    def _five_minutes(self, key: str, start: datetime, end: datetime) -> list[OldRow] | None:
        if key not in self._store.names():
            return None
        return five_minute_rows(self._engine, key, start, end) or None

    def _minutes(self, key: str, start: datetime | None, end: datetime | None) -> list[OldRow]:
        # What is not said was the year 1: there is nothing up to it.
        if end is None or (start is not None and end < start):
            return []
        span = _clip(start or EARLIEST), _clip(end)
        return minute_rows(self._engine, self._store, key, *span)

    def _days(self, key: str, start: datetime) -> list[OldRow]:
        known = self._store.names("1d") | self._store.names()
        (source,) = day_sources(self._store, [key])
        return day_rows(self._engine, source, key, start) if key in known else []

    def _counts(self, keys: list[str], interval: str, first: datetime, last: datetime) -> OldRow:
        known, counts = self._store.names(), {}
        found = sorted(known if not keys else known & {*keys})
        if first <= last and found:
            span, size = (first, last + timedelta(days=1)), INTERVALS[interval]
            counts = count_rows(self._engine, self._store, found, size, span)
        details = [_detail(key, counts.get(key, 0), key in known) for key in keys or found]
        good = sum(each["status"] == "success" for each in details)
        return {
            "processedItems": len(details),
            "successfulItems": good,
            "failedItems": len(details) - good,
            "details": details,
        }


def _detail(key: str, count: int, is_known: bool) -> OldRow:
    said = f"Successfully processed {count} records"
    return {
        "instrumentKey": key,
        "status": "success" if is_known else "failed",
        "recordsStored": count,
        "message": said if is_known else f"the store has no candles of it; {STORED_HINT}",
    }


_DATES = ("fromDate", "toDate")


def _span(
    start: datetime | None, end: datetime | None, window: timedelta
) -> tuple[datetime, datetime] | None:
    """Return both ends of what is asked for; None where they are in no order.

    A start alone was compared with an end that was not set yet: that was an error, and is.
    """
    if start is not None and (end is None or end < start):
        return None
    end = _clip(end or from_us(now_us()))
    return _clip(start or end - window), end


def _clip(moment: datetime) -> datetime:
    return min(max(moment, EARLIEST), LATEST)


def _wrong(given: dict[str, Any]) -> str:
    """Return what is wrong with a body of stored history, in the words of the old validator."""
    found = []
    for name, value in given.items():
        tag = ""
        if not value:
            tag = "required"
        elif name == "interval":
            tag = "" if value in INTERVALS else "oneof"
        elif not _is_date(value):
            tag = "datetime"
        if tag:
            known = name[0].upper() + name[1:]
            found.append(
                f"Key: 'BatchStoreHistoricalDataRequest.{known}' Error:Field validation for "
                f"'{known}' failed on the '{tag}' tag"
            )
    return "\n".join(found)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _midnight(day: str, zone: ZoneInfo) -> datetime:
    return _clip(datetime.fromisoformat(day).replace(tzinfo=zone))

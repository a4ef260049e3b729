"""What the store holds: instruments, universes, coverage, quarantined rows, and its size."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import orjson
import polars as pl
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError
from tallow.core.text import without_secrets
from tallow.core.time import from_us, now_us
from tallow.data.coverage.store import StoredSeries
from tallow.data.reading.rules import RULES
from tallow.data.store.store import Store
from tallow.data.universe_files import is_file_name
from tallow.runtime.ranges import Range, moment_us
from tallow.service.http.answers import COVERAGE, INSTRUMENTS, QUARANTINE, rows_of
from tallow.service.http.questions import Name, Text
from tallow.service.http.sending import Rows, send_json, send_rows
from tallow.service.limits import COVERED_INSTRUMENTS_MAX, LISTED_MAX
from tallow.service.problems import PROBLEMS
from tallow.service.service import Service


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KindQuestion(_Question):
    """Which candles of the store."""

    source_timeframe: Text = Field("1m", description="How long the candles last.")
    adjustment: Text = Field("raw", description="Which prices the candles have.")


class InstrumentsQuestion(KindQuestion):
    """A page of instruments."""

    search: Text | None = Field(
        None, description="What a key or symbol contains, in any case.", examples=["INE0"]
    )
    limit: int = Field(50, ge=1, le=LISTED_MAX, description="Most instruments of a page.")
    cursor: Text | None = Field(None, description="`next` of the page before.")


class CoverageQuestion(KindQuestion):
    """Of which candles the coverage is counted."""

    instrument: tuple[Name, ...] = Field(min_length=1, max_length=COVERED_INSTRUMENTS_MAX)
    start: Text | None = None
    end: Text | None = None
    missing: bool = Field(
        default=False, description="Which intervals a downloader must fetch, instead of counts."
    )


class QuarantineQuestion(_Question):
    """A page of quarantined rows."""

    limit: int = Field(100, ge=1, le=LISTED_MAX)
    cursor: int | None = Field(None, ge=0, le=2**53, description="`next` of the page before.")
    settled: bool = Field(default=False, description="Those whose good candle came later, too.")


class UniverseQuestion(_Question):
    """Of which date a universe is asked."""

    at: date | None = Field(None, description="Members on this date; today by default.")
    known_at: Text | None = Field(None, description="The list as it was known then.")


class PageAnswer(BaseModel):
    """Rows, and where the next page begins."""

    model_config = ConfigDict(extra="allow")
    rows: list[dict[str, Any]]
    next: str | int | None = None
    why_empty: str = Field("", description="Why there is no row; absent where there is one.")


class UniversesAnswer(BaseModel):
    """The names of all stored universes."""

    universes: list[str]
    why_empty: str = Field("", description="Why there is no name; absent where there is one.")


class UniverseAnswer(BaseModel):
    """A universe on a date."""

    name: str
    at: date
    members: list[str]
    groups: list[str]
    span: str
    notes: list[str]


class StoreAnswer(BaseModel):
    """How much a store holds; its fields are those of `tallow store stats`."""

    model_config = ConfigDict(extra="allow")
    rows: int
    files: int
    bytes: int
    ingests: int
    quarantined: int


def make_router(service: Service) -> APIRouter:
    """Return the routes of what the store holds."""
    router = APIRouter(tags=["store"], responses=PROBLEMS)

    @router.get("/instruments", response_model=PageAnswer, responses=rows_of(INSTRUMENTS))
    async def instruments(
        request: Request, asked: Annotated[InstrumentsQuestion, Query()]
    ) -> Response:
        """Return instruments with their symbols, and their first and last candle."""
        return await send_rows(request, service, lambda: instrument_rows(service.store, asked))

    @router.get("/universes", response_model=UniversesAnswer)
    async def universes(request: Request) -> Response:
        """Return the names of the universes that are stored."""
        return await send_json(request, service, lambda: _universes(service))

    @router.get("/universes/{name:path}", response_model=UniverseAnswer)
    async def universe(
        request: Request,
        name: Annotated[str, Path(max_length=1_024, description="Its name, or name/group.")],
        asked: Annotated[UniverseQuestion, Query()],
    ) -> Response:
        """Return who is a member on a date."""
        return await send_json(request, service, lambda: _universe(service, name, asked))

    @router.get("/coverage", response_model=PageAnswer, responses=rows_of(COVERAGE))
    async def coverage(request: Request, asked: Annotated[CoverageQuestion, Query()]) -> Response:
        """Return how many candles of each session are there, expected and missing."""
        return await send_rows(
            request, service, lambda: coverage_rows(service.store, service.engine.calendars, asked)
        )

    @router.get("/quarantine", response_model=PageAnswer, responses=rows_of(QUARANTINE))
    async def quarantine(
        request: Request, asked: Annotated[QuarantineQuestion, Query()]
    ) -> Response:
        """Return rows that were not taken, each with the rule that it breaks."""
        return await send_rows(request, service, lambda: _quarantine(service, asked))

    @router.get("/store", response_model=StoreAnswer)
    async def store(request: Request) -> Response:
        """Return how much the store holds, and how it is stored."""
        return await send_json(request, service, lambda: _stats(service))

    return router


def instrument_rows(store: Store, asked: InstrumentsQuestion) -> Rows:
    """Return a page of the instruments of a store, each with its span."""
    state = store.state()
    symbols = state.symbols().group_by("instrument").agg(pl.col("symbol").sort().str.join(", "))
    names = pl.DataFrame(
        {"instrument": sorted(state.names(asked.source_timeframe, asked.adjustment))}
    )
    listed = names.cast({"instrument": pl.String}).join(
        symbols, on="instrument", how="left", maintain_order="left"
    )
    if asked.search is not None:
        both = pl.concat_str("instrument", "symbol", separator=" ", ignore_nulls=True)
        wanted = asked.search.lower()
        listed = listed.filter(both.str.to_lowercase().str.contains(wanted, literal=True))
    if asked.cursor is not None:
        listed = listed.filter(pl.col("instrument") > asked.cursor)
    page = listed.head(asked.limit)
    of_kind = (pl.col("timeframe") == asked.source_timeframe) & (
        pl.col("adjustment") == asked.adjustment
    )
    series = state.series(page["instrument"].to_list()).filter(of_kind)
    rows = page.join(
        series.select("instrument", "first", "last", "candles"),
        on="instrument",
        how="left",
        maintain_order="left",
    )
    following = page["instrument"][-1] if len(listed) > len(page) else None
    about = {"next": following, "total": len(names)}
    return rows, about if len(rows) else about | {"why_empty": _why_none(asked, len(names))}


def _why_none(asked: InstrumentsQuestion, count: int) -> str:
    kind = f"{asked.source_timeframe} {asked.adjustment}"
    if not count:
        return f"no instruments: the store has no candles of {kind}"
    where = f" after {asked.cursor!r}" if asked.cursor is not None else ""
    if asked.search is None:
        return f"no instruments: none of the {count:,} of {kind} is{where}"
    return f"no instruments: {asked.search[:100]!r} is in no key or symbol of {kind}{where}"


def _universes(service: Service) -> bytes:
    found: dict[str, Any] = {"universes": service.store.universes.names()}
    if not found["universes"]:
        found["why_empty"] = "no universes: none is stored; PUT /v1/universes/NAME keeps one"
    return orjson.dumps(found)


def _universe(service: Service, name: str, asked: UniverseQuestion) -> bytes:
    known = None if asked.known_at is None else moment_us("known_at", asked.known_at)
    found = service.store.universes.read(name, known)
    zone = ZoneInfo(service.engine.calendars.calendars[0].timezone)
    at = asked.at or from_us(now_us()).astimezone(zone).date()
    return orjson.dumps(
        {
            "name": name,
            "at": at,
            "members": found.members(at),
            "groups": found.groups,
            "span": found.span_text(),
            "notes": list(found.notes),
        }
    )


def coverage_rows(store: Store, calendars: CalendarAssignment, asked: CoverageQuestion) -> Rows:
    """Return counts by session, or what is missing."""
    wanted = Range.of(asked.start, asked.end, list(asked.instrument)).checked(calendars)
    kind = (asked.source_timeframe, asked.adjustment)
    wanted.check_found(store.names(*kind), "the store")
    names = list(dict.fromkeys(asked.instrument))
    span = (wanted.start, wanted.end)
    series = StoredSeries(store, calendars, now_us(), *kind, *span, instruments=names)
    if not asked.missing:
        return series.coverage(), {}
    missing = series.missing()
    return missing, {} if len(missing) else {"why_empty": "no intervals: no candle is missing"}


def _quarantine(service: Service, asked: QuarantineQuestion) -> Rows:
    held = service.store.ledger.held(asked.settled, asked.cursor or 0).sort("id")
    page = held.head(asked.limit)
    following = int(page["id"][-1]) if len(held) > len(page) else None
    rules = {each.name: f"{each.text}; {each.hint}" for each in RULES}
    broken = {name: rules.get(name, "") for name in page["rule"].unique().sort().to_list()}
    about: dict[str, Any] = {"next": following, "rules": broken, "total": len(held)}
    if page.is_empty():
        after = "" if asked.cursor is None else f" after {asked.cursor}"
        about["why_empty"] = f"no rows: none is in the quarantine{after}"
    return page, about


def _stats(service: Service) -> bytes:
    store = service.store
    found: dict[str, Any] = asdict(store.stats())
    times = ("first", "last", "last_received", "horizon")
    found |= {name: found[name] and from_us(found[name]).isoformat() for name in times}
    found["location"] = without_secrets(str(found["location"]))
    counts = {"ingests": len(store.ledger.entries()), "quarantined": len(store.ledger.held())}
    return orjson.dumps(found | counts)


def require_stored_name(name: str | None) -> str | None:
    """Return the name of a universe; `ParameterError` for a file's: clients name none of here."""
    if name is not None and is_file_name(name):
        raise ParameterError(
            f"universe: {name}; is the name of a file; must be a universe of the store"
        )
    return name

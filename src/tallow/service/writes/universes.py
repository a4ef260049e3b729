"""``PUT /v1/universes/{name}``: a list of members, kept under a name."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import polars as pl
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from tallow.core.errors import UniverseError
from tallow.core.text import counted
from tallow.data.universe import Universe
from tallow.data.universe_files import read_universe
from tallow.runtime.universes import record_universe
from tallow.service.errors import BodyTooLargeError, WrongListError
from tallow.service.limits import MEMBERS_MAX
from tallow.service.problems import WRITE_PROBLEMS
from tallow.service.service import Service
from tallow.service.writes.decoding import CSV, JSON, TOML, as_file
from tallow.service.writes.routes import SentBody, with_body

_TYPES = (JSON, CSV, TOML)
_COLUMNS = ("instrument", "from", "to", "universe", "sector")
_BODY = ["NSE_EQ|INE301A01014", {"instrument": "NSE_EQ|INE001A01036", "from": "2025-06-02"}]


class UniverseReceipt(BaseModel):
    """What became of a list of members: it is durable."""

    name: str
    members: int
    groups: list[str]
    span: str = Field(description="Of which dates it has members, in words.")
    new: int
    revised: int = Field(description="Rows that the list before had otherwise, or not at all.")
    identical: int
    unknown: list[str] = Field(description="Members that the store has no candle of.")
    notes: list[str]


_EXAMPLE = {
    "name": "mine",
    "members": 2,
    "groups": [],
    "span": "all dates",
    "new": 2,
    "revised": 0,
    "identical": 0,
    "unknown": [],
    "notes": [],
}


def make_router(service: Service) -> APIRouter:
    """Return the route of the universes' writes."""
    router = APIRouter(tags=["writes"], responses=WRITE_PROBLEMS)
    # Any text is a list of one column.
    table: dict[str, Any] = {"schema": {}}
    rows = {"schema": {"type": "array", "items": {}}, "example": _BODY}
    body = {"required": True, "content": {JSON: rows, CSV: table, TOML: table}}
    shape: dict[str, Any] = {
        "openapi_extra": {"requestBody": body},
        "response_class": Response,
        "responses": {
            200: {"model": UniverseReceipt, "content": {JSON: {"example": _EXAMPLE}}},
        },
    }

    @router.put("/universes/{name:path}", **shape)
    async def put_universe(
        request: Request,
        name: Annotated[str, Path(max_length=1_024, examples=["mine"])],
    ) -> Response:
        """Keep a list of members under a name; a list before it is replaced from now on.

        JSON is a list of names, or of objects with `instrument`, and where needed `from`, `to` and
        `sector`; CSV and TOML are as `tallow universe add` reads them. Sent again, it changes
        nothing.
        """
        if {".", ".."} & set(name.split("/")):
            raise WrongListError(
                f"name: {name!r}; has a part . or .., which clients leave out of addresses, so "
                "that nobody could read it; take another name"
            )

        async def record(sent: SentBody) -> Response:
            made = await service.writes.run(
                lambda: _record(service, read_list(sent.unpacked(), sent.kind, name))
            )
            return Response(made, media_type=JSON)

        return await with_body(service, request, _TYPES, record)

    return router


def read_list(body: bytes, kind: str, name: str) -> Universe:
    """Return the universe of a body.

    Raises
    ------
    WrongListError
        If it is no list of members.
    BodyTooLargeError
        If it has more than `MEMBERS_MAX` members.
    """
    try:
        if kind == JSON:
            return read_universe(_frame(body), name)
        with as_file(body, kind) as path:
            found = read_universe(path, name)
    except UniverseError as error:
        raise WrongListError(str(error)) from error
    _require_few(len(found.table))
    return found


def _frame(body: bytes) -> pl.DataFrame:
    try:
        found = orjson.loads(body)
    except ValueError as error:
        raise WrongListError(f"body: is no JSON; {error}; send a list of names") from error
    rows = found if isinstance(found, list) else [found]
    _require_few(len(rows))
    if not rows:
        raise WrongListError("body: has no member; send names")
    table = []
    for at, row in enumerate(rows, 1):
        cells = {"instrument": row} if isinstance(row, str) else row
        if not isinstance(cells, dict) or not all(
            name in _COLUMNS and (value is None or isinstance(value, str))
            for name, value in cells.items()
        ):
            raise WrongListError(
                f"body: member {at}; must be a name, or an object of texts: "
                f"{', '.join(_COLUMNS)}; correct it"
            )
        table.append({name: _text(value) for name, value in cells.items()})
    names = [name for name in _COLUMNS if any(name in row for row in table)]
    return pl.DataFrame(table, dict.fromkeys(names, pl.String))


def _text(value: str | None) -> str | None:
    # Half of a surrogate pair is JSON, but no text.
    return value and value.encode("utf-8", "replace").decode()


def _require_few(members: int) -> None:
    if members > MEMBERS_MAX:
        raise BodyTooLargeError(
            f"body: {counted(members, 'member')}; at most {MEMBERS_MAX:,} are taken; leave some out"
        )


def _record(service: Service, universe: Universe) -> bytes:
    try:
        report, said = record_universe(service.store, universe)
    except UniverseError as error:
        raise WrongListError(str(error)) from error
    return orjson.dumps(
        {
            "name": said.name,
            "members": len(universe),
            "groups": universe.groups,
            "span": said.span,
            **{name: getattr(report, name) for name in ("new", "revised", "identical")},
            "unknown": said.unknown,
            "notes": said.notes,
        }
    )

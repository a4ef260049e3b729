"""``POST /v1/quarantine/retry``: quarantined rows read again, corrected or by today's rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from tallow.core.errors import CandleInputError, near_matches
from tallow.core.text import counted
from tallow.core.time import now_us
from tallow.data.ingest.documents import find_repairs
from tallow.data.ingest.repair_table import (
    QUARANTINE_ID,
    RepairedRows,
    is_repair_table,
    repair_table,
)
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST
from tallow.data.store.store import Store
from tallow.data.store.write import WriteReport
from tallow.data.writers import write_frame
from tallow.service.limits import RECEIPT_ROWS_MAX, REPAIRED_ROWS_MAX
from tallow.service.problems import WRITE_PROBLEMS
from tallow.service.service import Service
from tallow.service.writes.decoding import CSV, JSON, LINES, as_file, items
from tallow.service.writes.receipts import ReceiptCounts, counts_of, rule_text
from tallow.service.writes.routes import IdempotencyKey, Zone, described, written
from tallow.service.writes.writing import Work

CELLS = ("instrument", "timestamp", *NUMBERS, OPEN_INTEREST)
"""What of a row may be corrected."""

_TYPES = (JSON, LINES, CSV)


class RefusedRow(BaseModel):
    """A row that stays in the quarantine."""

    id: int
    rule: str
    text: str = Field(description="What the rule asks for, and what to do.")


class RetryReceipt(ReceiptCounts):
    """What became of quarantined rows that were read again."""

    settled: list[int] = Field(description="Rows of the quarantine that wait no more.")
    refused: list[RefusedRow] = Field(
        description=f"The first {RECEIPT_ROWS_MAX} rows that still break a rule."
    )


EXAMPLE = {
    "entry": 18,
    "received_at": "2025-07-18T03:47:00+00:00",
    "rows_in": 2,
    "new": 1,
    "revised": 0,
    "identical": 0,
    "quarantined": 1,
    "settled": [5],
    "refused": [{"id": 6, "rule": "high_below_low", "text": "high >= low; check the column order"}],
}
_BODY = [{"id": 5, "high": 704.0}, {"id": 6}]


@dataclass(frozen=True)
class Retry:
    """Rows that were read again, and the numbers of those that they settle once written."""

    part: RepairedRows
    settles: tuple[int, ...]


def make_router(service: Service) -> APIRouter:
    """Return the route of the quarantine's writes."""
    router = APIRouter(tags=["writes"], responses=WRITE_PROBLEMS)
    shape = described("Rows.", _BODY, _TYPES, RetryReceipt, EXAMPLE)

    @router.post("/quarantine/retry", **shape)
    async def retry(
        request: Request, key: IdempotencyKey = None, timezone: Zone = None
    ) -> Response:
        """Read quarantined rows again, by their `id`: as they are, or with corrected cells.

        A cell that is not named is as its record has it. A row that keeps all rules now is a
        candle, and is settled; one that does not stays as it is. CSV is a table as the command line
        exports it. All rows must be of one timeframe and adjustment.
        """
        work = partial(_work, service, timezone)
        answer = await written(service, request, key, work, _TYPES, timezone or "")
        if answer.status_code == 200:
            # Also of a receipt that was kept: killed after its write, rows were still open.
            said = orjson.loads(bytes(answer.body))
            settle = partial(settle_rows, service.store, said["settled"], said["entry"])
            await service.writes.run(settle)
        return answer

    return router


def _work(service: Service, timezone: str | None, body: bytes, kind: str) -> Work:
    found = read_retry(service.store, body, kind, timezone)
    part = found.part

    def act() -> object:
        if (part.timeframe, part.adjustment) == ("1m", "raw"):
            return service.watch.note(service.live.update(part.candles))
        return service.store.append(part.candles, adjustment=part.adjustment, source="http")

    return receipt_of(found), act


def read_retry(store: Store, body: bytes, kind: str, timezone: str | None) -> Retry:
    """Return rows of a store's quarantine as a body has them now.

    Raises
    ------
    CandleInputError
        If it is no such body, names a row that does not wait, or rows of several series kinds.
    """
    with _table(store, body, kind) as path:
        found = find_repairs(store, path, timezone, now_us())
    if len(found) > 1:
        kinds = ", ".join(f"{part.timeframe} {part.adjustment}" for part, _ in found)
        raise CandleInputError(f"body: rows of {kinds}; must be of one of them; send each alone")
    if not found:
        raise CandleInputError("body: has no row; name some by their id")
    part, settles = found[0]
    return Retry(part, tuple(sorted(settles)))


def receipt_of(retry: Retry) -> Callable[[WriteReport], str]:
    """Return what makes the receipt of these rows of their write's report."""
    refused = [
        {"id": number, "rule": rule, "text": rule_text(rule)}
        for number, rule in list(retry.part.refused.items())[:RECEIPT_ROWS_MAX]
    ]

    def answer(report: WriteReport) -> str:
        said = counts_of(report) | {"settled": retry.settles, "refused": refused}
        return orjson.dumps(said).decode()

    return answer


def settle_rows(store: Store, numbers: Sequence[int], entry: int) -> None:
    """Mark rows as settled by a write, which is durable, unless they are settled already."""
    if not numbers:
        return
    held = store.ledger.held(after=min(numbers) - 1)["id"]
    waiting = sorted(set(numbers).intersection(held))
    if waiting:
        store.ledger.settle(waiting, entry)


@contextmanager
def _table(store: Store, body: bytes, kind: str) -> Iterator[Path]:
    """Give a private file with a table of the rows, repaired."""
    if kind == CSV:
        with as_file(body, CSV) as path:
            if not is_repair_table(path):
                raise CandleInputError(
                    f"body: has no column {QUARANTINE_ID}; must be a table of quarantined rows; "
                    "take one that the command line exported"
                )
            yield path
        return
    table = corrected_table(store.ledger.held(everything=True), items(body, kind))
    with as_file(b"", CSV) as path:
        write_frame(path, table)
        yield path


def corrected_table(quarantine: pl.DataFrame, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return a repair table of the rows that objects name by `id`, with the cells that they have.

    `CandleInputError` if an object names no such row, or what is no cell.
    """
    if len(rows) > REPAIRED_ROWS_MAX:
        raise CandleInputError(
            f"body: {counted(len(rows), 'row')}; at most {REPAIRED_ROWS_MAX:,} are read again at "
            "once; send it in parts"
        )
    numbers = [_number(at, row) for at, row in enumerate(rows, 1)]
    wanted = quarantine.filter(pl.col("id").is_in(numbers))
    table = repair_table(wanted)
    by_number = {row[QUARANTINE_ID]: row for row in table.iter_rows(named=True)}
    made = []
    for at, (number, row) in enumerate(zip(numbers, rows, strict=True), 1):
        if number not in by_number:
            raise CandleInputError(
                f"body: row {at}: id={number}; is no row of this store's quarantine that can be "
                "read again; /v1/quarantine lists them"
            )
        cells = {name: _cell(at, name, value) for name, value in row.items() if name != "id"}
        made.append(by_number[number] | cells)
    return pl.DataFrame(made, table.schema)


def _number(at: int, row: dict[str, Any]) -> int:
    number = row.get("id")
    if type(number) is not int or not 0 < number < 2**53:
        raise CandleInputError(
            f"body: row {at}: id={str(number)[:40]!r}; must be the number of a quarantined row; "
            "/v1/quarantine lists them"
        )
    return number


def _cell(at: int, name: str, value: Any) -> str | None:
    if name not in CELLS:
        raise CandleInputError(
            f"body: row {at}: {name[:40]!r}; is no cell of a candle; {near_matches(name, CELLS)}"
        )
    if isinstance(value, bool | list | dict):
        raise CandleInputError(
            f"body: row {at}: {name}; must be a number or a text; write it as the cell should be"
        )
    if value is None:
        return None
    return str(value).encode("utf-8", "replace").decode()

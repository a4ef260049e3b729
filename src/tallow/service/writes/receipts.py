"""The receipt of a write: what became of each of its rows, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import polars as pl
from pydantic import BaseModel, Field

from tallow.core.time import from_us
from tallow.data.reading.candles import Candles
from tallow.data.reading.rules import RULES
from tallow.data.store.write import WriteReport
from tallow.runtime.live.live_quarantine import HINTS
from tallow.service.limits import RECEIPT_ROWS_MAX

_TEXTS = {rule.name: f"{rule.text}; {rule.hint}" for rule in RULES} | HINTS


class QuarantinedRow(BaseModel):
    """A row that broke a rule."""

    row: int | None = Field(description="Its number in the body, from 1; null where time tells.")
    instrument: str | None
    timestamp: str | None
    rule: str
    text: str = Field(description="What the rule asks for, and what to do.")


class ReceiptCounts(BaseModel):
    """What every receipt says of its write, which is durable."""

    entry: int = Field(description="The write's number in the store's ledger.")
    received_at: str | None = Field(description="Its receipt time; null where nothing changed.")
    rows_in: int
    new: int
    revised: int = Field(description="Candles that said something else before.")
    identical: int = Field(description="Rows that say what is known, or what another row says.")
    quarantined: int


class WriteReceipt(ReceiptCounts):
    """What became of the rows of a write: all of it is durable."""

    deleted: int
    quarantine: list[QuarantinedRow] = Field(
        description=f"The first {RECEIPT_ROWS_MAX} quarantined rows."
    )


EXAMPLE = {
    "entry": 17,
    "received_at": "2025-07-18T03:46:00.120000+00:00",
    "rows_in": 2,
    "new": 1,
    "revised": 0,
    "deleted": 0,
    "identical": 0,
    "quarantined": 1,
    "quarantine": [
        {
            "row": 2,
            "instrument": "NSE_EQ|INE301A01014",
            "timestamp": "2025-07-18T03:46:00+00:00",
            "rule": "high_below_low",
            "text": "high >= low; check the column order",
        }
    ],
}


def of_candles(candles: Candles) -> Callable[[WriteReport], str]:
    """Return what makes the receipt of these candles of their write's report."""
    numbered = candles.quarantine

    def answer(report: WriteReport) -> str:
        # Rows that break a rule of calendars or clocks come after those that reading refused.
        later = report.quarantine.tail(len(report.quarantine) - len(numbered))
        rows = pl.concat([numbered, later.select(numbered.columns)], how="vertical_relaxed")
        return _text(report, revised=report.revised, deleted=0, rows=rows)

    return answer


def of_deletion(report: WriteReport) -> str:
    """Return the receipt of a deletion."""
    return _text(report, revised=0, deleted=report.revised, rows=report.quarantine)


def counts_of(report: WriteReport) -> dict[str, Any]:
    """Return what every receipt says of a write; see `ReceiptCounts`."""
    received = report.received_at
    return {
        "entry": report.entry,
        "received_at": None if received is None else from_us(received).isoformat(),
        "rows_in": report.rows_in,
        "new": report.new,
        "revised": report.revised,
        "identical": report.identical,
        "quarantined": report.quarantined,
    }


def rule_text(rule: str) -> str:
    """Return what a rule asks for, and what to do; empty of one that is not known."""
    return _TEXTS.get(rule, "")


def _text(report: WriteReport, *, revised: int, deleted: int, rows: pl.DataFrame) -> str:
    said = counts_of(report) | {
        "revised": revised,
        "deleted": deleted,
        "quarantine": [_row(row) for row in rows.head(RECEIPT_ROWS_MAX).iter_rows(named=True)],
    }
    return orjson.dumps(said).decode()


def _row(row: dict[str, Any]) -> dict[str, Any]:
    moment = row["timestamp"]
    return {
        "row": row["row"],
        "instrument": row["instrument"],
        "timestamp": None if moment is None else moment.isoformat(),
        "rule": row["rule"],
        "text": rule_text(row["rule"]),
    }

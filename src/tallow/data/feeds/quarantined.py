"""What a feed could not understand, kept until its reader has put it into a store's quarantine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from threading import Lock

import polars as pl

from tallow.core.limits import QUARANTINE_RECORD_BYTES
from tallow.data.reading.quarantine import QUARANTINE_SCHEMA

NOT_UNDERSTOOD = "not_understood"
"""The rule of messages, and of rows of them, that are not candles or ticks; each has its reason."""

NOT_UNDERSTOOD_HINT = "see the reason; a time without a zone needs timezone="

_REASONS: dict[str, pl.DataType] = {"reason": pl.String(), "times": pl.Int64()}


class PendingQuarantine:
    """Rows that wait for the reader; the same text for the same reason waits once, and is counted.

    `tokens` are of entries that hold nothing else; they are acknowledged with these rows.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._texts: Counter[tuple[str, str]] = Counter()
        self._rows: list[pl.DataFrame] = []
        self.tokens: set[str] = set()
        self._lock = Lock()

    def add(self, content: object, reason: str, token: str) -> None:
        """Add a message, or a row of one."""
        text, left_out = _bounded(text_of(content))
        if left_out:
            reason += f"; the record lacks {left_out:,} bytes at its end"
        with self._lock:
            self._texts[text, reason] += 1
            if token:
                self.tokens.add(token)

    def add_rows(self, quarantine: pl.DataFrame) -> None:
        """Add rows that were quarantined in reading."""
        with self._lock:
            self._rows.append(quarantine)

    def take(self) -> tuple[pl.DataFrame, set[str]] | None:
        """Return the rows that wait, as a quarantine, and the entries that are done with them.

        None where none wait: each step of a session asks.
        """
        if not self._texts and not self._rows:
            return None
        with self._lock:
            texts, self._texts = self._texts, Counter()
            rows, self._rows = self._rows, []
            tokens, self.tokens = self.tokens, set()
        if texts:
            records, reasons = zip(*texts, strict=True)
            columns = {"record": records, "reason": reasons, "times": list(texts.values())}
            named = {"source": self._source, "rule": NOT_UNDERSTOOD}
            rows.append(
                pl.DataFrame(columns).with_columns(**{n: pl.lit(v) for n, v in named.items()})
            )
        frame = pl.concat(
            [pl.DataFrame(schema=QUARANTINE_SCHEMA | _REASONS), *rows], how="diagonal"
        )
        return frame.with_columns(pl.col("times").fill_null(1)), tokens


def text_of(content: object) -> str:
    r"""Return a message, or a row of one, as text; bytes of no UTF-8 are written as ``\xff``.

    Examples
    --------
    >>> text_of(b"\xffa"), text_of({"price": "x"})
    ('\\xffa', '{"price": "x"}')
    """
    if isinstance(content, bytes):
        return content.decode("utf-8", "backslashreplace")
    if isinstance(content, Mapping | list):
        return json.dumps(content, default=str)
    # Half of a surrogate pair is not text that can be stored.
    return str(content).encode("utf-8", "backslashreplace").decode()


def _bounded(text: str) -> tuple[str, int]:
    """Return a text within `QUARANTINE_RECORD_BYTES`, and how many bytes it lacks."""
    whole = text.encode()
    if len(whole) <= QUARANTINE_RECORD_BYTES:
        return text, 0
    head = whole[:QUARANTINE_RECORD_BYTES].decode("utf-8", "ignore")
    return head, len(whole) - len(head.encode())

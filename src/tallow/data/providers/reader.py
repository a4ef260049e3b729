"""What a reader of a provider's documents is: a name, how to recognise one, and how to read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tallow.data.providers.content import Content
from tallow.data.reading.files import RawSource


@dataclass(frozen=True)
class Reading:
    """What one document says.

    Attributes
    ----------
    raw
        Its rows before they are checked. Columns are found by the names of
        `reading.schema.ALIASES`; `reading.schema.ORIGINAL` holds the text of rows that the
        columns do not show. A cell that is not what the format documents is null.
    instrument, timeframe, timezone, adjustment
        What the document says of all its rows; None where it does not. Rows may name their
        instrument in a column instead.
    complete
        The provider publishes such documents when their candles have ended, so that only candles
        that open after now are still forming.
    native
        What the caller gave: ``polars``, ``pandas`` or ``pyarrow``.
    """

    raw: RawSource
    instrument: str | None = None
    timeframe: str | None = None
    timezone: str | None = None
    adjustment: str | None = None
    complete: bool = False
    native: str = "polars"


@dataclass(frozen=True)
class Reader:
    """How one kind of document is read.

    Attributes
    ----------
    name
        What ``format=`` calls it.
    text
        What it reads, in one line.
    recognises
        Whether a document looks like one. It sees every document: it is quick, and raises nothing.
    read
        Returns what the document says; raises `CandleInputError` where it is not such a document. A
        bad row raises nothing: it goes to the quarantine.
    """

    name: str
    text: str
    recognises: Callable[[Content], bool]
    read: Callable[[Content], Reading]

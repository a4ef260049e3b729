"""Reading a document of a data provider: any known format becomes candles that say what they are.

1. `content.open_content` looks at its beginning.
2. `registry.Readers.recognise` finds the one reader that knows it, or ``format=`` names it.
3. That reader's ``read`` makes raw rows of it, and says what the document says of all of them.
4. `facts.settle_facts` adds what the caller and the file's name say.
5. `tallow.data.reading.readers.assemble` checks every row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tallow.core.errors import CandleInputError
from tallow.core.time import now_us
from tallow.core.timeframe import Timeframe
from tallow.data.providers.content import Content, open_content
from tallow.data.providers.facts import (
    BY_NAME,
    GIVEN,
    Said,
    latest_open,
    said_by_name,
    settle_facts,
    silenced,
)
from tallow.data.providers.opening import read_by
from tallow.data.providers.registry import readers
from tallow.data.reading.assembly import assemble
from tallow.data.reading.assumed import told_once
from tallow.data.reading.candles import Candles
from tallow.data.reading.given import read_in_words
from tallow.data.reading.options import Stamped, read_options

_WORDS = {"source_timeframe=": "timeframe="}


@dataclass(frozen=True)
class Document:
    """A document's candles, and the series that they belong to.

    Attributes
    ----------
    candles
        Accepted and quarantined rows, with counts that add up.
    timeframe, adjustment
        What all its candles are.
    format
        The name of the reader.
    """

    candles: Candles
    timeframe: Timeframe
    adjustment: str
    format: str


@told_once
def read_document(
    source: Any,
    *,
    format: str | None = None,  # noqa: A002
    instrument: str | None = None,
    timeframe: str | Timeframe | None = None,
    timezone: str | None = None,
    adjustment: str | None = None,
    pattern: str | None = None,
    time_format: str | None = None,
    stamped: Stamped = "open",
    no_volume: bool = False,
    now: int | None = None,
) -> Document:
    r"""Read one document.

    Parameters
    ----------
    source
        A path, also of a file packed with gzip or alone in a zip archive; or a frame.
    format
        The reader's name; found by looking where it is not given.
    instrument, timeframe, timezone, adjustment
        What the document leaves out. `adjustment` names how prices are adjusted: ``raw``,
        ``split``, ``total``, or a name of one's own.
    pattern
        A regular expression that fits the whole file name, and says more by groups named as these
        parameters: ``(?P<instrument>.+)_(?P<timeframe>\w+)\.json``.
    time_format, stamped, no_volume
        As in `tallow.data.reading.readers.read_candles`.
    now
        The moment of reading in microseconds since 1970 UTC; the clock's where it is not given. A
        candle that ends later is still forming, and quarantined.

    Raises
    ------
    CandleInputError
        If the document cannot be read at all, its format is not found, something that it leaves out
        is not given, or something is said in two ways. A bad row never raises.
    NaiveTimeError
        If times carry no zone and none is given.
    TimeframeError
        If a timeframe is none.
    """
    content = open_content(source)
    known = readers()
    reader = known.recognise(content) if format is None else known.find(format)
    reading = read_by(reader, content)
    given = {
        "instrument": instrument,
        "timeframe": timeframe,
        "timezone": timezone,
        "adjustment": adjustment,
    }
    named = said_by_name(content, pattern)
    facts = settle_facts(content, reading, given, named, no_volume)
    moment = now_us() if now is None else now
    latest = moment if reading.complete else latest_open(moment, facts.timeframe, facts.timezone)
    options = read_options(
        facts.timeframe,
        latest,
        timezone=facts.timezone,
        instrument=facts.instrument,
        time_format=time_format,
        stamped=stamped,
        no_volume=no_volume,
    )
    candles = read_in_words(_WORDS, assemble, [reading.raw], options, reading.native)
    _require_only(content, facts.instrument, {GIVEN: given, BY_NAME: named}, candles)
    return Document(candles, facts.timeframe, facts.adjustment, reader.name)


def _require_only(
    content: Content, instrument: str | None, voices: Mapping[str, Said], candles: Candles
) -> None:
    """Raise where rows name another instrument than the one that is said of all of them."""
    names = candles.frame["instrument"]
    if instrument is None or not len(names):
        return
    # In order: all are the same where the first and the last are.
    other = next((name for name in (names[0], names[-1]) if name != instrument), None)
    if other is not None:
        who = next((who for who, said in voices.items() if said.get("instrument")), "by itself")
        asked = "instrument=" if who == GIVEN else "instrument: "
        hint = "fetch it again" if who not in voices else silenced("instrument", {who})
        raise CandleInputError(
            f"{content.name}: {asked}{instrument!r} {who}, {other!r} in its rows; they must "
            f"agree; {hint}"
        )

"""Reading a document of a data provider: any known format becomes candles that say what they are.

1. `content.open_content` looks at its beginning.
2. `registry.Readers.recognise` finds the one reader that knows it, or ``format=`` names it.
3. That reader's ``read`` makes raw rows of it, and says what the document says of all of them.
4. `facts.resolve_facts` adds what the caller and the file's name say.
5. `tallow.data.reading.readers.assemble` checks every row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Unpack

from tallow.core.errors import CandleInputError
from tallow.core.renamed import renamed
from tallow.core.time import now_us
from tallow.core.timeframe import Timeframe
from tallow.data.providers.content import Content, open_content
from tallow.data.providers.facts import (
    BY_NAME,
    GIVEN,
    Statements,
    latest_open,
    leave_out_hint,
    name_statements,
    resolve_facts,
)
from tallow.data.providers.opening import read_by
from tallow.data.providers.registry import readers
from tallow.data.reading.assembly import assemble
from tallow.data.reading.assumptions import warn_once
from tallow.data.reading.candles import Candles
from tallow.data.reading.options import ReadKeywords, read_options
from tallow.data.reading.session_rows import CalendarName, require_steps

_FACTS = ("instrument_key", "timezone")


@dataclass(frozen=True)
class Document:
    """A document's candles, and the series that they belong to."""

    candles: Candles
    """Accepted and quarantined rows, with counts that add up."""
    timeframe: Timeframe
    adjustment: str
    """What all its candles are."""
    format: str
    """The name of the reader."""
    notes: tuple[str, ...] = ()
    """What nobody said of them, each with that by which it is known."""
    is_sized_by_steps: bool = False
    """Whether the timeframe is one of these."""


@renamed(timeframe="source_timeframe", instrument="instrument_key")
@warn_once
def read_document(
    source: Any,
    *,
    source_timeframe: str | Timeframe | None = None,
    adjustment: str | None = None,
    now: int | None = None,
    calendar: CalendarName = "XNSE",
    **said: Unpack[ReadKeywords],
) -> Document:
    r"""Read one document.

    Parameters
    ----------
    source
        A path, also of a file packed with gzip or alone in a zip archive; or a frame.
    source_timeframe, adjustment
        What the document leaves out, as `instrument_key` and `timezone` may be. `adjustment` names
        how prices are adjusted: ``raw``, ``split``, ``total``, or a name of one's own.
    said
        By name, as in `tallow.data.reading.readers.read_candles`: `instrument`, `timezone`,
        `format`, `time_format`, `stamped`, `no_volume`; and `pattern`, whose groups may say the
        timeframe and the adjustment, too.
    calendar
        Whose sessions tell, where nobody says it: the timeframe, as the commonest step of
        neighbouring rows of a session, if it is seen 20 times; the zone as in `read_candles`.
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
        If a timeframe cannot be read.
    """
    content, name = open_content(source), said.get("format")
    reader = readers().recognise(content) if name is None else readers().find(name)
    reading = read_by(reader, content)
    given = {
        "instrument": said.get("instrument_key"),
        "timeframe": source_timeframe,
        "timezone": said.get("timezone"),
        "adjustment": adjustment,
    }
    named = name_statements(content, said.get("pattern"))
    known = {name: value for name, value in said.items() if name not in _FACTS}
    first_look = replace(read_options(calendar=calendar, **known), timeframe_open=True)  # type: ignore[arg-type]
    facts = resolve_facts(content, reading, given, named, first_look)
    moment = now_us() if now is None else now
    latest = moment if reading.complete else latest_open(moment, facts.timeframe, facts.timezone)
    said |= {"instrument_key": facts.instrument, "timezone": facts.timezone}
    options = read_options(facts.timeframe, latest, calendar, **said)
    candles = assemble([reading.raw], options, reading.native)
    _require_only(content, facts.instrument, {GIVEN: given, BY_NAME: named}, candles)
    if source_timeframe is not None:
        require_steps(content.name, candles.frame, facts.timeframe, calendar)
    return Document(
        candles,
        facts.timeframe,
        facts.adjustment,
        reader.name,
        facts.notes,
        facts.is_sized_by_steps,
    )


def _require_only(
    content: Content, instrument: str | None, voices: Mapping[str, Statements], candles: Candles
) -> None:
    """Raise where rows name another instrument than the one that is said of all of them."""
    names = candles.frame["instrument"]
    if instrument is None or not len(names):
        return
    # In order: all are the same where the first and the last are.
    other = next((name for name in (names[0], names[-1]) if name != instrument), None)
    if other is not None:
        who = next((who for who, said in voices.items() if said.get("instrument")), "by itself")
        asked = "instrument_key=" if who == GIVEN else "instrument: "
        hint = "fetch it again" if who not in voices else leave_out_hint("instrument", {who})
        raise CandleInputError(
            f"{content.name}: {asked}{instrument!r} {who}, {other!r} in its rows; they must "
            f"agree; {hint}"
        )

"""What is true of all rows of a document: said by it, by its file's name, or by the caller.

Nothing is guessed, and nothing is overruled: what is not given is an error, and so is what two say
differently.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

from tallow.core.errors import CandleInputError, NaiveTimeError, TimeframeError, excerpt
from tallow.core.given import name_text
from tallow.core.time import MINUTE_US, from_us, to_us
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reading
from tallow.data.reading.assumptions import WarnOnce
from tallow.data.reading.batches import read_batches
from tallow.data.reading.file_names import EXAMPLES, PARAMETERS, name_facts, require_pattern
from tallow.data.reading.options import ReadOptions
from tallow.data.reading.schema import example_pattern, find_column, resolve_layout
from tallow.data.reading.session_rows import StepCounts, assigned
from tallow.data.reading.zones import require_timezone

GIVEN, BY_NAME = "given", "by the file's name"
"""Who says a fact, beside the document."""

Statements = Mapping[str, str | Timeframe | None]


@dataclass(frozen=True)
class Facts:
    """What is true of all rows; `instrument` is None where every row names its own.

    `notes` says what neither the caller nor the document's rows say, and by what it is known.
    """

    instrument: str | None
    timeframe: Timeframe
    timezone: str | None
    adjustment: str
    notes: tuple[str, ...] = ()
    is_sized_by_steps: bool = False


def name_statements(content: Content, pattern: str | None) -> dict[str, str | None]:
    """Return what the named groups of a regular expression find in the file's whole name.

    `CandleInputError` as `tallow.data.reading.file_names.name_facts`; also if the document has
    no file's name.
    """
    if pattern is None:
        return {}
    if content.path is None:
        require_pattern(pattern)
        raise CandleInputError(f"{content.name}: has no file name that pattern={pattern!r} fits")
    return name_facts(content.path, pattern)


def resolve_facts(
    content: Content,
    reading: Reading,
    given: Statements,
    named: Statements,
    options: ReadOptions,
) -> Facts:
    """Put together what is said, each of `given` and `named` by the names of `EXAMPLES`.

    Of `options` is how rows are read where nobody says how long candles last: their steps may tell.
    `CandleInputError` if two say something differently, or none says it: all that is missing is
    named at once. Before that, if it is not a table of candles, whatever is said of it.
    `TimeframeError` if a timeframe cannot be read.
    """
    document = {name: getattr(reading, name) for name in EXAMPLES}
    voices = {GIVEN: given, BY_NAME: named, "by the document": document}
    facts = {name: _one(content.name, name, voices) for name in EXAMPLES}
    notes: list[str] = []
    doubt = ""
    by_steps = facts["timeframe"] is None
    if by_steps:
        steps = _steps(reading, facts, options)
        facts["timeframe"] = steps.timeframe
        if steps.timeframe is None:
            doubt = steps.doubt()
        else:
            notes.append(steps.sentence())
    missing = _missing(reading, facts, options)
    if missing:
        no_volume = options.no_volume
        resolve_layout(reading.raw.schema, content.name, instrument="", no_volume=no_volume)
        examples = dict(EXAMPLES)
        if content.path is not None:
            pattern = example_pattern(content.name)
            examples["instrument"] += f" (or pattern='{pattern}', if file names have it)"
        adding = ", ".join(examples[name] for name in missing)
        raise CandleInputError(
            f"{content.name}: {', '.join(missing)} not said by the document; {doubt}add {adding}"
        )
    for name in ("instrument", "adjustment"):
        if facts[name] is not None:
            name_text(f"{content.name}: {name}", facts[name], CandleInputError)
    adjustment, timeframe = str(facts["adjustment"]), facts["timeframe"]
    if not re.fullmatch("[A-Za-z0-9_]+", adjustment):
        raise CandleInputError(
            f"{content.name}: adjustment={excerpt(adjustment)}; must be letters, digits and _; "
            "raw, split and total are the usual ones"
        )
    assert isinstance(timeframe, Timeframe)
    instrument, timezone = (_text(facts[name]) for name in ("instrument", "timezone"))
    require_timezone(timezone)
    if reading.adjustment is not None and given.get("adjustment") is None:
        notes.append(f"prices are {adjustment}, as such documents have them")
    return Facts(instrument, timeframe, timezone, adjustment, tuple(notes), by_steps)


def latest_open(now: int, timeframe: Timeframe, timezone: str | None) -> int:
    """Return when the last candle opens that has ended, in microseconds since 1970 UTC.

    A candle of a day, a week or a month lasts to the same time of the next one, by the clocks of
    `timezone`: which session ends it is a calendar's to say, and a provider corrects a day's candle
    after its session.
    """
    if timeframe.unit == "minute":
        return now - timeframe.minutes * MINUTE_US
    local = from_us(now).astimezone(ZoneInfo(timezone or "UTC"))
    if timeframe.unit == "month":
        last = local.replace(day=1) - timedelta(days=1)
        before = last.replace(day=min(local.day, last.day))
    else:
        before = local - timedelta(days=1 if timeframe.unit == "day" else 7)
    return to_us(before.astimezone(UTC))


def _one(name: str, fact: str, voices: Mapping[str, Statements]) -> str | Timeframe | None:
    """Return what is said of one fact, however often."""
    said = {who: facts[fact] for who, facts in voices.items() if facts.get(fact) is not None}
    if fact == "timeframe":
        said = {who: _timeframe(name, value) for who, value in said.items()}
    if len(set(said.values())) > 1:
        claims = ", ".join(f"{str(value)!r} {who}" for who, value in said.items())
        asked = f"{PARAMETERS[fact]}=" if GIVEN in said else f"{fact}: "
        raise CandleInputError(
            f"{name}: {asked}{claims}; they must agree; is it the right file? If so, "
            f"{leave_out_hint(fact, said)}"
        )
    return next(iter(said.values()), None)


def leave_out_hint(fact: str, said: Container[str]) -> str:
    """Return what to leave out, so that the document, or its rows, alone say a fact."""
    return (
        f"leave out {PARAMETERS[fact]}="
        if GIVEN in said
        else f"leave the group {fact} out of pattern="
    )


def _timeframe(name: str, value: str | Timeframe | None) -> Timeframe:
    try:
        return parse_timeframe(value or "")
    except TimeframeError as error:
        raise TimeframeError(f"{name}: {error}") from error


def _missing(reading: Reading, facts: Statements, options: ReadOptions) -> Sequence[str]:
    by_row = find_column("instrument", list(reading.raw.schema)) is not None
    optional = {"timezone", *(["instrument"] if by_row else [])}
    missing = [name for name in EXAMPLES if facts[name] is None and name not in optional]
    if missing and facts["timezone"] is None and _needs_zone(reading, options):
        missing.append("timezone")
    return [name for name in EXAMPLES if name in missing]


def _steps(reading: Reading, facts: Statements, options: ReadOptions) -> StepCounts:
    """Count the steps between rows; none where rows cannot be read."""
    by_row = find_column("instrument", list(reading.raw.schema)) is not None
    options = replace(
        options,
        instrument_key=None if by_row else "unknown",
        timezone=_text(facts["timezone"]),
    )
    calendars = assigned(options.calendar or "XNSE")
    try:
        require_timezone(options.timezone)
        with WarnOnce(silent=True):
            return StepCounts.of(
                (part.frame for part in read_batches(reading.raw, options)), calendars
            )
    except CandleInputError:
        # Reported when the rows are read, with all that is known of them then.
        return StepCounts.of((), calendars)


def _needs_zone(reading: Reading, options: ReadOptions) -> bool:
    """Say whether times carry no zone, by the first of them: asked where more is missing only."""
    options = replace(options, instrument_key="unknown")
    try:
        with WarnOnce(silent=True):
            next(read_batches(reading.raw, options))
    except NaiveTimeError:
        return True
    except CandleInputError:
        # Reported when the rows are read, with all that is known of them then.
        return False
    return False


def _text(value: str | Timeframe | None) -> str | None:
    return None if value is None else str(value)

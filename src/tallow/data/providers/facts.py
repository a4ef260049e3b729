"""What is true of all rows of a document: said by it, by its file's name, or by the caller.

Nothing is guessed, and nothing is overruled: what nobody says is an error, and so is what two say
differently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from tallow.core.errors import (
    CandleInputError,
    NaiveTimeError,
    TimeframeError,
    excerpt,
    near_matches,
)
from tallow.core.given import name_text
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.batches import read_batches
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reading
from tallow.data.readers import read_options
from tallow.data.schema import find_column
from tallow.data.times import require_timezone

EXAMPLES = {
    "instrument": 'instrument="NSE_EQ|INE301A01014"',
    "timeframe": 'timeframe="1m"',
    "timezone": 'timezone="Asia/Kolkata"',
    "adjustment": 'adjustment="raw"',
}
"""The facts, and how a caller says them."""

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE_US = 60_000_000

Said = Mapping[str, str | Timeframe | None]


@dataclass(frozen=True)
class Facts:
    """What is true of all rows; `instrument` is None where every row names its own."""

    instrument: str | None
    timeframe: Timeframe
    timezone: str | None
    adjustment: str


def said_by_name(content: Content, pattern: str | None) -> dict[str, str | None]:
    """Return what the named groups of a regular expression find in the file's whole name.

    Raises
    ------
    CandleInputError
        If the pattern is none, has groups of other names, or does not fit.
    """
    if pattern is None:
        return {}
    try:
        expression = re.compile(name_text("read: pattern", pattern, CandleInputError))
    except (re.error, RecursionError, OverflowError) as error:
        raise CandleInputError(
            f"read: pattern={pattern!r}; must be a regular expression; {error}"
        ) from error
    groups = list(expression.groupindex)
    unknown = next((name for name in groups if name not in EXAMPLES), None)
    if unknown is not None or not groups:
        raise CandleInputError(
            f"read: pattern={pattern!r}; must have groups such as (?P<instrument>.+), and none of "
            f"other names; {near_matches(unknown or '', EXAMPLES)}"
        )
    if content.path is None:
        raise CandleInputError(f"{content.name}: has no file name that pattern={pattern!r} fits")
    match = _matched(pattern, content.path.name)
    if match is None:
        raise CandleInputError(
            f"{content.name}: pattern={pattern!r} must fit the whole name {content.path.name!r}; "
            "add .* where any text may stand"
        )
    return {name: match[name] for name in groups}


def _matched(pattern: str, name: str) -> dict[str, str | None] | None:
    """Return what a pattern's groups find in a whole name; None where it does not fit.

    By Polars, whose expressions take linear time: Python's may take ages over a name.
    """
    whole = pl.Series([name]).str
    expression = f"^(?:{pattern})$"
    try:
        if not whole.contains(expression)[0]:
            return None
        return dict(whole.extract_groups(expression)[0])
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().splitlines()[-1]
        raise CandleInputError(
            f"read: pattern={pattern!r}; must be a regular expression without look-around and "
            f"references to groups; {reason}"
        ) from error


def settle_facts(content: Content, reading: Reading, given: Said, named: Said) -> Facts:
    """Put together what is said, each of `given` and `named` by the names of `EXAMPLES`.

    Raises
    ------
    CandleInputError
        If two say something differently, or nobody says it; all that is missing is named at once.
    TimeframeError
        If a timeframe is none.
    """
    told = {name: getattr(reading, name) for name in EXAMPLES}
    voices = {"given": given, "by the file's name": named, "by the document": told}
    facts = {name: _one(content.name, name, voices) for name in EXAMPLES}
    missing = _missing(reading, facts)
    if missing:
        adding = ", ".join(EXAMPLES[name] for name in missing)
        raise CandleInputError(
            f"{content.name}: {', '.join(missing)} not said by the document; add {adding}"
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
    return Facts(instrument, timeframe, timezone, adjustment)


def latest_open(now: int, timeframe: Timeframe, timezone: str | None) -> int:
    """Return when the last candle opens that has ended, in microseconds since 1970 UTC.

    A candle of a day, a week or a month lasts to the same time of the next one, by the clocks of
    `timezone`: which session ends it is a calendar's to say, and a provider corrects a day's candle
    after its session.
    """
    if timeframe.unit == "minute":
        return now - timeframe.minutes * _MINUTE_US
    local = (_EPOCH + now * _MICROSECOND).astimezone(ZoneInfo(timezone or "UTC"))
    if timeframe.unit == "month":
        last = local.replace(day=1) - timedelta(days=1)
        before = last.replace(day=min(local.day, last.day))
    else:
        before = local - timedelta(days=1 if timeframe.unit == "day" else 7)
    return (before.astimezone(UTC) - _EPOCH) // _MICROSECOND


def _one(name: str, fact: str, voices: Mapping[str, Said]) -> str | Timeframe | None:
    """Return what is said of one fact, however often."""
    said = {who: facts[fact] for who, facts in voices.items() if facts.get(fact) is not None}
    if fact == "timeframe":
        said = {who: _timeframe(name, value) for who, value in said.items()}
    if len(set(said.values())) > 1:
        claims = ", ".join(f"{str(value)!r} {who}" for who, value in said.items())
        raise CandleInputError(
            f"{name}: {fact}={claims}; they must agree; is it the right file? If so, leave out "
            f"{fact}="
        )
    return next(iter(said.values()), None)


def _timeframe(name: str, value: str | Timeframe | None) -> Timeframe:
    try:
        return parse_timeframe(value or "")
    except TimeframeError as error:
        raise TimeframeError(f"{name}: {error}") from error


def _missing(reading: Reading, facts: Said) -> Sequence[str]:
    by_row = find_column("instrument", list(reading.raw.schema)) is not None
    optional = {"timezone", *(["instrument"] if by_row else [])}
    missing = [name for name in EXAMPLES if facts[name] is None and name not in optional]
    if missing and facts["timezone"] is None and _needs_zone(reading):
        missing.append("timezone")
    return [name for name in EXAMPLES if name in missing]


def _needs_zone(reading: Reading) -> bool:
    """Say whether times carry no zone, by the first of them: asked where more is missing only."""
    raw = reading.raw
    options = read_options("1d", None, "unknown")
    try:
        next(read_batches(raw.rows(), raw.schema, raw.name, options))
    except NaiveTimeError:
        return True
    return False


def _text(value: str | Timeframe | None) -> str | None:
    return None if value is None else str(value)

"""What the names of files say of their rows, and whether files may be of one instrument."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import polars as pl

from tallow.core.errors import CandleInputError, near_matches
from tallow.core.given import name_text
from tallow.core.text import counted
from tallow.core.timeframe import parse_timeframe
from tallow.data.reading.options import ReadOptions
from tallow.data.reading.schema import NUMBERS, example_pattern
from tallow.data.reading.zones import require_timezone

EXAMPLES = {
    "instrument": 'instrument_key="NSE_EQ|INE301A01014"',
    "timeframe": 'source_timeframe="1m"',
    "timezone": 'timezone="Asia/Kolkata"',
    "adjustment": 'adjustment="raw"',
}
"""The facts, as groups of a pattern are called, and how a caller says them."""

PARAMETERS = {fact: example.partition("=")[0] for fact, example in EXAMPLES.items()}
"""By the fact: the parameter by which a caller says it."""


def require_pattern(pattern: str) -> None:
    """Raise `CandleInputError` unless `pattern` is a regular expression with the known groups."""
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


def require_no_pattern(pattern: str | None) -> None:
    """Raise `CandleInputError` where a pattern is given for what has no file name."""
    if pattern is not None:
        raise CandleInputError(
            f"read: pattern={pattern!r}; fits names of files, and a frame has none; leave it out"
        )


def name_facts(path: Path, pattern: str) -> dict[str, str | None]:
    """Return what the named groups of a regular expression find in a file's whole name.

    `CandleInputError` if the pattern is not a regular expression, has groups of other names, or
    does not fit.
    """
    require_pattern(pattern)
    match = _matched(pattern, path.name)
    if match is None:
        raise CandleInputError(
            f"{path}: pattern={pattern!r} must fit the whole name {path.name!r}; "
            "add .* where any text may stand"
        )
    return {name: match[name] for name in re.compile(pattern).groupindex}


def by_name(path: Path, pattern: str, options: ReadOptions) -> ReadOptions:
    """Return what is said of a file by its name, and by the caller.

    `CandleInputError` as of `name_facts`; also if the two say something differently.
    """
    said = name_facts(path, pattern)
    timeframe = said.get("timeframe")
    if timeframe is not None and parse_timeframe(timeframe) != options.source_timeframe:
        raise CandleInputError(
            f"{path}: candles of {timeframe!r} by the file's name, read as candles of "
            f"{options.source_timeframe.text!r}; they must agree; read files of each by themselves"
        )
    given: dict[str, Any] = {}
    for fact in ("instrument", "timezone"):
        name, other = PARAMETERS[fact], said.get(fact)
        value = getattr(options, name)
        if value is not None and other is not None and value != other:
            raise CandleInputError(
                f"{path}: {other!r} by the file's name, {name}={value!r} given; they must agree; "
                f"leave out {name}="
            )
        given[name] = value if other is None else other
    require_timezone(given["timezone"])
    is_given = options.timeframe_given or timeframe is not None
    return replace(options, timeframe_given=is_given, **given)


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


_ASK_ALONE = (
    "are they one instrument? A pattern fits the names of files, and no folders; read each by "
    'itself, with instrument_key="..."'
)
"""What to do with files of one name in several folders, where the pattern takes the key from it."""


def takes_key(pattern: str | None) -> bool:
    """Say whether a pattern takes the instrument from a file's name."""
    return pattern is not None and "(?P<instrument>" in pattern


@dataclass
class OverlapWatch:
    """Watches files of one key: those of one instrument do not overlap in time.

    Overlapping ones may be several instruments', which would make bars of a mixture. The key is
    the one that is given for all files, or that files of one name in several folders share.
    """

    key: str | None
    _spans: dict[str, dict[str, tuple[Any, Any]]] = field(default_factory=dict)

    def see(self, source: str, frame: pl.DataFrame, key: str | None) -> None:
        """Take the next candles of a file, which has no other key than `key`."""
        if key is None or not len(frame):
            return
        names = frame["instrument"]
        if names[0] != key or names[-1] != key:
            return
        low, high = frame["timestamp"].min(), frame["timestamp"].max()
        spans = self._spans.setdefault("" if self.key is not None else Path(source).name, {})
        before = spans.get(source, (low, high))
        spans[source] = min(before[0], cast("Any", low)), max(before[1], cast("Any", high))

    def check(self) -> None:
        """Raise `CandleInputError` where the times of two files overlap."""
        for spans in self._spans.values():
            latest = None
            for (low, high), source in sorted((span, source) for source, span in spans.items()):
                if latest is not None and low < latest[0]:
                    raise CandleInputError(self._overlap(source, latest[1]))
                if latest is None or high > latest[0]:
                    latest = high, source

    def _overlap(self, source: str, other: str) -> str:
        if self.key is None:
            return f"{source}: has the name of {other}, and their times overlap; {_ASK_ALONE}"
        return (
            f"{source}: instrument_key={self.key!r} given for it and for {other}, whose times "
            "overlap; are they one instrument? If each file has its own, pass "
            f"pattern='{example_pattern(source)}'; if they are one, join them first"
        )


_SHARED_MIN = 2
"""Of fewer candles of the same time, one may have been forming when it was fetched."""


@dataclass
class OneKey:
    """Watches files of one key: where they overlap, they say the same of something.

    Several instruments' files do not, and each would correct the one before it. The key is the one
    that is given for all files; else, `by_name`, files of one name in several folders share it. Of
    each file a number is kept for each candle.
    """

    key: str | None
    by_name: bool = False
    _seen: dict[Hashable, list[tuple[str, pl.DataFrame]]] = field(default_factory=dict)

    def take(self, source: str, candles: pl.DataFrame, series: Hashable) -> None:
        """Take the sorted candles of the next file; those of other series are others.

        `CandleInputError` if they cannot be the instrument of a file before; this one does not
        count then.
        """
        if (self.key is None and not self.by_name) or not len(candles):
            return
        digest = candles.select(NUMBERS).hash_rows()
        rows = candles.select("timestamp", digest.alias("digest"))
        first, last = rows["timestamp"][0], rows["timestamp"][-1]
        name = "" if self.key is not None else Path(source).name
        seen = self._seen.setdefault((series, name), [])
        for other, before in seen:
            if last < before["timestamp"][0] or first > before["timestamp"][-1]:
                continue
            shared = rows.join(before, on="timestamp")
            equal = int((shared["digest"] == shared["digest_right"]).sum())
            if len(shared) >= _SHARED_MIN and not equal:
                raise CandleInputError(self._differ(source, other, len(shared)))
        seen.append((source, rows))

    def _differ(self, source: str, other: str, shared: int) -> str:
        differ = f"not one of their {counted(shared, 'candle')} of the same time is equal"
        if self.key is None:
            return f"{source}: has the name of {other}, and {differ}; {_ASK_ALONE}"
        return (
            f"{source}: instrument_key={self.key!r} given for it and for {other}, and {differ}; "
            "are they one instrument? If each file has its own, pass pattern="
            f"'{example_pattern(source)}'; if they are one, ingest each by itself"
        )

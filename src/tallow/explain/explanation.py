"""What is said of one value: the bar, what it is made of, how it was computed, and how else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from tallow.core.text import counted, to_html

T = TypeVar("T")
Number = float | int | str | None
"""A value as frames have it; None where there is none, a text of patterns."""


@dataclass(frozen=True)
class ExplainedBar:
    """The bar itself.

    Attributes
    ----------
    ends
        When its bucket is over; it is final by the next candle, or by a clock.
    candles
        How many candles count in it.
    """

    opens: datetime
    ends: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    candles: int
    is_final: bool


@dataclass(frozen=True)
class ExplainedCandle:
    """A candle of the bar's bucket, as it came, and how it came; None where nothing knows it.

    Attributes
    ----------
    key
        Under which instrument it came: the predecessor's, before a join.
    adjustment
        How the prices were adjusted as they came; these are the ones given here.
    revision
        1 for what came first; of a corrected candle the number of its version.
    received_at, source, entry
        When it was written, what it was read from, and which entry of the store's ledger that is.
    price_factor, volume_factor
        What its prices and its volume are multiplied by in the bar; None where that is not known.
    """

    opens: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    key: str
    adjustment: str
    revision: int | None = None
    received_at: datetime | None = None
    source: str | None = None
    entry: int | None = None
    price_factor: float | None = 1.0
    volume_factor: float | None = 1.0


@dataclass(frozen=True)
class IndicatorFacts:
    """What the indicator's declaration says; fields are called as it calls them.

    Attributes
    ----------
    version
        The kernel's: it rises whenever a value changes.
    parameters
        All values, those of the convention among them.
    inputs
        What a row gives it: columns of the bar, facts of the calendar, or its source.
    """

    spec: str
    name: str
    title: str
    output: str
    unit: str
    parameters: Mapping[str, Any]
    inputs: tuple[str, ...]
    memory: str
    formula: str
    reference: str
    seed: str
    flat: str
    version: int
    convention: str


@dataclass(frozen=True)
class WarmUp:
    """How many bars come before the first value.

    Attributes
    ----------
    rows
        Bars that must come before, those of a source together with its own.
    before
        Bars of the instrument before this one.
    begins_at
        The bar of the first value: the instrument's bar number `rows`, counted from 0; None where
        there is none yet.
    first_bar
        The instrument's first bar.
    """

    rows: int
    before: int
    begins_at: datetime | None
    first_bar: datetime | None


@dataclass(frozen=True)
class Beside:
    """The value, computed a second time by the textbook version in plain Python.

    Attributes
    ----------
    rows
        Bars that it was given.
    note
        Why there is none; empty where it was computed.
    """

    value: float | None = None
    rows: int = 0
    note: str = ""


@dataclass(frozen=True)
class Population:
    """Among how many an indicator compared the instrument.

    Attributes
    ----------
    size
        Instruments with a value at this bar time.
    bars
        Instruments with a bar then.
    """

    size: int
    bars: int


@dataclass(frozen=True)
class ExplainedValue:
    """A value that an indicator computed.

    Attributes
    ----------
    why_null
        Why there is no value; empty where there is one.
    source
        The same of what it is computed of, one step deep: of a chain.
    """

    value: Number
    why_null: str
    indicator: IndicatorFacts
    warm_up: WarmUp
    beside: Beside
    population: Population | None = None
    source: ExplainedValue | None = None


@dataclass(frozen=True)
class SessionFacts:
    """What the calendar says of the bar's session.

    Attributes
    ----------
    segments
        Open and close of each interval of trading; `segment` is the place of the bar's, from 1;
        None where the bar is longer than a session.
    kind
        ``regular``, ``special``, or ``provisional``: assumed, because no fact states it.
    stated_by
        What states its hours.
    """

    calendar: str
    timezone: str
    date: date
    segments: tuple[tuple[datetime, datetime], ...]
    segment: int | None
    kind: str
    stated_by: str


@dataclass(frozen=True)
class Origin:
    """How the answer came about.

    Attributes
    ----------
    cache
        ``hit``, ``extension`` (a hit, with what was appended), ``repair`` (from where a correction
        begins), ``miss``; or ``none``: candles that are given are computed every time.
    began
        What the kernels began with.
    snapshot
        Before which moment the state on disk was from which they went on; None elsewhere.
    known_until
        The store's newest write that counts; None of candles that are given.
    """

    cache: str
    began: str
    known_until: datetime | None = None
    snapshot: datetime | None = None


@dataclass(frozen=True)
class ExplainedKey:
    """A key that the instrument's history came under: from `start` on, before `end`; None is any.

    After a join it is the next one's.
    """

    key: str
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, repr=False)
class Explanation:
    """Where one value comes from.

    Attributes
    ----------
    instrument, column, timeframe, at
        Which value: the output's column, or the bar's own, of the bar that opens then.
    value
        As frames have it; None where it is null.
    why_null
        Why there is no value, or no bar; empty where there is a value.
    bar
        None where there is no bar.
    candles
        All candles of its bucket, those that do not count among them.
    computed
        The indicator's part; None for the bar's own columns.
    session, origin
        The calendar's part, and how the answer came about.
    adjustment, joins
        Of which prices; and, where keys were joined, those that the history came under.
    notes
        Sentences about the answer.
    """

    instrument: str
    column: str
    timeframe: str
    at: datetime
    value: Number
    why_null: str
    bar: ExplainedBar | None
    candles: tuple[ExplainedCandle, ...]
    computed: ExplainedValue | None
    session: SessionFacts
    origin: Origin
    adjustment: str = "raw"
    joins: tuple[ExplainedKey, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON: times are ISO-8601 texts."""
        found: dict[str, Any] = _plain(self)
        return found

    def in_zone(self, zone: str | None) -> Explanation:
        """Return the explanation with times by a zone's clocks."""
        if zone is None:
            return self
        clocks = ZoneInfo(zone)
        return _with_times(self, lambda moment: moment.astimezone(clocks))

    def __repr__(self) -> str:
        what = f"{self.column} of {self.instrument} at {self.at.isoformat()}"
        return f"Explanation({what}: {self.value}, of {counted(len(self.candles), 'candle')})"

    def _repr_html_(self) -> str:
        return to_html(repr(self), [*filter(None, [self.why_null]), *self.notes], [])


def _plain(value: Any) -> Any:
    """Return a record as JSON has it."""
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


def _with_times(value: T, change: Callable[[datetime], datetime]) -> T:
    """Return a record with all of its times changed."""
    if isinstance(value, datetime):
        return change(value)  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(_with_times(each, change) for each in value)  # type: ignore[return-value]
    if is_dataclass(value) and not isinstance(value, type):
        named = {each.name: getattr(value, each.name) for each in fields(value)}
        changed: T = replace(value, **{n: _with_times(each, change) for n, each in named.items()})
        return changed
    return value

"""What a run returns: the frame, the outputs by name, the counts, the caller's own objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl

from tallow.core.arrays import Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import AllFailedError, AllRefusedError, ParameterError, near_matches
from tallow.core.spec import parse_specs
from tallow.core.text import counted, first_of, to_html
from tallow.core.time import to_us
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.coverage.provisional import NONE_PROVISIONAL
from tallow.data.output_zone import in_zone
from tallow.data.reading.candles import ReadReport
from tallow.data.reading.interchange import to_native
from tallow.data.reading.quarantine import count_by_rule
from tallow.data.reading.rules import RULES
from tallow.data.reading.schema import TIME_TYPE, time_view
from tallow.plan.plan import Plan
from tallow.runtime.batch import Counts
from tallow.runtime.universes import UniverseReport

if TYPE_CHECKING:
    from tallow.plots.plot import Plot

Model = TypeVar("Model")


@dataclass(frozen=True)
class Recipe:
    """By what bars were made: what a chart of them is drawn by."""

    plan: Plan
    timeframe: str | Timeframe
    calendars: CalendarAssignment


@dataclass(frozen=True)
class RunReport:
    """Where every row went.

    Attributes
    ----------
    read
        How the input was read: ``rows_in = accepted + repeated + quarantined``.
    candles
        What became of the accepted rows: in a bar, outside the session, without a trade, off the
        grid of the source timeframe (these go to the quarantine), or of a failed instrument.
    bars
        Rows of the result, after the range was cut out.
    failures
        Why an instrument has no values, by instrument; the others are not affected.
    quarantine
        The quarantined rows, each with its source, row number, rule and original record.
    provisional
        `instrument` and `timestamp` of the bars in sessions that no fact states, but that are
        assumed: they are computed again once the facts are there.
    assumed
        A sentence on these; empty where there are none.
    hint
        A sentence where stamps look like those of the close; empty elsewhere.
    notes
        Which key each symbol is that was asked for.
    why_empty
        Why there is no bar; empty where there are some, and where `failures` says it. Whoever asked
        is warned of it, too (`tallow.core.errors.EmptyWarning`).
    universe
        What was left out as its instrument was no member, where a universe was asked for; else
        None. See `tallow.runtime.universes.UniverseReport`.
    """

    read: ReadReport
    candles: Counts
    bars: int
    failures: dict[str, str]
    quarantine: pl.DataFrame
    provisional: pl.DataFrame = field(default_factory=lambda: NONE_PROVISIONAL)
    assumed: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()
    why_empty: str = ""
    universe: UniverseReport | None = None

    def _repr_html_(self) -> str:
        title = f"RunReport({counted(self.bars, 'bar')} of {counted(self.read.rows_in, 'row')})"
        return to_html(title, self.sentences(), [self.quarantine] if len(self.quarantine) else [])

    def sentences(self) -> list[str]:
        """Return what a person should know: quarantined rows, failures, what was assumed."""
        by_rule = count_by_rule(self.quarantine)
        said = [f"quarantined: {name} {rows:,}" for name, rows in by_rule.items()]
        said += [f"failed: {name}: {why}" for name, why in self.failures.items()]
        said += filter(None, (self.why_empty, self.assumed, self.hint))
        return [*said, *self.notes, *(self.universe.sentences() if self.universe else ())]

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain values, for JSON."""
        read = dataclasses.asdict(self.read)
        read |= {
            name: value and value.isoformat()
            for name, value in (("first", self.read.first), ("last", self.read.last))
        }
        return {
            "read": read,
            "candles": dataclasses.asdict(self.candles),
            "bars": self.bars,
            "quarantined": len(self.quarantine),
            "provisional": len(self.provisional),
            "assumed": self.assumed,
            "hint": self.hint,
            "why_empty": self.why_empty,
            "notes": list(self.notes),
            "failures": self.failures,
            "universe": self.universe and self.universe.to_dict(),
        }


def raise_if_all_refused(read: ReadReport, counts: Counts, quarantine: pl.DataFrame) -> None:
    """Raise `AllRefusedError` where there are rows, and every one was quarantined for a rule."""
    nothing_read = read.rows_in > 0 and not read.accepted
    if not nothing_read and not (counts.rows and counts.off_grid == counts.rows):
        return
    by_rule = count_by_rule(quarantine)
    first = next(rule for rule in RULES if rule.name in by_rule)
    counts_text = ", ".join(f"{name} {rows}" for name, rows in by_rule.items())
    raise AllRefusedError(
        f"{', '.join(read.sources[:1])}: rows={read.rows_in}; all were quarantined: {counts_text}; "
        f"{first.name}: {first.text}; {first.hint}"
    )


def raise_if_all_failed(failures: Mapping[str, str], instruments: int) -> None:
    """Raise the first reason where not a single instrument has values."""
    if failures and len(failures) >= instruments:
        raise AllFailedError(failure_text(failures))


def failure_text(failures: Mapping[str, str]) -> str:
    """Return the first failure, and how many more there are."""
    return f"{first_of(list(failures), 'instrument')}: {next(iter(failures.values()))}"


class IndicatorSet(Mapping[str, pl.Series]):
    """The output columns by name, with their timestamps."""

    def __init__(self, frame: pl.DataFrame, columns: tuple[str, ...]) -> None:
        self._frame = frame
        self._columns = columns

    @property
    def timestamps(self) -> pl.Series:
        """The opens of the bars, datetime[us, UTC], as long as every output."""
        return self._frame["timestamp"]

    @property
    def instruments(self) -> pl.Series:
        """The instrument of each row."""
        return self._frame["instrument"]

    def of(self, instrument: str) -> IndicatorSet:
        """Return one instrument's outputs."""
        return IndicatorSet(self._frame.filter(pl.col("instrument") == instrument), self._columns)

    def __getitem__(self, name: str) -> pl.Series:
        """Return one output, float64 with nulls."""
        if name not in self._columns:
            raise KeyError(f"{name!r}; the outputs are {', '.join(self._columns)}")
        return self._frame[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"IndicatorSet({', '.join(self._columns)}; {counted(len(self._frame), 'row')})"

    def _repr_html_(self) -> str:
        return to_html(
            repr(self), [], [self._frame.select("instrument", "timestamp", *self._columns)]
        )


@dataclass(frozen=True, repr=False)
class ProcessingResult:
    """Bars with their indicators.

    Attributes
    ----------
    frame
        One row per bar, sorted by instrument and timestamp: the candle columns, ``candles``
        (source rows counted), ``is_final``, then one column per output. A Polars frame, or the
        kind that came in (pandas, pyarrow).
    indicators
        The outputs by name.
    cache_hits
        Outputs that came out of a cache; 0 in a batch run, which computes everything.
    process_time
        Seconds that the run took.
    report
        Where every input row went, and failed instruments.
    recipe
        The plan, the timeframe and the calendars that the bars were made by.
    """

    frame: Any
    indicators: IndicatorSet
    report: RunReport
    process_time: float
    recipe: Recipe
    cache_hits: int = 0

    @classmethod
    def of(
        cls,
        bars: pl.DataFrame,
        recipe: Recipe,
        report: RunReport,
        process_time: float,
        native: str,
    ) -> ProcessingResult:
        """Return a result whose frame is of the kind that the caller gave."""
        outputs = IndicatorSet(bars, recipe.plan.outputs)
        return cls(to_native(bars, native), outputs, report, process_time, recipe)

    @property
    def provisional(self) -> pl.DataFrame:
        """The bars in assumed sessions, by `instrument` and `timestamp`; see `RunReport`."""
        return self.report.provisional

    def in_zone(self, output_zone: str | None) -> ProcessingResult:
        """Return the result with times by the clocks of a zone; of None, as they are."""
        if output_zone is None:
            return self
        bars = in_zone(self._bars, output_zone)
        indicators = IndicatorSet(bars, tuple(self.indicators))
        return dataclasses.replace(self, frame=bars, indicators=indicators)

    @property
    def _bars(self) -> pl.DataFrame:
        return self.indicators._frame

    def __len__(self) -> int:
        return len(self._bars)

    def __repr__(self) -> str:
        return (
            f"ProcessingResult({counted(len(self), 'bar')}, "
            f"{counted(len(self.indicators), 'output')}, {self.process_time:.3f} s)"
        )

    def _repr_html_(self) -> str:
        return to_html(repr(self), self.report.sentences(), [self._bars])

    def plot(
        self,
        instrument: str | None = None,
        *,
        matches: Mapping[str, Any] | None = None,
        title: str | None = None,
        since: datetime | None = None,
    ) -> Plot:
        """Return a chart of an instrument's bars, for a notebook or a file.

        Candles with what lies over them, panes below for what has another scale, candle patterns,
        and what charts draw at another row drawn there; nights take no room. A notebook shows what
        is returned, and its ``write("chart.html")`` makes a file.

        Parameters
        ----------
        instrument
            Whose; it may be left out where there is one only.
        matches
            Bars to mark, by what the chart calls them: a `ScreenResult` of a range, or a frame with
            `instrument` and `timestamp`.
        title
            What the chart is called; by the instrument, where it is left out.
        since
            Open of the first bar that is drawn, in UTC unless it says otherwise. Of earlier ones
            is shown what charts draw at later bars, as a cloud.

        Raises
        ------
        ParameterError
            If there are several instruments and none is named, or no bars of the one that is.
        """
        from tallow.plots.build import draw
        from tallow.plots.plot import Plot

        bars = self._bars_of(instrument)
        recipe, name = self.recipe, str(bars["instrument"][0])
        calendars = recipe.calendars
        calendar = calendars.calendars[int(calendars.indices([name])[0])]
        shown_in = bars["timestamp"].dtype.time_zone  # type: ignore[attr-defined]
        zone = calendar.timezone if shown_in in (None, "UTC") else shown_in
        specs = parse_specs(recipe.plan.specs, recipe.plan.convention)
        found = {text: _times_of(name, each) for text, each in (matches or {}).items()}
        size = parse_timeframe(recipe.timeframe)
        drawn = draw(bars, specs, size, calendar, zone, found, title or name)
        first = 0
        if since is not None:
            moment = since if since.tzinfo else since.replace(tzinfo=UTC)
            first = int(np.searchsorted(drawn.times[:-1], to_us(moment)))
        return Plot(drawn.without_first(first))

    def _bars_of(self, instrument: str | None) -> pl.DataFrame:
        """Return the bars of one instrument: the one that is named, or the only one."""
        names = self._bars["instrument"].unique(maintain_order=True).to_list()
        if instrument is None and len(names) > 1:
            raise ParameterError(
                f"plot: instrument=None; there are {first_of(names, 'instrument')}; name one"
            )
        if not names or instrument not in (None, *names):
            hint = near_matches(str(instrument), names)
            raise ParameterError(f"plot: instrument={instrument}; has no bars here; {hint}")
        return self._bars.filter(pl.col("instrument") == (instrument or names[0]))

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dictionary per bar; what is unavailable is None."""
        return self._bars.to_dicts()

    def to_models(self, model: type[Model]) -> list[Model]:
        """Return one `model` per bar: a dataclass, a pydantic model, or any callable of keywords.

        Columns that a dataclass has no field for are left out.
        """
        rows = self._bars.iter_rows(named=True)
        validate = getattr(model, "model_validate", None)
        if validate is not None:
            return [validate(row) for row in rows]
        if not dataclasses.is_dataclass(model):
            return [model(**row) for row in rows]
        columns = self._bars.columns
        fields = [f.name for f in dataclasses.fields(model) if f.init and f.name in columns]
        return [model(**{name: row[name] for name in fields}) for row in rows]


def _times_of(instrument: str, matches: Any) -> Times:
    """Return the opens of an instrument's bars in a frame, or in what has one."""
    frame = getattr(matches, "frame", matches)
    own = frame.filter(pl.col("instrument") == instrument)
    return time_view(own.select(pl.col("timestamp").cast(TIME_TYPE)))

"""What tools take: strict, so that a misspelt argument is an error that says how it is spelt."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tallow.core.limits_screens import SCREEN_CHARACTERS_MAX
from tallow.service.http.questions import Name, Text
from tallow.service.limits import (
    AGENT_CANDLES_MAX,
    AGENT_INSTRUMENTS_MAX,
    AGENT_ROWS,
    AGENT_ROWS_MAX,
    COMPARED_INSTRUMENTS_MAX,
    LEAK_INSTRUMENTS_MAX,
    LEAK_MOMENTS_ASKED_MAX,
)

Instruments = Annotated[
    tuple[Name, ...],
    Field(max_length=AGENT_INSTRUMENTS_MAX, description="Keys, as `catalogue` lists them."),
]
Indicators = Annotated[
    str,
    Field(
        max_length=10_000,
        description="Indicators, separated by commas: `ema(9), rsi(14)`; nothing for bars alone. "
        "They nest: `ema(rsi(14), 9)`. `catalogue` lists them.",
    ),
]
Timeframe = Annotated[
    Text, Field(description="How long a bar lasts: `1m`, `5m`, `1h`, `1d`, `1w`, `1mo`.")
]
Start = Annotated[
    Text | None,
    Field(
        description="First bar: a date (a session, included), `today`, `-5d`, or a time; of the "
        "venue's zone."
    ),
]
End = Annotated[Text | None, Field(description="As `start`; a date is included, a time is not.")]
KnownAt = Annotated[
    Text | None, Field(description="Answer with what the store knew at this time; now by default.")
]


class ToolQuestion(BaseModel):
    """What a tool is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RowsQuestion(ToolQuestion):
    """What a tool is asked that answers with rows."""

    columns: tuple[Name, ...] = Field(
        (), max_length=200, description="Columns to return; all by default."
    )
    limit: int = Field(
        AGENT_ROWS,
        ge=1,
        le=AGENT_ROWS_MAX,
        description="Most rows to return; of bars the last.",
    )
    output: Name | None = Field(
        None,
        description="Write all rows to a new file of this name, ending in .csv, .parquet, .arrow "
        "or .json, in the folder that the server was given, instead of returning them.",
    )


class CatalogueQuestion(ToolQuestion):
    """What there is: indicators by default, or instruments, universes, engines."""

    what: Literal["indicators", "instruments", "universes", "engines"] = "indicators"
    name: Name | None = Field(None, description="All about one indicator: parameters, formula.")
    search: Text | None = Field(None, description="What a name, title, key or symbol contains.")
    limit: int = Field(AGENT_ROWS, ge=1, le=AGENT_ROWS_MAX, description="Most entries.")


class ComputeQuestion(RowsQuestion):
    """Candles that are given, and what is computed of them."""

    candles: tuple[dict[str, Any], ...] = Field(
        (),
        max_length=AGENT_CANDLES_MAX,
        description="Candles: instrument, timestamp, open, high, low, close, volume.",
    )
    file: Name | None = Field(
        None, description="Instead, the name of a file of candles in the server's folder."
    )
    timeframe: Timeframe = "5m"
    indicators: Indicators = "default"
    source_timeframe: Text = Field("1m", description="How long the candles last.")
    timezone: Text | None = Field(None, description="Zone of times that have none.")


class QueryQuestion(RowsQuestion):
    """Bars of the store, with indicators."""

    instruments: Instruments = Field(min_length=1)
    timeframe: Timeframe = "5m"
    indicators: Indicators = "default"
    start: Start = None
    end: End = None
    known_at: KnownAt = None
    adjustment: Text = Field("raw", description="`raw` prices, or `split` and so on.")


class ExplainQuestionOfTool(ToolQuestion):
    """One value of one bar."""

    instrument: Name
    column: Text = Field(description="A bar's column, or an indicator: `ema(9)`, `close`.")
    at: Text = Field(description="When the bar opens: `2025-06-03T10:15`, of the venue's zone.")
    timeframe: Timeframe = "5m"
    indicators: Indicators = "default"
    known_at: KnownAt = None


class CoverageQuestionOfTool(RowsQuestion):
    """Which candles there are of some instruments."""

    instruments: Instruments = Field(min_length=1)
    start: Start = None
    end: End = None
    missing: bool = Field(
        default=False, description="The intervals that must be fetched, instead of counts."
    )


class ScreenQuestionOfTool(RowsQuestion):
    """A condition that is asked of all instruments."""

    condition: str = Field(
        min_length=1,
        max_length=SCREEN_CHARACTERS_MAX,
        description="`close > ema(20) and rsi(14)@1h < 30`; also `crosses above`, `for 3 bars`, "
        "`within 5 bars`, `close[1]`.",
    )
    timeframe: Timeframe = "15m"
    columns: tuple[Text, ...] = Field((), max_length=64, description="Numbers beside each match.")
    sort: Text | None = Field(None, description="A number to sort by, the highest first.")
    ascending: bool = Field(default=False, description="Sort the lowest first.")
    instruments: Instruments = ()
    universe: Name | None = Field(None, description="Of the members of a stored universe alone.")
    at: Text | None = Field(None, description="Bars that had closed by then; now by default.")
    known_at: KnownAt = None


class CompareQuestion(ToolQuestion):
    """Two engines on the store's candles."""

    control: Name = Field("talib", description="The engine that is in use.")
    candidate: Name = Field("tallow", description="The one that may replace it.")
    instruments: tuple[Name, ...] = Field(min_length=1, max_length=COMPARED_INSTRUMENTS_MAX)
    timeframe: Timeframe = "5m"
    indicators: Indicators = "default"
    start: Start = None
    end: End = None


class LeakQuestion(ToolQuestion):
    """Indicators, or a screen, that are checked for a look ahead."""

    what: str = Field(
        min_length=1,
        max_length=SCREEN_CHARACTERS_MAX,
        description="Indicators, `ema(9), zigzag(5)`; or a screen, `close > ema(20)`.",
    )
    timeframe: Timeframe = "5m"
    instruments: tuple[Name, ...] = Field(
        (), max_length=LEAK_INSTRUMENTS_MAX, description="Whose last candles; a few by default."
    )
    moments: int = Field(
        40, ge=2, le=LEAK_MOMENTS_ASKED_MAX, description="Moments after which all is changed."
    )

"""The verb ``tallow live``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallow.serve import options

EPILOG = """\b
Examples:
  tallow live --store candles --feed ws://localhost:8765 --state live.state
  tallow live --store candles --feed "redis://localhost:6379/0?stream=candles"
  tallow live --store candles --feed replay:tallow-demo/candles_1m.parquet --speed 600
  tallow live --store candles --feed wss://broker/feed --timezone Asia/Kolkata \\
      --subscribe '{"subscribe": ["RAYMOND"]}' -t 5m -t 1h -i "ema(9), rsi(14)"

\b
A message is JSON: a candle or a tick, or a list of them. A candle of the minute that is
running may come as often as it changes; a late or changed one is a correction, and exactly
the bars that it touches change. A tick has a price, and a quantity or the day's volume;
give ticks of a Redis stream --state: after a restart those of the last minutes come again,
and the state knows which of them were counted.

\b
Exit codes:
  0    the feed ended, or Ctrl-C or SIGTERM ended the session; all that had come is in
       the store
  1    the same, but an instrument has no values, or rows were quarantined and --strict was
       given
  2    a wrong option, or the store cannot be written; the message says what to change
  130  cancelled by Ctrl-C before the session began, or by a second one

\b
Next:
  tallow query --help     bars and indicators out of the store
  tallow store coverage   what is there, and what is missing
"""

FeedOption = Annotated[
    str,
    options.option(
        "--feed",
        metavar="FEED",
        text="replay:PATH (files, or a store's folder), ws://HOST/PATH, wss://..., or "
        "redis://HOST/0?stream=NAME.",
        panel=options.INPUT,
    ),
]
ReplayStampedOption = Annotated[
    str | None,
    options.option(
        "--stamped",
        metavar="open|close",
        text="Of a replay: whether candles carry the time of their open or of their close.",
        panel=options.INPUT,
    ),
]
ReplayPatternOption = Annotated[
    str | None,
    options.option(
        "--pattern",
        metavar="REGEX",
        text="Of a replay: what file names say, by groups called instrument and timezone.",
        panel=options.INPUT,
    ),
]
ReplayNoVolumeOption = Annotated[
    bool,
    typer.Option(
        "--no-volume",
        help="Of a replay: files have no volume, as those of indices; every candle's is 0.",
        rich_help_panel=options.INPUT,
    ),
]
ReplayInstrumentOption = Annotated[
    str | None,
    options.option(
        "--instrument-key",
        metavar="KEY",
        text="Of a replay: instrument of files that have no instrument column.",
        panel=options.INPUT,
    ),
]
ReplayFormatOption = Annotated[
    str | None,
    options.option(
        "--format",
        metavar="NAME",
        text="Of a replay: the files' format; found by looking into them. tallow doctor lists the "
        "readers.",
        panel=options.INPUT,
    ),
]
ReplayTimeFormatOption = Annotated[
    str | None,
    options.option(
        "--time-format",
        metavar="FORMAT",
        text='Of a replay: how times are written, such as "%d-%m-%Y %H:%M".',
        panel=options.INPUT,
    ),
]
FeedInstrumentsOption = Annotated[
    list[str] | None,
    options.option(
        "--instrument",
        metavar="KEY",
        text="Take only this instrument from the feed; may be given again for more.",
        panel=options.INPUT,
    ),
]
SpeedOption = Annotated[
    float | None,
    options.option(
        "--speed",
        metavar="X",
        text="Of a replay: how much faster than time; 0 does not wait. By default 60, a minute "
        "each second.",
        panel=options.INPUT,
    ),
]
SubscribeOption = Annotated[
    str | None,
    options.option(
        "--subscribe",
        metavar="TEXT",
        text="Message to send to a WebSocket server after each connect.",
        panel=options.INPUT,
    ),
]
GraceOption = Annotated[
    float,
    options.option(
        "--grace",
        metavar="SECONDS",
        text="How long after its end a bar turns final by the clock.",
        panel=options.BARS,
    ),
]
KeepOption = Annotated[
    int | None,
    options.option(
        "--keep",
        metavar="N",
        text="Candles per instrument held in memory; earlier ones are read from the store.",
        panel=options.BARS,
    ),
]
StateOption = Annotated[
    Path | None,
    options.option(
        "--state",
        metavar="FILE",
        text="Save the state here, every minute and at the end; the next session goes on from it.",
        panel=options.OUTPUT,
    ),
]
PlainOption = Annotated[
    bool,
    typer.Option(
        "--plain",
        help="Print a line every few seconds instead of a screen.",
        rich_help_panel=options.OUTPUT,
    ),
]


def live(
    store: options.StoreOption,
    feed: FeedOption,
    instruments: FeedInstrumentsOption = None,
    timezone: options.TimezoneOption = None,
    instrument: ReplayInstrumentOption = None,
    format: ReplayFormatOption = None,  # noqa: A002
    time_format: ReplayTimeFormatOption = None,
    stamped: ReplayStampedOption = None,
    pattern: ReplayPatternOption = None,
    no_volume: ReplayNoVolumeOption = False,
    subscribe: SubscribeOption = None,
    speed: SpeedOption = None,
    timeframe: options.TimeframesOption = ["5m"],  # noqa: B006 - Typer copies it
    indicators: options.IndicatorsOption = "default",
    calendar: options.CalendarOption = "XNSE",
    convention: options.ConventionOption = "tradingview",
    no_trade: options.NoTradeOption = "drop",
    calendar_dates: options.CalendarDatesOption = None,
    beyond_coverage: options.BeyondCoverageOption = "assume",
    grace: GraceOption = 2.0,
    keep: KeepOption = None,
    state: StateOption = None,
    plain: PlainOption = False,
    strict: options.StrictOption = False,
    json: options.ReportJsonOption = False,
) -> None:
    """Take a live feed into a store, and show its bars as they change.

    Candles or ticks come in; each is on disk before the feed is acknowledged. The screen has
    the whole universe: latest bars of the first timeframe with indicators, lag, rates, corrections,
    quarantined rows. Makes the store where there is none. Ctrl-C ends the session.
    """

"""The verb ``tallow live``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tallow.serve import options
from tallow.serve.options import BARS, INPUT, OUTPUT, option

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
    option(
        "--feed FEED",
        "replay:PATH (files, or a store's folder), ws://HOST/PATH, wss://..., or "
        "redis://HOST/0?stream=NAME.",
        INPUT,
    ),
]
ReplayStampedOption = Annotated[
    str | None,
    option(
        "--stamped open|close",
        "Of a replay: whether candles carry the time of their open or of their close.",
        INPUT,
    ),
]
ReplayPatternOption = Annotated[
    str | None,
    option(
        "--pattern REGEX",
        "Of a replay: what file names say, by groups called instrument and timezone.",
        INPUT,
    ),
]
ReplayNoVolumeOption = Annotated[
    bool,
    option(
        "--no-volume",
        "Of a replay: files have no volume, as those of indices; every candle's is 0.",
        INPUT,
    ),
]
ReplayInstrumentOption = Annotated[
    str | None,
    option(
        "--instrument-key KEY",
        "Of a replay: instrument of files that have no instrument column.",
        INPUT,
    ),
]
ReplayFormatOption = Annotated[
    str | None,
    option(
        "--format NAME",
        "Of a replay: the files' format; found by looking into them. tallow doctor lists the "
        "readers.",
        INPUT,
    ),
]
ReplayTimeFormatOption = Annotated[
    str | None,
    option(
        "--time-format FORMAT",
        'Of a replay: how times are written, such as "%d-%m-%Y %H:%M".',
        INPUT,
    ),
]
FeedInstrumentsOption = Annotated[
    list[str] | None,
    option(
        "--instrument KEY",
        "Take only this instrument from the feed; may be given again for more.",
        INPUT,
    ),
]
LiveSourceOption = Annotated[
    str, option("--source-timeframe TF", "How long each candle lasts: live takes minutes.", INPUT)
]
SpeedOption = Annotated[
    float | None,
    option(
        "--speed X",
        "Of a replay: how much faster than time; 0 does not wait. By default 60, a minute "
        "each second.",
        INPUT,
    ),
]
SubscribeOption = Annotated[
    str | None,
    option("--subscribe TEXT", "Message to send to a WebSocket server after each connect.", INPUT),
]
GraceOption = Annotated[
    float, option("--grace SECONDS", "How long after its end a bar turns final by the clock.", BARS)
]
KeepOption = Annotated[
    int | None,
    option(
        "--keep N",
        "Candles per instrument held in memory; earlier ones are read from the store.",
        BARS,
    ),
]
StateOption = Annotated[
    Path | None,
    option(
        "--state FILE",
        "Save the state here, every minute and at the end; the next session goes on from it.",
        OUTPUT,
    ),
]
PlainOption = Annotated[
    bool, option("--plain", "Print a line every few seconds instead of a screen.", OUTPUT)
]


def live(
    store: options.StoreOption,
    feed: FeedOption,
    instruments: FeedInstrumentsOption = None,
    universe: options.UniverseOption = None,
    timezone: options.TimezoneOption = None,
    instrument_key: ReplayInstrumentOption = None,
    format: ReplayFormatOption = None,  # noqa: A002
    time_format: ReplayTimeFormatOption = None,
    stamped: ReplayStampedOption = None,
    pattern: ReplayPatternOption = None,
    no_volume: ReplayNoVolumeOption = False,
    subscribe: SubscribeOption = None,
    speed: SpeedOption = None,
    source_timeframe: LiveSourceOption = "1m",
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
    output_zone: options.OutputZoneOption = None,
    strict: options.StrictOption = False,
    json: options.ReportJsonOption = False,
    json_file: options.JsonFileOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Take a live feed into a store, and show its bars.

    Candles or ticks come in; each is on disk before the feed is acknowledged. The screen has
    the whole universe: latest bars of the first timeframe with indicators, lag, rates, corrections,
    quarantined rows. Makes the store where there is none. Ctrl-C ends the session.
    """

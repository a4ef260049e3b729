"""The verb ``tallow watch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tallow.serve import cli_live, options
from tallow.serve.options import BARS, INPUT, OUTPUT, option

RULES = "Rules"

EPILOG = """\b
Examples:
  tallow watch --feed replay:tallow-demo/candles_1m.parquet --threshold 1 --release
  tallow watch --store candles --feed ws://localhost:8765 --contracting 5 --state live.state
  tallow watch --store candles --screen "close > ema(20) and rsi(14) < 30" -t 15m
  tallow watch --store candles --rules rules.toml --log alerts.jsonl
  TALLOW_WEBHOOK=https://host/hook tallow watch --store candles --threshold 0.5

\b
Each rule is judged on every bar that closes, and fires where it begins to hold;
again only after it did not hold. An alert is on record before it is sent, so that
it is sent at most once, over restarts, too. Without --feed, the store is followed.

\b
A file of rules has a table for each, by its name:
  [near]
  alert = "threshold"      # or pattern, release, screen
  within = 0.5             # of a screen: condition = "close > ema(20)"
  timeframe = "15m"
  cooldown = 600           # seconds, per instrument
  hourly_cap = 20          # alerts of the rule

\b
Exit codes:
  0    the feed ended, or Ctrl-C or SIGTERM ended the watch
  1    the same, but alerts were not sent, or may not have been; or an instrument
       has no values
  2    a wrong option, rule or file; the message says what to change
  130  cancelled by Ctrl-C before the watch began, or by a second one
"""

WatchStoreOption = Annotated[
    str | None,
    option(
        "--store STORE",
        "Where candles are kept: what comes is written to it; without --feed, it is followed.",
        INPUT,
        envvar="TALLOW_STORE",
    ),
]
WatchFeedOption = Annotated[
    str | None,
    option(
        "--feed FEED",
        "replay:PATH (files, or a store's folder), ws://HOST/PATH, wss://..., or "
        "redis://HOST/0?stream=NAME.",
        INPUT,
    ),
]
WatchTimeframeOption = Annotated[
    str, option("--timeframe -t TF", "Bars that the rules of options are judged on.", BARS)
]
ThresholdOption = Annotated[
    float | None,
    option("--threshold PERCENT", "Band width within so much of its lowest.", RULES),
]
ContractingOption = Annotated[
    int | None, option("--contracting N", "Band width fell on so many bars in a row.", RULES)
]
StrengthOption = Annotated[
    float, option("--strength PERCENT", "Of --contracting: by how much in all, at least.", RULES)
]
ReleaseOption = Annotated[
    bool, option("--release", "Band width leaves the range of its lowest.", RULES)
]
SqueezeOption = Annotated[
    str,
    option(
        "--squeeze SPEC",
        "Of these three: bands, look-back and range; see tallow indicators squeeze.",
        RULES,
    ),
]
ScreenOption = Annotated[
    list[str] | None,
    option(
        "--screen TEXT",
        "A screen, or the name of a saved one; may be given again for more.",
        RULES,
    ),
]
RulesOption = Annotated[Path | None, option("--rules FILE", "TOML file of rules.", RULES)]
CooldownOption = Annotated[
    float,
    option(
        "--cooldown SECONDS",
        "Of rules of options: how long after an alert none follows for the same instrument.",
        RULES,
    ),
]
CapOption = Annotated[
    int,
    option("--hourly-cap N", "Of rules of options: most alerts of each rule in an hour.", RULES),
]
LogOption = Annotated[
    Path | None, option("--log FILE", "Append each alert as a line of JSON.", OUTPUT)
]
WebhookOption = Annotated[
    str | None,
    option(
        "--webhook URL",
        "Post each alert as JSON; better given as TALLOW_WEBHOOK, which others do not see.",
        OUTPUT,
        envvar="TALLOW_WEBHOOK",
    ),
]
RecordOption = Annotated[
    Path | None,
    option(
        "--record FILE",
        "What was told, for it to be told once. By default beside --state, or in the store's "
        "folder.",
        OUTPUT,
    ),
]
WatchJsonOption = Annotated[
    bool, option("--json", "Print each alert as a line of JSON, and at the end the counts.", OUTPUT)
]


def watch(
    store: WatchStoreOption = None,
    feed: WatchFeedOption = None,
    instruments: cli_live.FeedInstrumentsOption = None,
    timezone: options.TimezoneOption = None,
    instrument_key: cli_live.ReplayInstrumentOption = None,
    format: cli_live.ReplayFormatOption = None,  # noqa: A002
    time_format: cli_live.ReplayTimeFormatOption = None,
    stamped: cli_live.ReplayStampedOption = None,
    pattern: cli_live.ReplayPatternOption = None,
    no_volume: cli_live.ReplayNoVolumeOption = False,
    subscribe: cli_live.SubscribeOption = None,
    speed: cli_live.SpeedOption = None,
    threshold: ThresholdOption = None,
    contracting: ContractingOption = None,
    strength: StrengthOption = 10.0,
    release: ReleaseOption = False,
    squeeze: SqueezeOption = "squeeze(20, 2, 125, 5)",
    screen: ScreenOption = None,
    rules: RulesOption = None,
    screens: options.ScreensOption = None,
    cooldown: CooldownOption = 300.0,
    hourly_cap: CapOption = 10,
    timeframe: WatchTimeframeOption = "5m",
    calendar: options.CalendarOption = "XNSE",
    convention: options.ConventionOption = "tradingview",
    no_trade: options.NoTradeOption = "drop",
    calendar_dates: options.CalendarDatesOption = None,
    beyond_coverage: options.BeyondCoverageOption = "assume",
    grace: cli_live.GraceOption = 2.0,
    keep: cli_live.KeepOption = None,
    state: cli_live.StateOption = None,
    log: LogOption = None,
    webhook: WebhookOption = None,
    record: RecordOption = None,
    output_zone: options.OutputZoneOption = None,
    json: WatchJsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Watch a feed or a store, and tell of what rules find.

    Rules look for a squeeze of the bands (near its lowest width, contracting, released), or for any
    screen. Alerts are printed as they fire, and go to a log or a webhook, each at most once.
    Ctrl-C ends the watch with its counts.
    """

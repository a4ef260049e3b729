"""The command line: the verbs, their help, and what their exit codes mean.

Nothing heavy is imported before a verb runs: ``tallow --help`` must not wait for Polars and Numba.
For the same reason the help is plain text, which Typer writes without importing rich.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import tallow
from tallow.serve import (
    cli_compare,
    cli_explain,
    cli_leak_check,
    cli_live,
    cli_mcp,
    cli_plot,
    cli_screen,
    cli_sequences,
    cli_serve,
    cli_watch,
    options,
)
from tallow.serve.cli_alerts import alerts_app
from tallow.serve.cli_keys import keys_app
from tallow.serve.cli_rollout import rollout_app
from tallow.serve.cli_store import store_app
from tallow.serve.cli_universe import universe_app
from tallow.serve.verbs import PROGRAM, add_verb, make_app

HELP = """Candle analytics for trading backends: one-minute candles in; candles at any timeframe
with every indicator, right from the first row, out.
"""

EPILOG = """\b
Examples:
  tallow demo
  tallow run candles.csv --timeframe 5m --output bars.parquet
  tallow run "data/*.parquet" -t 1h -i "ema(9), rsi(14)" -c XNYS -o bars.csv
  tallow ingest "days/*.csv" --store candles --source-timeframe 1m --adjustment raw
  tallow query "NSE_EQ|INE301A01014" --store candles -t 15m
  tallow screen "close > ema(20) and rsi(14)@1h < 30" --store candles -t 15m
  tallow sequences "NSE_EQ|INE301A01014" --store candles
  tallow explain RAYMOND "ema(9)" --at 2025-07-18T10:15 --store candles
  tallow plot RAYMOND --store candles -t 15m -o chart.html
  tallow live --store candles --feed ws://localhost:8765
  tallow watch --store candles --threshold 1 --log alerts.jsonl
  tallow serve --store candles --feed ws://localhost:8765
  tallow compare candles.csv --control talib --candidate tallow
  tallow rollout plan > rollout.toml
  tallow indicators bollinger
  tallow leak-check "ema(9), rsi(14)"

\b
Exit codes:
  0    done
  1    done, but something is missing: an instrument or a check failed, or rows
       were quarantined and --strict was given
  2    not done: a wrong option or input; the message says what to change
  130  cancelled by Ctrl-C; no output is left half-written

\b
Next:
  tallow demo        see it work on a simulated market, in seconds
  tallow run --help  every option, with examples
  tallow store       look after kept candles: coverage, quarantine, backup
  tallow universe    keep lists of instruments: indices, sectors, watchlists
  tallow doctor      if something is not as it should be
"""

RUN_EPILOG = """\b
Examples:
  tallow run candles.csv --output bars.parquet
  tallow run "2025/*.parquet" -t 15m -i "default, macd, adx(14)" -o bars.parquet
  tallow run candles.csv -t 5m -t 15m -t 1h -o "bars_{timeframe}.parquet"
  tallow run candles.csv --start 2025-07-01 --end 2025-07-18 -o july.csv
  tallow run btc.csv --instrument-key BTCUSDT -c 24/7 --timezone UTC -o btc.parquet
  tallow run candles.csv -o bars.parquet --strict --json | jq .read.quarantined

\b
Exit codes:
  0    the output is written
  1    the output is written, but an instrument failed, or rows were quarantined
       and --strict was given; or there is no bar, and a sentence says why
  2    nothing is written: a wrong option or input; the message says what to change
  130  cancelled by Ctrl-C; nothing is written

\b
Next:
  tallow indicators        what --indicators can name
  tallow indicators NAME   its parameters, warm-up and formula
"""

DEMO_EPILOG = """\b
Examples:
  tallow demo
  tallow demo --instruments 1000 --timeframe 5m
  tallow demo --sessions 60 -t 15m -t 1d --output /tmp/market
"""

INDICATORS_EPILOG = """\b
Examples:
  tallow indicators
  tallow indicators rsi
  tallow indicators new my_average
  tallow indicators --json | jq -r '.[].name'
"""


INGEST_EPILOG = """\b
Examples:
  tallow ingest candles.parquet --store candles --source-timeframe 1m --adjustment raw
  tallow ingest "upstox/*.json" --store candles --adjustment raw \\
      --source-timeframe 1m --pattern "(?P<instrument>.+)_.*"
  tallow ingest BTCUSDT-1m-2025-01.zip --store s3://bucket/candles
  tallow ingest BhavCopy_NSE_CM_*.zip --store postgresql://localhost/candles

\b
Exit codes:
  0    everything is in the store
  1    done, but a file could not be read, or rows were quarantined and --strict
       was given
  2    nothing is in the store: a wrong option or input; the message says what to
       change
  130  cancelled by Ctrl-C; the files before stay in the store

\b
Next:
  tallow query --help         bars and indicators out of the store
  tallow store quarantine     the quarantined rows: list, export, repair, ingest again
  tallow store coverage       what is there, and what is missing
"""

QUERY_EPILOG = """\b
Examples:
  tallow query "NSE_EQ|INE301A01014" --store candles
  tallow query BTCUSDT --store candles -c 24/7 -t 1h -t 1d -i "ema(9), macd"
  tallow query A B --store candles --start 2025-07-01 --end 2025-07-18 -o july.parquet
  tallow query --store candles -t 15m -o all.parquet
  tallow query --store candles --universe nifty50 -t 1d
  tallow query A --store candles --known-at 2025-07-18T12:00+05:30 --json | jq '.[-1]'

\b
Exit codes:
  0    done
  1    an instrument failed, and the others are there; rows were quarantined and
       --strict was given; or there is no bar, and a sentence says why
  2    a wrong option or input; the message says what to change
  130  cancelled by Ctrl-C; no file is left half-written
"""

app = make_app(PROGRAM, HELP, EPILOG)
app.add_typer(store_app)
app.add_typer(universe_app)
app.add_typer(rollout_app)
app.add_typer(keys_app)
app.add_typer(alerts_app)
_verb = partial(add_verb, app)


def main() -> None:
    """Run the command line, and exit with its code."""
    app(prog_name=PROGRAM)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tallow {tallow.__version__}")
        raise typer.Exit


@app.callback()
def _tallow(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take the options that belong to no verb."""


@_verb("run", "run:run_to_file", RUN_EPILOG)
def run(
    inputs: options.InputsArgument,
    timeframe: options.TimeframesOption = ["5m"],  # noqa: B006 - Typer copies it
    indicators: options.IndicatorsOption = "default",
    calendar: options.CalendarOption = "XNSE",
    output: options.OutputOption = None,
    start: options.StartOption = None,
    end: options.EndOption = None,
    instruments: options.InstrumentsOption = None,
    universe: options.FileUniverseOption = None,
    output_zone: options.OutputZoneOption = None,
    source_timeframe: options.FileTimeframeOption = None,
    timezone: options.TimezoneOption = None,
    instrument_key: options.InstrumentKeyOption = None,
    format: options.DocumentFormatOption = None,  # noqa: A002
    time_format: options.TimeFormatOption = None,
    stamped: options.StampedOption = "open",
    no_volume: options.NoVolumeOption = False,
    pattern: options.PatternOption = None,
    convention: options.ConventionOption = "tradingview",
    no_trade: options.NoTradeOption = "drop",
    calendar_dates: options.CalendarDatesOption = None,
    beyond_coverage: options.BeyondCoverageOption = "assume",
    final_at: options.FinalAtOption = None,
    former_final_at: options.FormerAsOfOption = None,
    threads: options.ThreadsOption = None,
    strict: options.StrictOption = False,
    json: options.ReportJsonOption = False,
    json_file: options.JsonFileOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Turn candle files into files of bars with indicators.

    Reads CSV, Parquet and Arrow files, in any order and with the column names people have; rows
    that break a rule are quarantined, counted and shown. Memory is bounded whatever their size.
    """


@_verb("ingest", "ingest:ingest_files", INGEST_EPILOG)
def ingest(
    inputs: options.DocumentsArgument,
    store: options.StoreOption,
    format: options.DocumentFormatOption = None,  # noqa: A002
    source_timeframe: options.DocumentTimeframeOption = None,
    former_source_timeframe: options.FormerTimeframeOption = None,
    instrument_key: options.InstrumentKeyOption = None,
    unfiltered: options.UnfilteredOption = None,
    timezone: options.TimezoneOption = None,
    adjustment: options.DocumentAdjustmentOption = None,
    pattern: options.PatternOption = None,
    time_format: options.TimeFormatOption = None,
    stamped: options.StampedOption = "open",
    no_volume: options.NoVolumeOption = False,
    calendar: options.StampCalendarOption = "XNSE",
    calendar_dates: options.CalendarDatesOption = None,
    beyond_coverage: options.BeyondCoverageOption = "assume",
    strict: options.StrictOption = False,
    json: options.ReportJsonOption = False,
    json_file: options.JsonFileOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Put candle files of any provider into a store.

    Reads tables (CSV, Parquet, Arrow) and the answers and files of brokers, exchanges and data
    providers (docs/shapes.md); packed ones, too. What is there already changes nothing, a different
    candle becomes a revision, and a row that breaks a rule is quarantined. Makes the store where
    there is none.
    """


@_verb("query", "query:query_store", QUERY_EPILOG)
def query(
    names: options.InstrumentsArgument = None,
    *,
    store: options.StoreOption,
    instruments: options.InstrumentsOption = None,
    universe: options.UniverseOption = None,
    timeframe: options.TimeframesOption = ["5m"],  # noqa: B006 - Typer copies it
    indicators: options.IndicatorsOption = "default",
    calendar: options.CalendarOption = "XNSE",
    start: options.StartOption = None,
    end: options.EndOption = None,
    known_at: options.KnownAtOption = None,
    former_known_at: options.FormerAsOfOption = None,
    final_at: options.StoreFinalAtOption = None,
    source_timeframe: options.SourceTimeframeOption = "1m",
    adjustment: options.AdjustmentOption = "raw",
    convention: options.ConventionOption = "tradingview",
    no_trade: options.NoTradeOption = "drop",
    calendar_dates: options.CalendarDatesOption = None,
    beyond_coverage: options.BeyondCoverageOption = "assume",
    output: options.QueryOutputOption = None,
    output_zone: options.OutputZoneOption = None,
    threads: options.ThreadsOption = None,
    strict: options.StrictOption = False,
    json: options.BarsJsonOption = False,
    json_file: options.JsonFileOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Show bars and indicators of a range, out of a store.

    They are right from the first row of the range: the history that they need is read, too.
    Without --output and --json: the newest bars of each instrument, and a line of each column.
    """


_verb("screen", "screen:screen_market", cli_screen.EPILOG)(cli_screen.screen)
_verb("sequences", "sequences:find_sequences", cli_sequences.EPILOG)(cli_sequences.sequences)
_verb("explain", "explain:explain_to_screen", cli_explain.EPILOG)(cli_explain.explain)
_verb("plot", "plot:plot_instrument", cli_plot.EPILOG)(cli_plot.plot)
_verb("live", "live:run_live", cli_live.EPILOG)(cli_live.live)
_verb("watch", "watch:run_watch", cli_watch.EPILOG)(cli_watch.watch)
_verb("mcp", "mcp:run_tools", cli_mcp.EPILOG, extra="mcp")(cli_mcp.mcp)
_verb("serve", "service:run_service", cli_serve.EPILOG, cli_serve.ServeCommand, extra="serve")(
    cli_serve.serve
)
_verb("config", "config:show_config", cli_serve.CONFIG_EPILOG, extra="serve")(cli_serve.config)
_verb("compare", "compare:run_compare", cli_compare.EPILOG, cli_compare.CompareCommand)(
    cli_compare.compare
)
_verb("leak-check", "leak_check:check", cli_leak_check.EPILOG)(cli_leak_check.leak_check)


@_verb("demo", "demo:run_demo", DEMO_EPILOG)
def demo(
    instruments: options.DemoInstrumentsOption = 200,
    sessions: options.DemoSessionsOption = 20,
    folder: options.DemoFolderOption = Path("tallow-demo"),
    timeframes: options.TimeframesOption = ["5m", "1h", "1d"],  # noqa: B006 - Typer copies it
) -> None:
    """Simulate a market, and show its bars and indicators.

    The market is the same on every machine: one-minute candles with opening rushes, lunch lulls,
    overnight gaps, missing minutes, illiquid names and a frozen day. The files stay in a folder,
    to try other commands on.
    """


@_verb("indicators", "indicators:show_indicators", INDICATORS_EPILOG)
def indicators(
    name: options.IndicatorArgument = None,
    own: options.OwnNameArgument = None,
    json: options.JsonOption = False,
) -> None:
    """List the indicators, show one, or begin one of your own.

    All of it is read from the declarations from which the values are computed; indicators of
    other packages stand beside the built-in ones. One of a single price or of the volume takes
    another source, or another indicator's output: sma(20, source=hl2), ema(rsi(14), 9). With new
    and a name, a package with an indicator that works, and its test, is written to a folder of
    that name.
    """


@_verb("doctor", "doctor:show_checks")
def doctor(json: options.JsonOption = False) -> None:
    """Check the installation, and say what is missing.

    Looks at versions, the kernel cache, calendars and plug-ins. Each line is ok, warn or fail;
    the exit code is 1 if one is fail.
    """

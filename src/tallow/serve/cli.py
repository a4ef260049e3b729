"""The command line: the verbs, their help, and what their exit codes mean.

Nothing heavy is imported before a verb runs: ``tallow --help`` must not wait for Polars and Numba.
For the same reason the help is plain text, which Typer writes without importing rich.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

import tallow
from tallow.core.errors import AllFailedError, TallowError
from tallow.serve import options
from tallow.serve.wording import in_options

EXIT_INCOMPLETE = 1
"""Rows were quarantined and `--strict` was given, an instrument failed, or a check did."""

EXIT_USAGE = 2
EXIT_CANCELLED = 130
"""As a shell counts it: 128, and 2 for SIGINT."""

HELP = """Candle analytics for trading backends: one-minute candles in; candles at any timeframe
with every indicator, right from the first row, out.
"""

EPILOG = """\b
Examples:
  tallow demo
  tallow run candles.csv --timeframe 5m --output bars.parquet
  tallow run "data/*.parquet" -t 1h -i "ema(9), rsi(14)" -c XNYS -o bars.csv
  tallow indicators bollinger

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
  tallow doctor      if something is not as it should be
"""

RUN_EPILOG = """\b
Examples:
  tallow run candles.csv --output bars.parquet
  tallow run "2025/*.parquet" -t 15m -i "default, macd, adx(14)" -o bars.parquet
  tallow run candles.csv --start 2025-07-01 --end 2025-07-18 -o july.csv
  tallow run btc.csv --instrument-key BTCUSDT -c 24/7 --timezone UTC -o btc.parquet
  tallow run candles.csv -o bars.parquet --strict --json | jq .read.quarantined

\b
Exit codes:
  0    the output is written
  1    the output is written, but an instrument failed, or rows were quarantined
       and --strict was given; or every instrument failed, and nothing is written
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
  tallow indicators --json | jq -r '.[].name'
"""


class _Page(TyperCommand):
    """A verb whose help lists its options under their headings."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Write ``INPUT...`` where Typer has ``{INPUT}...``."""
        return [
            piece.strip("{}").replace("}...", "...") for piece in super().collect_usage_pieces(ctx)
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section per heading, in the order in which they come."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
                heading = getattr(parameter, "rich_help_panel", None) or usual
                # Typer writes an argument as ``NAME <type>``, and the type is Python's.
                name = record[0].partition(" <")[0]
                sections.setdefault(heading, []).append((name, record[1]))
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


app = typer.Typer(
    name="tallow",
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)


def main() -> None:
    """Run the command line, and exit with its code."""
    app(prog_name="tallow")


def _verb(name: str, epilog: str = "") -> Callable[[Callable[..., int]], Callable[..., None]]:
    """Add a verb, whose function returns the exit code; errors become messages, not tracebacks."""

    def add(function: Callable[..., int]) -> Callable[..., None]:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                code = function(*args, **kwargs)
            except KeyboardInterrupt as interrupt:
                # A verb that knows what became of its files says so.
                typer.echo(" ".join(map(str, interrupt.args)) or "cancelled", err=True)
                code = EXIT_CANCELLED
            except TallowError as error:
                hint = f"Try 'tallow {name} --help' for help."
                typer.echo(f"Error: {in_options(str(error))}\n{hint}", err=True)
                code = EXIT_INCOMPLETE if isinstance(error, AllFailedError) else EXIT_USAGE
            raise typer.Exit(code)

        app.command(name, cls=_Page, epilog=epilog)(guarded)
        return guarded

    return add


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


@_verb("run", RUN_EPILOG)
def run(
    inputs: options.Inputs,
    timeframe: options.Timeframe = "5m",
    indicators: options.Indicators = "default",
    calendar: options.CalendarName = "XNSE",
    output: options.Output = None,
    start: options.Start = None,
    end: options.End = None,
    instrument: options.Instruments = None,
    source_timeframe: options.SourceTimeframe = "1m",
    timezone: options.Timezone = None,
    instrument_key: options.InstrumentKey = None,
    convention: options.ConventionName = "tradingview",
    no_trade: options.NoTradePolicy = "drop",
    calendar_dates: options.CalendarDates = None,
    beyond_coverage: options.BeyondCoverage = "raise",
    as_of: options.AsOf = None,
    threads: options.Threads = None,
    strict: options.Strict = False,
    json: options.RunJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Turn candle files into one file of bars with indicators.

    Reads CSV, Parquet and Arrow files, in any order and with the column names people have; rows
    that break a rule are set aside, counted and shown. Memory is bounded whatever their size.
    """
    from tallow.serve.run import RunRequest, run_to_file

    return run_to_file(
        RunRequest(
            engine={
                "calendar": calendar,
                "calendar_dates": calendar_dates,
                "beyond_coverage": beyond_coverage,
                "convention": convention,
                "no_trade": no_trade,
                "threads": threads,
            },
            files={
                "start": start,
                "end": end,
                "instruments": instrument or None,
                "as_of": as_of,
                "source_timeframe": source_timeframe,
                "timezone": timezone,
                "instrument": instrument_key,
            },
            inputs=inputs,
            output=output,
            timeframe=timeframe,
            indicators=indicators,
            strict=strict,
            json=json,
            quiet=quiet,
        )
    )


@_verb("demo", DEMO_EPILOG)
def demo(
    instruments: options.DemoInstruments = 200,
    sessions: options.DemoSessions = 20,
    output: options.DemoFolder = Path("tallow-demo"),
    timeframe: options.DemoTimeframes = ["5m", "1h", "1d"],  # noqa: B006 - Typer copies it
) -> int:
    """Simulate a market, and show its bars and indicators.

    The market is the same on every machine: one-minute candles with opening rushes, lunch lulls,
    overnight gaps, missing minutes, illiquid names and a frozen day. The files stay in a folder,
    to try other commands on.
    """
    from tallow.serve.demo import run_demo

    return run_demo(instruments, sessions, output, timeframe)


@_verb("indicators", INDICATORS_EPILOG)
def indicators(name: options.IndicatorName = None, json: options.Json = False) -> int:
    """List the indicators, or show all about one.

    All of it is read from the declarations from which the values are computed; indicators of
    other packages stand beside the built-in ones.
    """
    from tallow.serve.indicators import show_all, show_one

    return show_all(json) if name is None else show_one(name, json)


@_verb("doctor")
def doctor(json: options.Json = False) -> int:
    """Check the installation, and say what is missing.

    Looks at versions, the kernel cache, calendars and plug-ins. Each line is ok, warn or fail;
    the exit code is 1 if one is fail.
    """
    from tallow.serve.doctor import show_checks

    return show_checks(json)

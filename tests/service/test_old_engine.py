"""Goal: what the old services computed is little code on Tallow's public face, and differs from the
old engine by listed defects alone.

Method: the code is counted as the issue of size is meant, without blanks, comments and docstrings,
and its imports are read. Answers for all real candles, and for simulated days, are compared by
`compare` with the re-created engines; the causes that may come out are those of the list.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

import tallow
from tallow.core.calendars import load_calendar
from tallow.migrate.compare import Comparison, compare
from tallow.migrate.legacy import LEGACY_SERIES
from tallow.migrate.pairs import Cause
from tallow.migrate.protocol import Request
from tallow.service.compat import old_bars, old_days

SERVICES = {"old_bars": old_bars, "old_days": old_days}
"""Aggregation and indicators; trend, volatility and sequences."""

LINES_MAX = 400
PUBLIC = {"tallow", "polars", *(f"tallow.service.compat.{name}" for name in SERVICES)}


def texts() -> Iterator[str]:
    for module in SERVICES.values():
        assert module.__file__ is not None
        yield Path(module.__file__).read_text("utf-8")


def code_lines(text: str) -> set[int]:
    """Return the lines that have code: no blanks, comments and docstrings."""
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
               tokenize.ENCODING, tokenize.ENDMARKER}  # fmt: skip
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in nothing:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                lines -= set(range(node.lineno, (node.end_lineno or 0) + 1))
    return lines


def test_lines_of_code_are_counted() -> None:
    assert code_lines('"""One."""\n\n# two\nx = 1  # three\ny = """\na\n"""\n') == {4, 5, 6, 7}


def test_the_work_of_the_five_services_is_little_code() -> None:
    assert 150 < sum(len(code_lines(text)) for text in texts()) <= LINES_MAX


def test_it_stands_on_the_public_face_alone() -> None:
    found = set()
    for text in texts():
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Import(names=names):
                    found |= {alias.name for alias in names}
                case ast.ImportFrom(module="tallow", names=names):
                    assert {alias.name for alias in names} <= set(tallow.__all__)
                case ast.ImportFrom(module=str(module)):
                    found.add(module)
    assert {
        name for name in found if name.partition(".")[0] not in sys.stdlib_module_names
    } <= PUBLIC


class OldBars:
    """The old API's candles of five minutes, as an engine of comparisons."""

    name, version = "setbull", "this one"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answer(self, request: Request) -> pl.DataFrame:
        with tallow.open_store(self._folder, create=True) as store:
            store.write(request.candles, source_timeframe="1m")
            engine = tallow.AnalyticsEngine(store=store)
            span = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
            rows = [
                row
                for name in sorted(store.names())
                for row in old_bars.five_minute_rows(engine, name, *span)
            ]
        frame = pl.DataFrame(rows, infer_schema_length=None).drop(
            "time_interval", "open_interest", "ema_20", "lowest_bb_width"
        )
        return as_answer(frame.rename({"instrument_key": "instrument", **LEGACY_SERIES}))


def as_answer(frame: pl.DataFrame) -> pl.DataFrame:
    moment = pl.col("timestamp").str.to_datetime("%+", time_unit="us", time_zone="UTC")
    return frame.with_columns(moment, pl.col("volume").cast(pl.Float64))


@pytest.fixture(scope="module")
def compared(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    candles = tallow.read_candles(reference / "data" / "candles_1m.csv").frame
    engine = OldBars(tmp_path_factory.mktemp("compared") / "candles")
    return compare("legacy", engine, Request(candles, "5m"), runs=0)


def test_every_difference_on_real_candles_has_its_cause(compared: Comparison) -> None:
    assert compared.values.rows == (2_552, 0, 0)
    assert compared.values.total().unexplained == 0
    assert compared.verdict.outcome == "go"


LISTED = {
    "sma_9": Cause.LOOK_AHEAD,
    "vwap": Cause.LOOK_AHEAD | Cause.CLOSE_AGAINST_TYPICAL,
    "rsi_14": Cause.RS_INSTEAD_OF_RSI | Cause.OTHER_SEED,
    "atr_14": Cause.HIGH_LOW_INSTEAD_OF_ATR,
    "ema_5": Cause.OTHER_SEED,
    "ema_9": Cause.OTHER_SEED,
    "ema_50": Cause.OTHER_SEED,
    "bb_width_20_2": Cause.CAPPED,
    "open": Cause.ZERO_VOLUME_FILLER,
    "high": Cause.ZERO_VOLUME_FILLER,
}
"""The defects that a series may differ by; of all, what is not known yet, and how it is printed."""


def test_differences_are_the_listed_defects(compared: Comparison) -> None:
    for name, counts in compared.values.series().items():
        allowed = LISTED.get(name, Cause(0)) | Cause.ROUNDING | Cause.ZERO_IN_WARM_UP
        named = {(each.name or "").lower().replace("_", "-") for each in allowed}
        assert set(counts.causes) <= named, name
    for name in ("low", "close", "volume", "bb_upper_20_2", "bb_width_normalized"):
        counts = compared.values.series()[name]
        assert counts.same == counts.compared == 2_552, name


# Days


DAYS, ANSWERED = 160, 12
ASKED = f"trend_strength(20), realised_volatility(20), trend_state(50, {old_days.DAYS})"


def days() -> pl.DataFrame:
    """Return candles of NSE's sessions, whose closes drift up, then down."""
    dates = load_calendar("XNSE").sessions().day_date
    first = int(np.searchsorted(dates, np.datetime64("2024-01-01")))
    times = [
        datetime.combine(each, datetime.min.time(), UTC) + timedelta(hours=3, minutes=45)
        for each in dates[first : first + DAYS].astype(object)
    ]
    random = np.random.default_rng(18)
    drift = np.where(np.arange(DAYS) < DAYS - 8, 0.002, -0.02)
    close = np.round(500.0 * np.exp(np.cumsum(drift + random.normal(0.0, 0.01, DAYS))), 2)
    prices = {"open": close - 1.0, "high": close + 3.0, "low": close - 4.0, "close": close}
    return pl.DataFrame(
        {"instrument": ["A"] * DAYS, "timestamp": times, **prices, "volume": [1_000.0] * DAYS}
    ).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))


class OldDays:
    """The old trend and volatility of each of the last days, of what was stored on that day."""

    name, version = "setbull_days", "this one"
    states: ClassVar = {old_days.BULLISH: 1.0, old_days.BEARISH: -1.0, old_days.NEUTRAL: 0.0}

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answer(self, request: Request) -> pl.DataFrame:
        rows: list[dict[str, Any]] = []
        since = datetime(2024, 1, 1, tzinfo=UTC)
        with tallow.open_store(self._folder, create=True) as store:
            engine = tallow.AnalyticsEngine(store=store)
            store.write(request.candles[: DAYS - ANSWERED], source_timeframe="1d")
            for number in range(DAYS - ANSWERED, DAYS):
                day = request.candles[number : number + 1]
                store.write(day, source_timeframe="1d")
                (found,) = old_days.day_histories(engine, ["A"], "1d", since)
                rows.append(day.row(0, named=True) | self._row(found))
        return pl.DataFrame(rows, infer_schema_length=None).cast(
            {"timestamp": pl.Datetime("us", "UTC")}
        )

    def _row(self, found: old_days.DayHistory) -> dict[str, float | str | None]:
        trend = old_days.trend_of(found)
        return {
            "trend_state_50_10": self.states[trend["Type"]],
            "trend_share_50_10": trend["TrendPercentage"],
            "trend_strength_20": found.trend_strength,
            "realised_volatility_20": found.volatility,
        }


def test_differences_of_trend_and_volatility_are_those_of_the_old_analysers(
    tmp_path: Path,
) -> None:
    """The old ones rose where prices fell, took 252 days for a year, and 60 weekdays for all."""
    candles = days()
    start = candles["timestamp"][DAYS - ANSWERED].date().isoformat()
    asked = Request(candles, "1d", ASKED, start=start, source_timeframe="1d")
    found = compare("legacy_trends", OldDays(tmp_path / "days"), asked, runs=0).values
    assert found.rows == (ANSWERED, 0, 0)
    assert found.total().unexplained == 0
    series = found.series()
    assert series["trend_strength_20"].causes == {"reversed-window": ANSWERED}
    assert series["realised_volatility_20"].causes == {
        "fixed-year": ANSWERED,
        "sample-against-population": ANSWERED,
    }
    for name in ("trend_state_50_10", "trend_share_50_10"):
        assert set(series[name].causes) <= {"short-history"}, name
        assert series[name].same >= ANSWERED - 3, name

"""A deterministic market: one-minute candles that look like an exchange's, for demo and benchmark.

Each instrument is drawn from a generator of its own, seeded by the seed and its number. So a block
of instruments has the same bits whatever the block's size, and any number of rows can be streamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.calendars import Calendar, SessionTable
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import CoverageError, ParameterError
from tallow.core.time import MINUTE_US
from tallow.data.reading.schema import TIME_TYPE

TICKS_PER_RUPEE = 20
"""Prices are whole multiples of 0.05. A tick count divided by 20 is the double nearest to the
decimal; a count times 0.05 is not."""

INSTRUMENTS_MAX = 999 * 26
"""As many issuer codes ``001A`` .. ``999Z`` as the simulated keys have room for."""

SEED_MAX = 2**63 - 1

FIRST_PRICE_MEDIAN = 600.0
LOWEST_TICKS = 20 * TICKS_PER_RUPEE
VOLATILITY_PER_MINUTE = 6e-4
VOLATILITY_OVERNIGHT = 9e-3

# Which instruments are out of the ordinary, by their number: so a market of four has them all.
FROZEN_NUMBER = 1
ILLIQUID_REMAINDER, ILLIQUID_EVERY = 3, 10
"""Every tenth instrument trades in about half of the minutes."""


@dataclass(frozen=True)
class _Grid:
    """Every minute of the market, and how busy it is. Arrays have shape (minutes,)."""

    timestamp: Ints
    session: Ints
    """Number of the session, from 0."""
    is_first: Flags
    """The session's first minute: the overnight gap falls here."""
    volatility: Floats
    """Relative to a quiet minute: high at the open, low at noon, higher at the close."""
    volume: Floats
    missing: Floats
    """How likely a minute without trades is, relative to the instrument's own rate."""


@dataclass(frozen=True)
class _Character:
    """What tells one instrument from another."""

    number: int
    first_price: float
    volatility: float
    volume_median: float
    missing_rate: float
    filler_rate: float
    """Share of the candles that only repeat the last price, with a volume of zero."""


def simulate_blocks(
    instruments: int,
    sessions: int,
    *,
    calendar: Calendar,
    start: date,
    seed: int = 0,
    instruments_per_block: int = 50,
) -> Iterator[pl.DataFrame]:
    """Simulate a market and return its one-minute candles, some instruments at a time.

    Only one block is in memory at a time, so a file larger than memory can be written. The blocks,
    one after the other, have the same bits as the whole whatever `instruments_per_block` is.

    Parameters
    ----------
    instruments : int
        How many, 1 to `INSTRUMENTS_MAX`.
    sessions : int
        How many trading sessions of `calendar`, from the first on or after `start`.
    calendar : Calendar
        Says when the market trades, e.g. ``load_calendar("XNSE")``.
    start : date
        First day that may trade.
    seed : int
        The same seed gives the same bits, and so does any number of instruments: those of a small
        market are the first of a larger one.

    Returns
    -------
    Iterator[pl.DataFrame]
        ``instrument`` (String), ``timestamp`` (Datetime[us, UTC], the minute's open), ``open``,
        ``high``, ``low``, ``close`` (Float64, rupees, multiples of 0.05), ``volume`` (Float64,
        units), sorted by instrument and timestamp. Minutes without a trade are missing or, for
        illiquid names, sometimes filled by a candle of zero volume at the last price. The second
        instrument is frozen for one whole session: it trades, always at one price. About 0.3 us and
        64 bytes a row.

    Raises
    ------
    ParameterError
        If a number is out of range: at the call, and not at the first block.
    CoverageError
        Likewise, if the calendar has fewer sessions from `start` on.
    """
    _require("instruments", instruments, INSTRUMENTS_MAX)
    _require("sessions", sessions, None)
    _require("instruments_per_block", instruments_per_block, None)
    if not 0 <= seed <= SEED_MAX:
        raise ParameterError(f"simulate: seed={seed}; must be 0..{SEED_MAX}")
    grid = _grid(calendar.sessions(), sessions, start)
    firsts = range(0, instruments, instruments_per_block)
    return (
        _block(range(first, min(first + instruments_per_block, instruments)), grid, seed)
        for first in firsts
    )


def simulated_key(number: int) -> str:
    """Return the key of an instrument by its number, from 0; keys sort as their numbers do.

    The keys are valid ISINs, so some belong to real shares. The candles never do.

    Examples
    --------
    >>> simulated_key(7800)
    'NSE_EQ|INE301A01014'
    """
    # 26 more, because real issuer codes start at 001A.
    issuer, letter = divmod(number + 26, 26)
    isin = f"INE{issuer:03d}{chr(ord('A') + letter)}0101"
    return f"NSE_EQ|{isin}{_isin_check_digit(isin)}"


def _isin_check_digit(isin: str) -> int:
    """Return the last digit of an ISIN by its first eleven characters (ISO 6166: Luhn)."""
    digits = [int(digit) for character in isin for digit in str(int(character, 36))]
    doubled = [2 * digit for digit in digits[::-2]]
    total = sum(digits[-2::-2]) + sum(digit // 10 + digit % 10 for digit in doubled)
    return -total % 10


def _require(name: str, value: int, most: int | None) -> None:
    if value < 1 or (most is not None and value > most):
        rule = "must be 1 or more" if most is None else f"must be 1..{most}"
        raise ParameterError(f"simulate: {name}={value}; {rule}")


def _grid(times: SessionTable, sessions: int, start: date) -> _Grid:
    """Lay out all minutes of the first `sessions` sessions from `start` on."""
    from_start = times.day_date[times.segment_day] >= np.datetime64(start, "D")
    days = np.unique(times.segment_day[from_start])[:sessions]
    if days.size < sessions:
        raise CoverageError(
            f"simulate: sessions={sessions}; the calendar has {days.size} from {start} on; "
            "start earlier or ask for fewer"
        )
    chosen = np.isin(times.segment_day, days)
    opens, closes = times.segment_open[chosen], times.segment_close[chosen]
    minutes = (closes - opens) // MINUTE_US
    timestamp = np.repeat(opens, minutes) + MINUTE_US * _count_up(minutes)
    session = np.repeat(np.searchsorted(days, times.segment_day[chosen]), minutes)
    length = np.bincount(session)
    minute = _count_up(length)
    return _Grid(
        timestamp=timestamp,
        session=session,
        is_first=minute == 0,
        **_busyness((minute + 0.5) / np.repeat(length, length)),
    )


def _count_up(lengths: Ints) -> Ints:
    """Return 0, 1, .. below each length, one run after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)


def _busyness(fraction: Floats) -> dict[str, Floats]:
    """Return how busy each minute is by its `fraction` of the session, 0 to 1."""
    rush = np.exp(-fraction / 0.06)
    rise = np.exp(-(1.0 - fraction) / 0.05)
    lull = np.exp(-(((fraction - 0.52) / 0.16) ** 2))
    return {
        "volatility": 1.0 + 2.0 * rush + 0.7 * rise - 0.35 * lull,
        "volume": 1.0 + 5.0 * rush + 2.5 * rise - 0.5 * lull,
        "missing": 1.0 - 0.9 * rush - 0.8 * rise + 0.6 * lull,
    }


def _block(numbers: range, grid: _Grid, seed: int) -> pl.DataFrame:
    """Simulate some instruments and put them under each other."""
    pieces = [_instrument(number, grid, seed) for number in numbers]
    names = pl.Series([simulated_key(number) for number in numbers], dtype=pl.String)
    which = np.repeat(np.arange(len(numbers)), [kept.size for kept, _ in pieces])
    kept = np.concatenate([kept for kept, _ in pieces])
    values = np.concatenate([values for _, values in pieces], axis=1)
    timestamp = pl.Series(grid.timestamp[kept], dtype=pl.Int64)
    columns = ("open", "high", "low", "close", "volume")
    return pl.DataFrame(
        {
            "instrument": names.gather(which),
            "timestamp": timestamp.cast(pl.Datetime("us", "UTC")),
            **dict(zip(columns, values, strict=True)),
        }
    )


def _instrument(number: int, grid: _Grid, seed: int) -> tuple[Ints, Floats]:
    """Simulate one instrument.

    Returns which minutes of the grid have a candle, int64 (rows,), and their open, high, low, close
    and volume, float64 (5, rows).
    """
    generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, number])))
    character = _character(number, generator)
    frozen = _frozen_minutes(number, grid)
    opens, highs, lows, closes, moves = _prices(character, frozen, grid, generator)
    volume = _volumes(character, moves, grid, generator)
    kept, is_filler = _trading(character, frozen, grid, generator)
    values = np.stack([opens[kept], highs[kept], lows[kept], closes[kept], volume[kept]])
    _fill(values, is_filler)
    values[:4] /= TICKS_PER_RUPEE
    return kept, values


def _character(number: int, generator: np.random.Generator) -> _Character:
    """Draw what kind of instrument this is."""
    price, volatility, volume, missing = generator.standard_normal(4)
    is_illiquid = number % ILLIQUID_EVERY == ILLIQUID_REMAINDER
    return _Character(
        number=number,
        first_price=FIRST_PRICE_MEDIAN * float(np.exp(0.9 * price)),
        volatility=VOLATILITY_PER_MINUTE * float(np.exp(0.3 * volatility)),
        volume_median=(60.0 if is_illiquid else 2_500.0) * float(np.exp(0.8 * volume)),
        missing_rate=0.35 if is_illiquid else 2e-3 * float(np.exp(0.5 * missing)),
        filler_rate=0.2 if is_illiquid else 0.0,
    )


def _frozen_minutes(number: int, grid: _Grid) -> Flags:
    """Return the minutes in which the price may not move: a session in the middle, for one name."""
    sessions = int(grid.session[-1]) + 1
    frozen: Flags = (grid.session == sessions // 2) & (number == FROZEN_NUMBER)
    return frozen


def _prices(
    character: _Character, frozen: Flags, grid: _Grid, generator: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return open, high, low and close in ticks, and each minute's move in standard deviations."""
    minutes = grid.timestamp.size
    moves, gaps = generator.standard_normal((2, minutes))
    up, down = generator.standard_exponential((2, minutes))
    spread = character.volatility * grid.volatility
    # Between two minutes the price hardly jumps; between two sessions it does.
    jump = gaps * np.where(grid.is_first, VOLATILITY_OVERNIGHT, 0.1 * spread)
    moves[frozen] = jump[frozen] = up[frozen] = down[frozen] = 0.0
    step = moves * spread
    close_log = np.cumsum(jump + step)
    first_ticks = character.first_price * TICKS_PER_RUPEE
    closes = _ticks(first_ticks * np.exp(close_log))
    opens = _ticks(first_ticks * np.exp(close_log - step))
    highs = _ticks(np.maximum(opens, closes) * (1.0 + 0.4 * spread * up))
    lows = _ticks(np.minimum(opens, closes) * (1.0 - 0.4 * spread * down))
    return opens, highs, lows, closes, moves


def _ticks(price: Floats) -> Floats:
    """Round to whole ticks, never below `LOWEST_TICKS`: there a tick would be a large move."""
    return np.maximum(np.rint(price), LOWEST_TICKS)


def _volumes(
    character: _Character, moves: Floats, grid: _Grid, generator: np.random.Generator
) -> Floats:
    """Return the units traded, 1 or more, in whole numbers: larger moves trade more."""
    noise = np.exp(0.7 * generator.standard_normal(moves.size))
    units = character.volume_median * grid.volume * (0.6 + 0.5 * np.abs(moves)) * noise
    return np.maximum(np.rint(units), 1.0)


def _trading(
    character: _Character, frozen: Flags, grid: _Grid, generator: np.random.Generator
) -> tuple[Ints, Flags]:
    """Return the minutes that have a candle, and which of those candles are only fillers.

    A frozen minute always trades: a frozen day is a whole day.
    """
    luck, filler_luck = generator.random((2, frozen.size))
    is_there = (luck >= character.missing_rate * grid.missing) | frozen
    # Never nothing at all, and never a filler without a price before it.
    is_there[0] = True
    kept = np.flatnonzero(is_there)
    is_filler = (filler_luck[kept] < character.filler_rate) & ~frozen[kept]
    is_filler[0] = False
    return kept, is_filler


def _fill(values: Floats, is_filler: Flags) -> None:
    """Turn the candles of `is_filler` into ones of zero volume at the last traded price."""
    if not is_filler.any():
        return
    last_trade = np.maximum.accumulate(np.where(is_filler, 0, np.arange(is_filler.size)))
    values[:4, is_filler] = values[3, last_trade[is_filler]]
    values[4, is_filler] = 0.0


BARS_OF_ONE_CANDLE = """
from tallow import AnalyticsEngine
from tallow.data.simulate import one_candle
engine = AnalyticsEngine()
engine.process_candles(one_candle(engine.calendars), "5m", ())
"""
"""What another process runs, to compile what a run needs besides indicators."""


def one_candle(calendars: CalendarAssignment) -> pl.DataFrame:
    """Return a candle of an instrument that has a calendar, in a session of that."""
    name = calendars.some_instrument()
    calendar = calendars.calendars[calendars.indices([name])[0]]
    opens = int(calendar.sessions().segment_open[0])
    price = {name: [1.0] for name in ("open", "high", "low", "close", "volume")}
    time = pl.Series("timestamp", [opens]).cast(TIME_TYPE)
    return pl.DataFrame({"instrument": [name], "timestamp": time, **price})

"""The reference page of all indicators, written from their declarations: ``docs/indicators.md``.

``python -m tallow.serve.reference`` prints it; a test keeps the file equal to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from tallow.core.described import shifted
from tallow.core.limits import CHAIN_MAX
from tallow.core.operator import Convention, Indicator, Library, Value, Values
from tallow.core.registry import registry
from tallow.serve.other_names import LIBRARIES, NAMES

HEAD = """\
# Indicators

This page is derived from the declarations in `src/tallow/indicators/`. For one indicator, with all
it can do: `tallow indicators NAME`.

Rules for all of them:

- A value before its warm-up is null, never zero. *First row* counts from 0, by default values.
- `window`: a function of the last rows only; null while a missing row is among them.
  `recursive`: a missing row gives null on that row and leaves the state as it was.
  `cross`: a function of all instruments' rows whose bars open at one time, those without a value
  left out; all instruments of the input, the store or the live engine, whichever are asked for.
- A zero denominator gives null, unless *flat* says otherwise.
- The convention (`tradingview`, the default, or `talib`) only sets defaults; every parameter can be
  given, too: `atr(14, first_range=none)`.
- What takes exactly one of open, high, low, close and volume can be computed of another *source*:
  `sma(20, source=hl2)`, column `sma_20_of_hl2`. A source is one of these five, or any indicator:
  `hl2`, `hlc3` and `ohlc4` are indicators, too. `source=close` is the same as none for an
  indicator of the close.
- `beta` and `correlation` take a source as the second series, beside the close: another
  instrument's, `beta(security("NSE_INDEX|Nifty 50"), 20)`, or any other.
- A *chain* is an indicator of another one: `ema(rsi(14), 9)`, which is `ema(9, source=rsi(14))`,
  column `ema_9_of_rsi_14`. Of several outputs one is named: `sma(bollinger(20, 2)[upper], 5)`,
  column `sma_5_of_bb_upper_20_2`. A chain has at most {chain} indicators.
- Rows in which a chain's inner indicator has no value are skipped: the outer one does not see them,
  and has no value there, as Pine documents for its own functions. So its values begin after both
  warm-ups, and a gap is no part of its windows.
- A source may stand first, as in Pine: `ema(close, 9)`. What Pine orders otherwise is an error that
  says what to give: `stoch(close, high, low, 14)`, `supertrend(3, 10)` (the factor first),
  `ta.ema(close, 9)`.
- A volatility of a year (`realised_volatility`, `parkinson`, `garman_klass`, `rogers_satchell`,
  `yang_zhang`) takes a year to have as many rows as the calendar had in the twelve months before
  the row's session: holidays, extra and short sessions count as they were, and nothing is known too
  early. Without twelve months of its calendar a row has none; `rows_per_year=252` is another year.
- A convention has a row below only where a test compares the values with those of TA-Lib itself, or
  with values that TradingView published. The other defaults of `tradingview` follow its
  documentation.
"""


SHIFTED_HEAD = """\
Every value stands at the row at which it is known. Charts draw these elsewhere; joined there, what
is drawn earlier would look ahead. By default values:
"""


NAMES_HEAD = """\
What others call them; each first name is understood here, too, in small letters and without `ta.`:
`mom(10)` is `momentum(10)`. After the first, names of single outputs: TA-Lib's `LINEARREG_SLOPE` is
`linreg(14)[slope]`. Lengths and numbers are in the order in which they may be given by place;
how each smooths is in its formula above.
"""


PATTERNS_HEAD = """\
TA-Lib's functions, to the integer: 100 where a pattern occurs, -100 where it does on the lower
side, 0 where not, and null before TA-Lib has values. Frames have whole numbers of 8 bits, of 16 for
the two hikkake. All that are asked for together are computed in one pass; every average is summed
anew for its row. TA-Lib carries its sums on, which loses last digits: where a length is exactly an
average's, that alone may decide there, and the two differ.

A pattern says nothing of the trend by itself: `cdl_hammer > 0 and cdl_hammer[trend] < 0`. The
output `trend` is given to whoever names it:
{trend}.
Of hikkake it is that before the row's own last candles, also where it confirms an earlier form.

`patterns` gives the names of all that occur, separated by spaces, in three columns:
`patterns_bullish`, `patterns_bearish`, and `patterns_neutral` for those that TA-Lib calls neither
when they are considered alone:
{neutral}.
Where none occurs the text is empty; it is null before row 14.

In *forms*, a candle is long or short by the mean of the ten bodies before; a doji has at most a
tenth of the mean of the ten ranges before, below which a shadow is tiny; a long shadow is longer
than the body. Near, equal and far are 0.2, 0.05 and 0.6 of the mean of the five ranges before.
"""


def markdown() -> str:
    """Return the page."""
    every = list(registry().by_name.values())
    indicators = [each for each in every if not _is_pattern(each)]
    lines = [HEAD.format(chain=CHAIN_MAX), "## Overview", ""]
    lines += _table(
        ("spec", "other names", "source for", "columns", "memory", "formula", "reference"),
        map(_overview, indicators),
    )
    lines += ["", "## Defaults", ""]
    lines += _table(
        ("indicator", "defaults", "first row", "seed", "flat"),
        ((each.name, *_defaults(each, "tradingview"), each.seed, each.flat) for each in indicators),
    )
    lines += ["", "## Conventions compared", ""]
    lines += _table(
        ("indicator", "convention", "defaults", "first row"),
        (
            (each.name, convention, *_defaults(each, convention))
            for each in indicators
            for convention in each.compared
        ),
    )
    lines += ["", "## Shifted by charts", "", SHIFTED_HEAD]
    lines += _table(
        ("spec", "output", "charts draw it"),
        ((_spec(each, each.values((), {})), *row) for each in indicators for row in shifted(each)),
    )
    lines += ["", "## Names elsewhere", "", NAMES_HEAD]
    lines += _table(
        ("indicator", "values by place", *LIBRARIES.values()),
        ((f"`{each.name}`", _by_place(each), *_elsewhere(each)) for each in indicators),
    )
    lines += ["", "What they have and Tallow has not:", ""]
    lines += [f"- {LIBRARIES[each]}: {', '.join(missing(each)) or 'nothing'}" for each in LIBRARIES]
    patterns = [each for each in every if _is_pattern(each)]
    lines += ["", "## Candle patterns", "", _patterns_head(patterns[0])]
    lines += _table(
        ("spec", "TA-Lib", "title", "first row", "trend's", "forms"), map(_pattern, patterns)
    )
    return "\n".join(lines) + "\n"


def _is_pattern(indicator: Indicator) -> bool:
    """Say whether an indicator is one of a family, which has a table of its own."""
    return indicator.family is not None and bool(indicator.names)


def _patterns_head(pattern: Indicator) -> str:
    names = registry().find("patterns").outputs[-1].names
    neutral = ", ".join(f"`{name}`" for name in names)
    return PATTERNS_HEAD.format(trend=pattern.outputs[-1].description, neutral=neutral)


def _pattern(indicator: Indicator) -> tuple[str, ...]:
    values = indicator.values((), {})
    numbers = ", ".join(_value(value) for value in values.values())
    spec = f"`{indicator.name}({numbers})`" if numbers else f"`{indicator.name}`"
    rows = map(str, indicator.warmup(values))
    return spec, f"`{indicator.names['talib']}`", indicator.title, *rows, indicator.formula


def missing(library: Library) -> list[str]:
    """Return the names of a library's indicators that none of Tallow's has."""
    had = {name for each in registry().by_name.values() for name in _names(each, library)}
    return [f"`{name}`" for name in NAMES[library] if name not in had]


def _names(indicator: Indicator, library: Library) -> list[str]:
    return indicator.names.get(library, "").split()


def _elsewhere(indicator: Indicator) -> Iterable[str]:
    return (", ".join(f"`{name}`" for name in _names(indicator, each)) for each in LIBRARIES)


def _by_place(indicator: Indicator) -> str:
    """Return the values in their order, with the usual ones."""
    numbers = [each for each in indicator.parameters if not each.choices]
    return ", ".join(f"{each.name} {each.default}" for each in numbers)


def _overview(indicator: Indicator) -> tuple[str, ...]:
    values = indicator.values((), {})
    columns = ", ".join(f"`{name}`" for name in indicator.column_names(values, "tradingview"))
    names = ", ".join(f"`{alias}`" for alias in indicator.aliases)
    source = indicator.source_input(values) or ""
    described = columns, indicator.memory, indicator.formula, indicator.reference
    return _spec(indicator, values), names, source, *described


def _spec(indicator: Indicator, values: Values) -> str:
    column = indicator.outputs[0].column
    named = [p.name for p in indicator.parameters if f"{{{p.name}}}" in column]
    numbers = ", ".join(_value(values[name]) for name in named)
    return f"`{indicator.name}({numbers})`" if numbers else f"`{indicator.name}`"


def _value(value: Value) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def _defaults(indicator: Indicator, convention: Convention) -> tuple[str, str]:
    """Return the parameters of a convention, and the first row of each output."""
    values = indicator.values((), {}, convention)
    rows = ", ".join(
        f"{output.name} {row}"
        for output, row in zip(indicator.outputs, indicator.warmup(values), strict=True)
    )
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "none", rows


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


if __name__ == "__main__":
    sys.stdout.write(markdown())

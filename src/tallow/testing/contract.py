"""What Tallow relies on in every indicator, checked on one.

Each check runs an indicator in two ways that must agree, bit for bit, and says where they do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import numpy as np

from tallow.core.arrays import Floats
from tallow.core.operator import CROSS, OF_CALENDAR, PEER, SINCE, WINDOW, Indicator
from tallow.testing.bits import differing_bits
from tallow.testing.cases import UNWRITTEN, Case, ContractError, cases_of
from tallow.testing.histories import (
    Rows,
    flat,
    gaps,
    joined,
    part,
    ticking,
    uneven,
    walk,
    wild,
    with_gaps,
)

Column = list[float | None]
Textbook = Callable[..., Sequence[Column]]

RELATIVE: Final = 1e-9
ROUNDING: Final = 1e-12
"""Of the largest number that went in: what a sum of such numbers may lose."""

ANCHORS: Final = frozenset((*OF_CALENDAR, SINCE))
PIECES: Final = 12
"""Random ways to cut a history."""


def check_indicator(indicator: Indicator, textbook: Textbook | None = None) -> None:
    """Check that an indicator keeps the contract on which batch, live and corrections stand.

    With its default parameters and others that follow from its declaration, over candles that move,
    tick, stand still, jump and are missing.

    Parameters
    ----------
    indicator
        The declaration with its kernel, compiled or plain Python.
    textbook
        The same in plain Python, to compare the values with: called with the parameters' values by
        name, then one list per input, None where a value is missing; returns one such list per
        output.

    Raises
    ------
    ContractError
        At the first rule that does not hold.
    DeclarationError, ParameterError
        If the declaration contradicts itself.

    Examples
    --------
    >>> from tallow.indicators.rsi import INDICATOR
    >>> check_indicator(INDICATOR)
    """
    for case in cases_of(indicator):
        for check in checks_of(indicator):
            check(case)
        if textbook is not None:
            check_values(case, textbook)


def check_every_row_is_written(case: Case) -> None:
    """Every row of every output is written, and nothing but what was given decides what."""
    rows = uneven(case.rows)
    rule = (
        "two runs over the same rows must give the same; write every row on every call, NaN where "
        "there is no value, and remember nothing outside of state"
    )
    _require_equal(case, rule, case.run(rows), case.run(rows, unwritten=-UNWRITTEN))


def check_warmup(case: Case) -> None:
    """On rows without special cases: nulls for as long as declared, and values after them."""
    rows = walk(case.rows)
    waits = case.waits(rows)
    for output, column, declared in zip(
        case.indicator.outputs, case.run(rows), case.first_rows(rows), strict=True
    ):
        warmup = declared + int(np.argmin(np.append(waits[declared:], False)))
        there = np.flatnonzero(~np.isnan(column))
        # Some parameters make an output null for ever, as bands without width do.
        first = int(there[0]) if len(there) else warmup
        if first != warmup:
            _fail(
                case,
                f"{output.name}: warmup={warmup}; its first value comes at row {first} of candles "
                "that all have prices and volume; declare that many",
            )
        early = np.flatnonzero(waits & ~np.isnan(column))
        if len(early):
            _fail(case, f"{output.name}: has a value at row {early[0]}, in the minutes it waits")
        missing = np.flatnonzero((np.isnan(column) & ~waits)[warmup:]) + warmup
        if len(there) and len(missing):
            _fail(
                case,
                f"{output.name}: is null at row {missing[0]}, after its warm-up of {warmup}, of "
                "candles that all have prices and volume; give a value there",
            )


def check_pieces(case: Case) -> None:
    """A history at once, in pieces, and row by row gives the same."""
    rows, total = uneven(case.rows), case.rows
    whole, draw = case.run(rows), np.random.default_rng(17)
    rule = "rows that come in several calls must give what they give in one; keep it all in state"
    cuts = [sorted(draw.integers(0, total + 1, draw.integers(1, 9))) for _ in range(PIECES)]
    for inner in [*cuts, range(1, total)]:
        _require_equal(case, rule, case.run_pieces(rows, inner), whole)


def check_instruments_apart(case: Case) -> None:
    """Instruments of all sizes in one call give what each gives alone."""
    sizes = (300, 0, 1, case.rows, 17)
    histories = [part(uneven(case.rows, seed), 0, size) for seed, size in enumerate(sizes, 20)]
    bounds = np.cumsum([0, *sizes]).tolist()
    together = case.feed(case.start(len(sizes)), joined(histories), bounds)
    rule = "an instrument must not see another's rows or state; start anew at each of offsets"
    for history, a, b in zip(histories, bounds[:-1], bounds[1:], strict=True):
        _require_equal(case, rule, [column[a:b] for column in together], case.run(history))


def check_no_look_ahead(case: Case) -> None:
    """What comes later, even if absurd, changes no earlier value."""
    rows, total = uneven(case.rows), case.rows
    whole = case.run(rows)
    rule = "a later row must not change an earlier value; read no row after the one written"
    for now in (1, total // 3, total // 2, total - 1):
        for factor in (0.0, -1.0, 1e9, math.nan):
            future = {name: column * factor for name, column in part(rows, now).items()}
            changed = case.run(joined([part(rows, 0, now), future]))
            _require_equal(case, rule, [c[:now] for c in changed], [c[:now] for c in whole])


def check_snapshots(case: Case) -> None:
    """A state that was copied goes on, and a forming row leaves no trace once it is put back."""
    rows, total = uneven(case.rows), case.rows
    whole = case.run(rows)
    rule = "state must hold all that is remembered; a copy that is put back must go on from there"
    for now in (0, 1, total // 2, total - 1):
        state = case.start()
        case.feed(state, part(rows, 0, now))
        before = state.copy()
        row = part(rows, now, now + 1)
        for factor in (1.01, 0.5, math.nan):
            case.feed(state, {name: column * factor for name, column in row.items()})
            state[:] = before
        state.fill(UNWRITTEN)
        state = before.copy()
        _require_equal(
            case, rule, case.feed(state, part(rows, now)), [c[now:] for c in whole], first=now
        )


def check_windows_forget(case: Case) -> None:
    """A window's value needs its last rows only, and is null exactly while one is missing."""
    if case.indicator.memory != WINDOW:
        return
    rows = uneven(case.rows)
    whole = case.run(rows)
    rule = "memory=WINDOW needs no row before its warm-up; else declare RECURSIVE"
    for cut in (1, 100, 257):
        later = case.run(part(rows, cut))
        for column, full, warmup in zip(later, whole, case.warmup, strict=True):
            first = cut + warmup
            _require_equal(case, rule, [column[warmup:]], [full[first:]], first=first)
    rows, missing = walk(case.rows), gaps(case.rows)
    rule = "memory=WINDOW: a value must be null exactly while its window holds a missing row"
    for full, column, warmup in zip(
        case.run(rows), case.run(with_gaps(rows, missing)), case.warmup, strict=True
    ):
        last_rows = np.lib.stride_tricks.sliding_window_view(missing, warmup + 1)
        touched = np.concatenate([np.ones(warmup, dtype=np.bool_), last_rows.any(axis=1)])
        _require_equal(case, rule, [column], [np.where(touched, np.nan, full)])


def check_recursion_skips_missing_rows(case: Case) -> None:
    """A recursive indicator is null where any input is missing, and goes on as without the row."""
    if case.indicator.memory == WINDOW:
        return
    rows, missing = walk(case.rows), gaps(case.rows)
    without = case.run({name: column[~missing] for name, column in rows.items()})
    wanted = []
    for column in without:
        spread = np.full(case.rows, np.nan)
        spread[~missing] = column
        wanted.append(spread)
    rule = "memory=RECURSIVE: a row that lacks an input must be null and leave the state as it was"
    for names in [case.inputs, *((name,) for name in case.inputs)]:
        lacking = {n: np.where(missing, np.nan, c) if n in names else c for n, c in rows.items()}
        _require_equal(case, rule, case.run(lacking), wanted)


def check_order_of_instruments(case: Case) -> None:
    """The rows of a moment give the same in whatever order the instruments are."""
    rows = ticking(case.rows)
    whole, order = case.run(rows), np.random.default_rng(5).permutation(case.rows)
    other = case.run({name: column[order] for name, column in rows.items()})
    rule = "memory=CROSS: a value must not depend on the order of instruments; sort before adding"
    if PEER not in case.inputs:
        _require_equal(case, rule, other, [column[order] for column in whole])


def check_bounds(case: Case) -> None:
    """No value is infinite, or outside the declared bounds, on any candles."""
    zeros = flat(case.rows, price=0.0, volume=0.0)
    for rows in (wild(case.rows), ticking(case.rows), flat(case.rows), zeros):
        for output, column in zip(case.indicator.outputs, case.run(rows), strict=True):
            low, high = output.minimum - RELATIVE, output.maximum + RELATIVE
            wrong = np.flatnonzero(np.isinf(column) | (column < low) | (column > high))
            if len(wrong):
                _fail(
                    case,
                    f"{output.name}: {column[wrong[0]]:g} at row {wrong[0]}; must be finite and "
                    f"{output.minimum:g}..{output.maximum:g}; guard divisions, or declare bounds",
                )


CHECKS: Final[tuple[Callable[[Case], None], ...]] = (
    check_every_row_is_written,
    check_warmup,
    check_no_look_ahead,
    check_pieces,
    check_instruments_apart,
    check_snapshots,
    check_windows_forget,
    check_recursion_skips_missing_rows,
    check_bounds,
)

CROSS_CHECKS: Final[tuple[Callable[[Case], None], ...]] = (
    check_every_row_is_written,
    check_instruments_apart,
    check_order_of_instruments,
    check_bounds,
)
"""Those of what compares instruments: its rows are of one moment, and moments stand apart."""


def checks_of(indicator: Indicator) -> tuple[Callable[[Case], None], ...]:
    """Return the checks that an indicator's kind of memory asks for."""
    return CROSS_CHECKS if indicator.memory == CROSS else CHECKS


def check_values(case: Case, textbook: Textbook) -> None:
    """The values are the textbook's: null masks exactly, values to rounding."""
    for rows in (walk(case.rows), uneven(case.rows), ticking(case.rows)):
        given = [_as_list(rows[name]) for name in case.inputs]
        for output, column, want in zip(
            case.indicator.outputs, case.run(rows), textbook(case.values, *given), strict=True
        ):
            wanted = np.array([math.nan if x is None else x for x in want])
            # Shares and percentages are of a size of their own, whatever the prices.
            alone = output.unit in {"percent", "0..100", "ratio"}
            slack = ROUNDING * (100.0 if alone else _largest(case, rows))
            alike = np.isclose(column, wanted, RELATIVE, slack, equal_nan=True)
            if not alike.all():
                row = int(np.flatnonzero(~alike)[0])
                _fail(
                    case,
                    f"{output.name}: {column[row]:.17g} at row {row}; the textbook has "
                    f"{wanted[row]:.17g}",
                )


def _as_list(column: Floats) -> Column:
    return [None if x != x else x for x in column.tolist()]


def _largest(case: Case, rows: Rows) -> float:
    """Return the largest number among the inputs that are no periods."""
    names = set(case.inputs) - ANCHORS
    return max((float(np.nanmax(np.abs(rows[name]))) for name in names), default=1.0)


def _require_equal(
    case: Case, rule: str, found: Sequence[Floats], wanted: Sequence[Floats], first: int = 0
) -> None:
    """Raise `ContractError` unless columns have the same nulls, and else the same bits."""
    for output, a, b in zip(_names(case, len(found)), found, wanted, strict=True):
        differs = differing_bits(a, b)
        if differs.any():
            row = int(np.flatnonzero(differs)[0])
            _fail(case, f"{rule}; {output}: {a[row]:.17g} and {b[row]:.17g} at row {first + row}")


def _names(case: Case, count: int) -> Sequence[str]:
    names = [output.name for output in case.indicator.outputs]
    return names if count == len(names) else ["an output"] * count


def _fail(case: Case, text: str) -> NoReturn:
    raise ContractError(f"{case}: {text}")

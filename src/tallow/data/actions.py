"""Corporate actions: a table of splits, bonuses and dividends.

Each stands for a factor that the prices before its ex-date are multiplied by; `tallow.data.adjust`
does that.

- a split of `old` shares into `new` ones: ``old / new``; a face value cut from 10 to 2 makes five
  shares of one, ``new=5, old=1``, factor 0.2;
- a bonus of `new` shares for every `old` held, which are kept: ``old / (old + new)``; a bonus of
  1:1 has the factor 0.5;
- a dividend of `amount` per share held before the ex-date: ``1 - amount / c``, with the last raw
  close `c` before the ex-date's session;
- or any of them by its price `factor`, as it is published.

The same table may join a key to its history: a row of the kind ``join`` names the `predecessor`
where `instrument` goes on from the date; see `tallow.data.joins`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.errors import ActionError, near_matches
from tallow.core.limits import BLOCK_ROWS, CANDLE_YEAR_FIRST, CANDLE_YEAR_LAST, NAME_CHARACTERS_MAX
from tallow.data.reading.files import expand_paths, open_file
from tallow.data.reading.interchange import from_native
from tallow.data.reading.schema import CANDLE_SCHEMA, find_column, plain_name, require_apart

SHARE_KINDS = ("split", "bonus")
"""Kinds that change how many shares there are."""

KINDS = (*SHARE_KINDS, "dividend")

JOIN = "join"
"""The kind of a row that is not an action; see `tallow.data.joins`."""

TERMS = ("new", "old", "amount", "factor")

ACTION_SCHEMA: dict[str, pl.DataType] = {
    "instrument": pl.String(),
    "ex_date": pl.Date(),
    "kind": pl.String(),
    **dict.fromkeys(TERMS, pl.Float64()),
}
"""Columns of a table of actions, in order. An action has `new` and `old`, or an `amount`, or a
`factor`; its other terms are null."""

TERM_MIN, TERM_MAX = 1e-9, 1e9
"""What a term may be: far beyond any real one, and no product of them leaves float64."""

_PREDECESSOR = "predecessor"
_COLUMNS = (*ACTION_SCHEMA, _PREDECESSOR)

JOIN_SCHEMA: dict[str, pl.DataType] = {
    "instrument": pl.String(),
    "ex_date": pl.Date(),
    _PREDECESSOR: pl.String(),
}
"""Columns of a table of joins, in order."""

_KEY = ["instrument", "ex_date", "kind"]

EX_MIDNIGHT = pl.col("ex_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")

_IS_SPLIT, _IS_DIVIDEND = pl.col("kind") == "split", pl.col("kind") == "dividend"
_GIVEN = {term: pl.col(term).is_not_null() for term in TERMS}
_RATIO = _GIVEN["new"] & _GIVEN["old"] & ~_GIVEN["amount"] & ~_GIVEN["factor"] & ~_IS_DIVIDEND
_AMOUNT = _GIVEN["amount"] & ~_GIVEN["new"] & ~_GIVEN["old"] & ~_GIVEN["factor"] & _IS_DIVIDEND
_FACTOR = _GIVEN["factor"] & ~_GIVEN["new"] & ~_GIVEN["old"] & ~_GIVEN["amount"]

_DATED: tuple[tuple[str, pl.Expr], ...] = (
    ("instrument must be named; fill the column", pl.col("instrument").fill_null("") == ""),
    (
        f"a name must have at most {NAME_CHARACTERS_MAX:,} characters; check the column order",
        pl.any_horizontal(
            pl.col(name).str.len_chars() > NAME_CHARACTERS_MAX
            for name in ("instrument", _PREDECESSOR)
        ),
    ),
    ("ex_date must be a date; write it as 2025-06-02", pl.col("ex_date").is_null()),
    (
        f"ex_date must be of the years {CANDLE_YEAR_FIRST} to {CANDLE_YEAR_LAST}; correct it",
        ~pl.col("ex_date").dt.year().is_between(CANDLE_YEAR_FIRST, CANDLE_YEAR_LAST),
    ),
)

JOIN_RULES: tuple[tuple[str, pl.Expr], ...] = (
    *_DATED,
    (
        "a join needs the predecessor whose history the instrument goes on with; fill the column",
        pl.col(_PREDECESSOR).is_null(),
    ),
    (
        "a key cannot go on where it ended itself; name the key of before",
        pl.col(_PREDECESSOR) == pl.col("instrument"),
    ),
    (
        "a join has no other term than its predecessor; give an exchange as a split of that date",
        pl.any_horizontal(pl.col(term).is_not_null() for term in TERMS),
    ),
)
"""What every row of a join must keep, and how it is broken."""

RULES: tuple[tuple[str, pl.Expr], ...] = (
    *_DATED,
    (
        f"kind must be one of {', '.join((*KINDS, JOIN))}; correct it",
        ~pl.col("kind").is_in(KINDS).fill_null(False),
    ),
    (
        "new, old, amount and factor must be plain numbers; leave empty what does not apply",
        pl.col("unreadable"),
    ),
    (
        "a split or bonus needs new and old, a dividend its amount, or any a factor; no other term",
        ~(_RATIO | _AMOUNT | _FACTOR),
    ),
    (
        f"numbers must be from {TERM_MIN} to {TERM_MAX}; check the sign",
        pl.any_horizontal(~pl.col(term).is_between(TERM_MIN, TERM_MAX) for term in TERMS),
    ),
    (
        "a split must change the number of shares; a bonus of 1:1 is of the kind bonus",
        _IS_SPLIT & ((pl.col("new") == pl.col("old")) | (pl.col("factor") == 1)),
    ),
    (
        "the factor of a bonus or dividend must be below 1; it is what prices are multiplied by",
        ~_IS_SPLIT & (pl.col("factor") >= 1),
    ),
    (
        "only a join has a predecessor; write it as a row of its own, of the kind join",
        pl.col(_PREDECESSOR).is_not_null(),
    ),
)
"""What every row must keep, and how it is broken."""


def read_records(source: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read a table of corporate actions and joins.

    Parameters
    ----------
    source
        A path, a glob, a list of these, or a frame, of the kinds that `read_candles` takes. Columns
        are `instrument` (or one of its other names), `ex_date` (a date, or text such as
        ``2025-06-02``), `kind` (``split``, ``bonus``, ``dividend`` or ``join``) and, as far as they
        are needed, `new`, `old`, `amount`, `factor` and `predecessor`, as this module's page
        explains them. Others are ignored.

    Returns
    -------
    tuple[pl.DataFrame, pl.DataFrame]
        The actions: columns of `ACTION_SCHEMA`, sorted by instrument, date and kind, unique in
        them; rows that say the same, such as 10:2 and 5:1, are one. And the joins: columns of
        `JOIN_SCHEMA`, sorted by instrument and date, unique in them.

    Raises
    ------
    ActionError
        If a column is missing, a row breaks a rule, or two rows of one instrument, date and kind
        contradict each other. Actions are few and each changes years of prices, so none is
        quarantined: the table is refused as a whole.
    CandleInputError
        If the source cannot be opened.

    Examples
    --------
    >>> table = pl.DataFrame(
    ...     {
    ...         "symbol": ["A", "A", "META"],
    ...         "ex_date": ["2025-06-02", "2024-06-03", "2022-06-09"],
    ...         "kind": ["split", "dividend", "join"],
    ...         "new": [5, None, None],
    ...         "old": [1, None, None],
    ...         "amount": [None, 2.5, None],
    ...         "predecessor": [None, None, "FB"],
    ...     }
    ... )
    >>> actions, joins = read_records(table)
    >>> actions.select("kind", "new", "old", "amount", "factor").rows()
    [('dividend', None, None, 2.5, None), ('split', 5.0, 1.0, None, None)]
    >>> joins.rows()
    [('META', datetime.date(2022, 6, 9), 'FB')]
    """
    if isinstance(source, str | Path | list | tuple):
        raws = [open_file(path, BLOCK_ROWS) for path in expand_paths(source)]
        tables = [pl.concat([pl.DataFrame(schema=raw.schema), *raw.rows()]) for raw in raws]
        names = [raw.name for raw in raws]
    else:
        tables, names = [from_native(source)[0]], ["actions"]
    checked = pl.concat(map(_checked, tables, names))
    is_join = pl.col("kind") == JOIN
    actions = checked.filter(~is_join).select(*ACTION_SCHEMA)
    return _reconcile(actions), _reconcile_joins(checked.filter(is_join).select(*JOIN_SCHEMA))


def actions_to_rows(actions: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return actions as candle rows by kind, so that what keeps candles can keep them.

    The time is the ex-date's midnight in UTC: it depends on no calendar, which may learn more about
    its dates later. `open` and `close` are `new` and `old`, or twice the amount or the factor;
    `volume` says which: 0, 1 or 2. Every rule for candles holds.
    """
    first, second = (pl.coalesce(name, "amount", "factor") for name in ("new", "old"))
    which = pl.when(_GIVEN["new"]).then(0.0).when(_GIVEN["amount"]).then(1.0).otherwise(2.0)
    rows = actions.select(
        "kind",
        "instrument",
        timestamp=EX_MIDNIGHT,
        open=first,
        high=pl.max_horizontal(first, second),
        low=pl.min_horizontal(first, second),
        close=second,
        volume=which,
    )
    return {
        kind: own.select(pl.col(name).cast(dtype) for name, dtype in CANDLE_SCHEMA.items())
        for kind in KINDS
        if len(own := rows.filter(kind=kind))
    }


def actions_from_rows(rows: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the actions that `actions_to_rows` made rows of; further columns are ignored."""
    which = pl.col("volume")
    tables = [
        own.select(
            "instrument",
            pl.col("timestamp").dt.date().alias("ex_date"),
            pl.lit(kind).alias("kind"),
            pl.when(which == 0).then("open").alias("new"),
            pl.when(which == 0).then("close").alias("old"),
            pl.when(which == 1).then("open").alias("amount"),
            pl.when(which == 2).then("open").alias("factor"),
        )
        for kind, own in rows.items()
    ]
    return pl.concat([pl.DataFrame(schema=ACTION_SCHEMA), *tables]).sort(_KEY)


def _checked(table: pl.DataFrame, where: str) -> pl.DataFrame:
    """Return the actions of one source, of which every row keeps the rules."""
    texts = _columns(table, where)
    numbers = [pl.col(term).cast(pl.Float64, strict=False) for term in TERMS]
    unreadable = pl.any_horizontal(
        number.is_null() & pl.col(term).is_not_null()
        for number, term in zip(numbers, TERMS, strict=True)
    )
    # A library without dates has midnights.
    day = pl.col("ex_date").str.replace(r"[T ]00:00:00(\.0+)?$", "")
    dates = day.str.to_date("%Y-%m-%d", strict=False)
    kinds = pl.col("kind").str.to_lowercase()
    actions = texts.with_columns(dates, kinds, *numbers, unreadable=unreadable)
    for place in actions.select(pl.arg_where(_first_broken().is_not_null()).head(1)).to_series():
        rows = ", ".join(f"{k}={v}" for k, v in texts.row(place, named=True).items() if v)
        rule = actions[place].select(_first_broken()).item()
        raise ActionError(f"{where}: row={place + 1}, {rows}; {rule}")
    return actions.select(*_COLUMNS)


def _first_broken() -> pl.Expr:
    joins, others = (
        pl.coalesce(pl.when(broken).then(pl.lit(rule)) for rule, broken in rules)
        for rules in (JOIN_RULES, RULES)
    )
    return pl.when((pl.col("kind") == JOIN).fill_null(False)).then(joins).otherwise(others)


def _columns(table: pl.DataFrame, where: str) -> pl.DataFrame:
    """Return the columns of a record as text without blanks, null where there is none."""
    by_name = {plain_name(column): column for column in reversed(table.columns)}
    found = {name: by_name.get(plain_name(name)) for name in _COLUMNS}
    found["instrument"] = find_column("instrument", table.columns)
    missing = [name for name in _KEY if found[name] is None]
    if missing:
        hint = near_matches(missing[0], table.columns) if table.columns else "is it empty?"
        raise ActionError(
            f"{where}: columns missing: {', '.join(missing)}; a table of actions needs instrument, "
            f"ex_date, kind, and new with old, amount or factor; {hint}"
        )
    require_apart(table.columns, found.values(), where, ActionError)
    texts = table.select(
        pl.lit(None, pl.String).alias(name)
        if column is None
        else pl.col(column).cast(pl.String).str.strip_chars().alias(name)
        for name, column in found.items()
    )
    return texts.select(pl.when(pl.all() != "").then(pl.all()))


def _reconcile(actions: pl.DataFrame) -> pl.DataFrame:
    """Sort, and collapse rows that say the same; `ActionError` if two of one key differ."""
    old, new = pl.col("old"), pl.col("new")
    says = pl.coalesce(pl.when(_IS_SPLIT).then(old / new).otherwise(old / (old + new)), "factor")
    rows = actions.with_columns(says=says).sort(*_KEY, *TERMS, nulls_last=True)
    several = pl.struct("says", "amount").n_unique().over(_KEY) > 1
    for row in rows.filter(several).head(1).iter_rows(named=True):
        raise ActionError(
            f"actions: instrument={row['instrument']!r}, ex_date={row['ex_date']}, "
            f"kind={row['kind']}; rows contradict each other; keep the right one, and give two "
            "dividends of one date as their sum"
        )
    return rows.unique(_KEY, keep="first", maintain_order=True).drop("says")


def _reconcile_joins(joins: pl.DataFrame) -> pl.DataFrame:
    """Sort, and collapse rows that say the same.

    `ActionError` if a key has two predecessors on one date.
    """
    rows = joins.unique().sort(*JOIN_SCHEMA)
    key = ["instrument", "ex_date"]
    for name, day, predecessor in rows.filter(rows.select(key).is_duplicated()).head(1).iter_rows():
        raise ActionError(
            f"actions: instrument={name!r}, ex_date={day}, kind={JOIN!r}, "
            f"predecessor={predecessor!r}; a key goes on where one other ended; keep the right row"
        )
    return rows

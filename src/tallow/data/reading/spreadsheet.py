"""Text in CSV files that a spreadsheet would take for a formula: marked, and read back as it was.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-``, ``@`` or a control character. Such
a cell gets an apostrophe before it, as a person would write it there; one that has apostrophes
before such a sign gets one more, so that each text has one form and reads back exactly. Numbers
stay as they are.
"""

from __future__ import annotations

import polars as pl

_FORMULA = r"^'*[=+\-@\t\r\n]"
_MARKED = r"^'+[=+\-@\t\r\n]"
_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"


def mark_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose texts are safe in a spreadsheet."""
    found = [
        name
        for name, kind in frame.schema.items()
        if kind == pl.String and frame[name].str.contains(_FORMULA).any()
    ]
    return (
        frame.with_columns(_marked(pl.col(name)).alias(name) for name in found) if found else frame
    )


def _marked(text: pl.Expr) -> pl.Expr:
    is_formula = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    return pl.when(is_formula).then(pl.concat_str(pl.lit("'"), text)).otherwise(text)


def unmark_formulas(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Return a frame that was read from a CSV file with columns of text as they were.

    Examples
    --------
    >>> rows = pl.DataFrame({"instrument": ["@ES", "-1.5", "it's"]})
    >>> mark_formulas(rows)["instrument"].to_list()
    ["'@ES", '-1.5', "it's"]
    >>> unmark_formulas(mark_formulas(rows), "instrument").equals(rows)
    True
    """
    marked = [name for name in columns if frame[name].str.starts_with("'").any()]
    return frame.with_columns(_unmarked(pl.col(name)) for name in marked)


def _unmarked(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.contains(_MARKED)).then(text.str.slice(1)).otherwise(text)

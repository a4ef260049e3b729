"""Universes and joins: who goes on from a key was a member when that key was."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from tallow.core.calendars import Calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.calendars.table import date_list
from tallow.data.coverage.days import session_dates
from tallow.data.joins import JoinedHistories, Piece
from tallow.data.universe import Universe


def with_joins(
    universe: Universe, joined: JoinedHistories, calendars: CalendarAssignment
) -> Universe:
    """Return a universe in which an instrument is a member when a key that it goes on from was."""
    own = [
        (piece, name)
        for name, pieces in joined.pieces.items()
        for piece in pieces[:-1]
        if piece.key in universe.instruments
    ]
    if not own:
        return universe
    place = calendars.indices([name for _, name in own]).tolist()
    parts = [
        _as_successor(universe.table, piece, calendars.calendars[at], name)
        for (piece, name), at in zip(own, place, strict=True)
    ]
    found = Universe.of(universe.name, pl.concat([universe.table, *parts]))
    return Universe(universe.name, found.table, universe.notes)


def _as_successor(table: pl.DataFrame, piece: Piece, calendar: Calendar, name: str) -> pl.DataFrame:
    """Return the rows of a key under another name, as far as that one goes on from the key."""
    first, after = (
        None if each is None else date_list(session_dates(calendar, np.array([each])))[0]
        for each in (piece.start, piece.end)
    )
    last = None if after is None else after - timedelta(days=1)
    rows = table.filter(pl.col("instrument") == piece.key).with_columns(
        pl.lit(name).alias("instrument"),
        pl.max_horizontal("from", pl.lit(first, pl.Date)).alias("from"),
        pl.min_horizontal("to", pl.lit(last, pl.Date)).alias("to"),
    )
    return rows.filter((pl.col("from") <= pl.col("to")).fill_null(value=True))

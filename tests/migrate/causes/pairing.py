"""Two answers as pairs of series: a full join by time, written for these tests alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from tallow.migrate.pairs import SeriesPair

NO_SERIES = {"instrument", "timestamp", "candles", "is_final", "open_interest"}


def pairs(control: pl.DataFrame, candidate: pl.DataFrame) -> Iterator[SeriesPair]:
    """Yield every series of every instrument that both sides have."""
    names = [n for n in control.columns if n in candidate.columns and n not in NO_SERIES]
    for (instrument,), one in control.group_by("instrument", maintain_order=True):
        other = candidate.filter(pl.col("instrument") == instrument)
        joined = one.join(other, on="timestamp", how="full", coalesce=True, suffix="_2")
        joined = joined.sort("timestamp")
        for name in names:
            yield SeriesPair(
                instrument=str(instrument),
                series=name,
                timestamp=joined["timestamp"].to_physical().to_numpy(),
                control=joined[name].cast(pl.Float64).fill_null(np.nan).to_numpy(),
                candidate=joined[f"{name}_2"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
                in_control=joined["instrument"].is_not_null().to_numpy(),
                in_candidate=joined["instrument_2"].is_not_null().to_numpy(),
            )

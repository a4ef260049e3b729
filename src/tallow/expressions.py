"""``pl.col("close").tallow.ema(9).over("instrument")``: indicators as Polars expressions."""

from __future__ import annotations

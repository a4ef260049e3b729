"""Asks the function that is checked."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from tallow.core.errors import LeakCheckError, TallowError, TallowWarning
from tallow.core.text import counted
from tallow.data.reading.interchange import to_native
from tallow.testing.leaks.answers import read_answer

Compute = Callable[[Any], Any]
"""Takes a frame of candles, returns rows."""


@dataclass(frozen=True)
class CheckedFunction:
    """The function that is checked, which takes frames of the library `native`."""

    compute: Compute
    native: str

    def __call__(self, candles: pl.DataFrame) -> pl.DataFrame:
        """Return its rows of some candles; what it warns of was said when it was given all."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TallowWarning)
            return self.aloud(candles)

    def aloud(self, candles: pl.DataFrame) -> pl.DataFrame:
        """Return its rows of some candles; `LeakCheckError` if it fails."""
        try:
            answer = self.compute(to_native(candles, self.native))
        except TallowError:
            raise
        # It may fail in any way.
        except Exception as error:
            raise LeakCheckError(
                f"leak check: the function raised {type(error).__name__}: {error}; it was given "
                f"{counted(len(candles), 'candle')}, until {candles['timestamp'].max()!r}; must "
                "answer histories of any length, without a value where they are too short"
            ) from error
        return read_answer(answer, candles)

"""What tests of indicators share: running a kernel, and comparing columns bit by bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tallow.core.kernel import read_only
from tallow.core.operator import Convention, Indicator, Value
from tallow.core.registry import registry
from tallow.core.spec import parse_specs

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = Mapping[str, Floats]
"""Input columns by name, equally long; NaN where a value is missing."""


def part(rows: Rows, start: int, stop: int | None = None) -> Rows:
    """Return rows ``start:stop`` of every column."""
    return {name: column[start:stop] for name, column in rows.items()}


def joined(pieces: Sequence[Rows]) -> Rows:
    """Return the pieces one after the other."""
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def length(rows: Rows) -> int:
    return len(next(iter(rows.values())))


def assert_same_bits(left: Sequence[Floats], right: Sequence[Floats]) -> None:
    """Assert the law of the design: the same null mask, and equal int64 views of other values."""
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b), "null masks differ")
        there = ~np.isnan(a)
        np.testing.assert_array_equal(a[there].view(np.int64), b[there].view(np.int64))


@dataclass(frozen=True)
class Case:
    """An indicator with parameter values: what every check of the contract runs on."""

    indicator: Indicator
    values: Mapping[str, Value]
    convention: Convention

    def __str__(self) -> str:
        """Return the spec, as it names the case in pytest's output."""
        return f"{self.spec}-{self.convention}"

    @property
    def spec(self) -> str:
        inner = ", ".join(f"{name}={value}" for name, value in self.values.items())
        return f"{self.indicator.name}({inner})"

    @property
    def warmup(self) -> tuple[int, ...]:
        return self.indicator.warmup(self.values)

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.indicator.input_names(self.values)

    def start(self, instruments: int = 1) -> Floats:
        """Return the state before any row."""
        return self.indicator.new_state(self.values, instruments)

    def feed(self, state: Floats, rows: Rows, offsets: Sequence[int] | None = None) -> list[Floats]:
        """Advance `state` over the next rows and return their outputs.

        `offsets` part the rows among several instruments. Outputs start as 777, so that a row which
        the kernel forgets is no null.
        """
        columns = [read_only(rows[name]) for name in self.inputs]
        outputs = [np.full(length(rows), 777.0) for _ in self.indicator.outputs]
        bounds = np.array([0, length(rows)] if offsets is None else offsets, dtype=np.int64)
        parameters = self.indicator.kernel_parameters(self.values)
        self.indicator.kernel(self.values)(state, parameters, bounds, *columns, *outputs)
        return outputs

    def run(self, rows: Rows) -> list[Floats]:
        """Return the outputs of a whole history at once."""
        return self.feed(self.start(), rows)

    def run_pieces(self, pieces: Sequence[Rows]) -> list[Floats]:
        """Return the outputs of a history that comes piece by piece."""
        state = self.start()
        fed = [self.feed(state, piece) for piece in pieces]
        return [np.concatenate(column) for column in zip(*fed, strict=True)]


def case(spec: str, convention: Convention = "tradingview") -> Case:
    """Return the case of a spec's text."""
    (parsed,) = parse_specs(spec, convention)
    return Case(parsed.indicator, dict(parsed.values), convention)


def outputs(spec: str, rows: Rows, convention: Convention = "tradingview") -> dict[str, Floats]:
    """Return a spec's outputs by name, for a whole history at once."""
    made = case(spec, convention)
    names = [output.name for output in made.indicator.outputs]
    return dict(zip(names, made.run(rows), strict=True))


def all_indicators() -> dict[str, Indicator]:
    """Return every indicator that discovery finds."""
    return registry().by_name

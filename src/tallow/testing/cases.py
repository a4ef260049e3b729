"""An indicator with parameter values, run over columns as every part of Tallow runs it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.errors import ParameterError, TallowError
from tallow.core.kernel import read_only
from tallow.core.operator import MINUTE, PEER, WINDOW, Convention, Indicator, Parameter, Value
from tallow.testing.histories import WALK_ROWS, Rows, length

LONG_ROWS: Final = 1_600
"""More than two stretches of 768 rows, which is what window kernels work on at a time, and more
than the longest warm-up of the cases."""

UNWRITTEN: Final = 777.0
"""What outputs hold before: a row that a kernel forgets is no null."""


class ContractError(TallowError, AssertionError):
    """An indicator breaks the contract: which rule, with which parameters, at which row."""


@dataclass(frozen=True)
class Case:
    """An indicator with parameter values: what every check of the contract runs on."""

    indicator: Indicator
    values: Mapping[str, Value]
    convention: Convention = "tradingview"

    def __str__(self) -> str:
        """Return the spec, and a convention that is not the usual one."""
        return self.spec if self.convention == "tradingview" else f"{self.spec} ({self.convention})"

    @property
    def spec(self) -> str:
        """The text that asks for it."""
        inner = ", ".join(f"{name}={value}" for name, value in self.values.items())
        return f"{self.indicator.name}({inner})" if inner else self.indicator.name

    @property
    def warmup(self) -> tuple[int, ...]:
        """Leading rows without a value, per output."""
        return self.indicator.warmup(self.values)

    def first_rows(self, rows: Rows) -> tuple[int, ...]:
        """Return at which row each output's values begin: warm-ups may wait for a second period."""
        period = self.indicator.period_before
        if period is None:
            return self.warmup
        numbers = rows[period.format(**self.values)]
        later = np.flatnonzero(numbers != numbers[0])
        start = int(later[0]) if len(later) else len(numbers)
        return tuple(start + warmup for warmup in self.warmup)

    def waits(self, rows: Rows) -> Flags:
        """Say which rows open so early in their session that they have no value yet."""
        if self.indicator.waits is None:
            return np.zeros(length(rows), dtype=np.bool_)
        early: Flags = rows[MINUTE] < float(self.values[self.indicator.waits])
        return early

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the columns that the kernel is given."""
        return self.indicator.input_names(self.values)

    @property
    def rows(self) -> int:
        """How many rows show its values well after its warm-up."""
        longest = max(self.warmup)
        is_short = self.indicator.memory != WINDOW and longest <= WALK_ROWS // 3
        return WALK_ROWS if is_short else max(LONG_ROWS, 4 * longest)

    def start(self, instruments: int = 1) -> Floats:
        """Return the state before any row."""
        return self.indicator.new_state(self.values, instruments)

    def feed(
        self,
        state: Floats,
        rows: Rows,
        offsets: Sequence[int] | None = None,
        unwritten: float = UNWRITTEN,
    ) -> list[Floats]:
        """Advance `state` over the next rows and return their outputs.

        `offsets` part the rows among several instruments, or moments, of which each begins with
        the row of the peer; outputs start as `unwritten`.

        Raises
        ------
        ContractError
            If the kernel raises.
        """
        bounds = np.array([0, length(rows)] if offsets is None else offsets, dtype=np.int64)
        columns = self._columns(rows, bounds)
        outputs = [np.full(length(rows), unwritten) for _ in self.indicator.outputs]
        self._advance(state, self._parameters(), bounds, [*columns, *outputs])
        return outputs

    def _columns(self, rows: Rows, bounds: Ints) -> list[Floats]:
        peer = np.zeros(length(rows))
        peer[bounds[bounds < len(peer)]] = 1.0
        return [read_only(peer if name == PEER else rows[name]) for name in self.inputs]

    def _parameters(self) -> Floats:
        return self.indicator.kernel_parameters(self.values)

    def _advance(
        self, state: Floats, parameters: Floats, bounds: Ints, columns: Sequence[Floats]
    ) -> None:
        try:
            self.indicator.kernel(self.values)(state, parameters, bounds, *columns)
        except Exception as error:
            raise ContractError(f"{self}: raises {type(error).__name__}: {error}") from error

    def run(self, rows: Rows, unwritten: float = UNWRITTEN) -> list[Floats]:
        """Return the outputs of a whole history at once."""
        return self.feed(self.start(), rows, None, unwritten)

    def run_pieces(self, rows: Rows, cuts: Sequence[int]) -> list[Floats]:
        """Return the outputs of a history that comes piece by piece: `cuts` are where each ends."""
        state, parameters = self.start(), self._parameters()
        outputs = [np.full(length(rows), UNWRITTEN) for _ in self.indicator.outputs]
        bounds = [0, *cuts, length(rows)]
        columns = [*self._columns(rows, np.array(bounds)), *outputs]
        for start, end in pairwise(bounds):
            piece = [column[start:end] for column in columns]
            self._advance(state, parameters, np.array([0, end - start]), piece)
        return outputs


def _smallest(parameter: Parameter, _: int) -> Value:
    if parameter.choices:
        return parameter.choices[0]
    if math.isinf(parameter.minimum) or parameter.is_text:
        return parameter.default
    return type(parameter.default)(parameter.minimum)


def _odd(parameter: Parameter, place: int) -> Value:
    """Return odd lengths that grow from one parameter to the next, as macd wants them."""
    if parameter.choices:
        return parameter.choices[-1]
    if parameter.is_text:
        return parameter.default
    return _within(parameter, 7 + 6 * place if isinstance(parameter.default, int) else 2.5)


def _long(parameter: Parameter, place: int) -> Value:
    if isinstance(parameter.default, int):
        return _within(parameter, 300 + 13 * place)
    return parameter.default


def _within(parameter: Parameter, value: float) -> Value:
    return type(parameter.default)(min(max(value, parameter.minimum), parameter.maximum))


_SETS: Final[tuple[tuple[Convention, Callable[[Parameter, int], Value] | None], ...]] = (
    ("tradingview", None),
    ("tradingview", _smallest),
    ("tradingview", _odd),
    ("tradingview", _long),
    ("talib", None),
    ("talib", _odd),
)


def cases_of(indicator: Indicator) -> list[Case]:
    """Return cases that follow from a declaration.

    Its defaults, its smallest values, odd ones with the last of every choice, windows longer than
    the stretches that kernels work in, and the presets of conventions; without those that its own
    `check` refuses.
    """
    found: dict[str, Case] = {}
    for convention, choose in _SETS:
        preset = indicator.presets.get(convention, {})
        named: dict[str, Value] = {}
        for place, parameter in enumerate(indicator.parameters):
            # A preset's words stay as they are: they are what makes it one.
            if choose is not None and parameter.name not in preset:
                named[parameter.name] = choose(parameter, place)
        try:
            values = indicator.values((), named, convention)
        except ParameterError:
            if choose is None:
                raise
            continue
        case = Case(indicator, values, convention)
        found.setdefault(case.spec, case)
    return list(found.values())

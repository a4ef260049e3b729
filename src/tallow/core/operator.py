"""What an indicator is: one declaration, from which help, plans, names and tests are derived."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np

from tallow.core.arrays import Floats
from tallow.core.errors import DeclarationError, ParameterError, near_matches, shorten
from tallow.core.limits import NAME_CHARACTERS_MAX
from tallow.core.text import counted, in_a_name

Value = int | float | str
Values = Mapping[str, Value]
Convention = Literal["tradingview", "talib"]
Memory = Literal["window", "recursive", "cross"]
Library = Literal["talib", "pine", "pandas_ta"]

CONVENTIONS: tuple[Convention, ...] = ("tradingview", "talib")
WINDOW: Memory = "window"
RECURSIVE: Memory = "recursive"
CROSS: Memory = "cross"
PERIODS, YEAR_ROWS, MINUTE = ("session", "week", "month"), "year_rows", "minute"
OF_CALENDAR = (*PERIODS, YEAR_ROWS, MINUTE)
PEER = "peer"
SINCE = "since"
COLUMNS = ("open", "high", "low", "close", "volume")
INPUTS = (*COLUMNS, *OF_CALENDAR, SINCE, PEER)
"""What a kernel can ask for. Periods number the session, week and month of each row; `YEAR_ROWS` is
how many rows of its timeframe the calendar had in the twelve months before its session; `MINUTE` is
how many minutes after its session's start it opens, negative before that; `SINCE` is 1 from the
parameter `moment` on, and NaN before it; `PEER` is 1 in rows of the instrument that the parameter
`instrument` names, else 0: for `CROSS` alone."""

MEANS = ("hl2", "hlc3", "ohlc4")
"""Indicators that are the mean of a row's prices: they have a value on every row."""


@dataclass(frozen=True)
class Parameter:
    """One parameter: a whole or decimal number in a range; by `choices` a word; or a text."""

    name: str
    default: Value
    description: str
    minimum: float = -math.inf
    maximum: float = math.inf
    choices: tuple[str, ...] = ()
    is_text: bool = False

    @property
    def rule(self) -> str:
        """The accepted values, as an error message says them."""
        if self.is_text:
            return f"a text of 1..{NAME_CHARACTERS_MAX:,} characters"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return f"{self.minimum:g}..{self.maximum:g}"

    def check(self, owner: str, value: object) -> Value:
        """Return `value` in the parameter's own type.

        `ParameterError` if it has another type or lies outside the declared range.
        """
        wrong = ParameterError(f"{owner}: {self.name}={shorten(value)}; must be {self.rule}")
        if self.is_text:
            if isinstance(value, bool) or not 1 <= len(str(value)) <= NAME_CHARACTERS_MAX:
                raise wrong
            return str(value)
        if self.choices:
            if value not in self.choices:
                raise wrong
            return str(value)
        if isinstance(value, np.integer):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong
        # Infinity is in the range of a parameter without a limit; no float is larger.
        most = sys.float_info.max
        if not (max(self.minimum, -most) <= value <= min(self.maximum, most)):
            raise wrong
        if isinstance(self.default, int):
            if value != int(value):
                raise ParameterError(f"{owner}: {self.name}={value}; must be a whole number")
            return int(value)
        return float(value)

    def as_number(self, value: Value) -> float:
        """Return `value` as a kernel sees it: a word is its place among the choices, a text NaN."""
        if self.is_text:
            return math.nan
        return float(self.choices.index(str(value)) if self.choices else value)


Kind = Literal["float64", "int8", "int16", "names"]


@dataclass(frozen=True)
class Output:
    """One output column. `column` is a template over the parameters, such as ``ema_{length}``.

    Attributes
    ----------
    unit
        ``price`` is a level, which charts draw over the candles; ``price difference`` is a distance
        between prices. ``units`` of volume alone is a level of volume.
    is_integer
        Frames have whole numbers of 8 bits, or of 16 where its bounds need them. Arrays have
        float64, as of every output; and kernels, where there is no `advance_small`.
    names
        Frames have a text: the names whose bits are set in the number, by their places, separated
        by spaces; empty where there is none.
    on_request
        It is given only to whoever names it: ``cdl_hammer[trend]``.
    at_extreme
        Its value is an earlier row's high or low, at which charts draw it. Of one indicator, the
        changes of the first one are the corners of a line, and the newest value of the next its
        end; both are where the output ``direction`` says: highs below 0, for the next above it.
    packed
        In which column of its family's kernel it lies, and the parameters of what unpacks it; none
        where the column is the output.
    """

    name: str
    column: str
    unit: str
    description: str
    minimum: float = -math.inf
    maximum: float = math.inf
    is_integer: bool = False
    names: tuple[str, ...] = ()
    on_request: bool = False
    at_extreme: bool = False
    packed: tuple[str, tuple[float, ...]] | None = None

    @property
    def kind(self) -> Kind:
        """What frames have in its column."""
        if self.names:
            return "names"
        if not self.is_integer:
            return "float64"
        return "int8" if max(-self.minimum, self.maximum) < 1 << 7 else "int16"


SHORT_WINDOW = 32
"""Longest window that is added up row by row: measured, halves win from about 40 rows on."""

Kernel = Callable[..., None]
"""``advance(state, params, offsets, *inputs, *outputs)``.

``state`` is float64 ``[instruments, state_size]``, changed in place; ``params`` float64 in the
order of declaration; rows ``offsets[i]:offsets[i + 1]`` of every input and output (float64, 1-D)
belong to instrument ``i``; of `CROSS`, to moment ``i``, in no order that a value may depend on.
"""


@dataclass(frozen=True, eq=False)
class Family:
    """Indicators that are computed together, as all of them measure the same of each row.

    Attributes
    ----------
    indicator
        What a plan computes for all members it has; nobody sees its outputs, in which those of
        members are packed.
    parameters
        From what is asked of members - each with its values and the names of its outputs - to
        values of that; None where they cannot be computed together.
    """

    indicator: Indicator
    parameters: Callable[[Sequence[Asked]], Values | None]


@dataclass(frozen=True, eq=False)
class Indicator:
    """An indicator's whole declaration.

    Attributes
    ----------
    memory
        `WINDOW`: a pure function of the last rows. `RECURSIVE`: needs its state, or a replay from
        the instrument's first row. `CROSS`: a pure function of all instruments' rows at one moment.
    warmup
        From parameters to the number of leading null rows of each output.
    state_size
        From parameters to the number of float64 in one instrument's state. A new state is NaN
        throughout for `WINDOW` (the rows before the first are missing), else zero.
    inputs
        Names of `INPUTS`; ``"{anchor}"`` stands for the value of the parameter ``anchor``.
    presets
        Per convention, the defaults that differ from those of ``tradingview``.
    compared
        Conventions under which a test compares the values with those of who it is named after.
    advance_long
        Replaces `advance` where the first parameter, a length, exceeds `SHORT_WINDOW`.
    advance_small
        Does as `advance` into an output of int8, with `SMALL_NULL`, where that is what frames have.
    version
        Raised whenever a value changes: part of every cache key and snapshot.
    aliases
        Other usual names, which specs may say; columns keep the name's own templates.
    names
        Names in other libraries; after the first, those of single outputs: ``ADX PLUS_DI``.
    source
        The input in whose place another source may stand, where there are several columns.
    period_before
        The period of `inputs` of whose one before values are, as ``"{anchor}"``: they begin with
        the second one, and warm-ups count from there.
    shift
        From parameters to by how many rows charts draw each output later than the row at which it
        is known; negative: earlier, where it was not known yet.
    waits
        The parameter that says how many minutes of a session, in whole bars, have no value yet.
    order
        What is wrong with values that are given by their places: in the order of another language
        they would make other numbers, without anybody noticing.
    family
        What makes its numbers, if it is one of several that are computed together: `advance` only
        unpacks one output of that.
    """

    name: str
    title: str
    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]
    parameters: tuple[Parameter, ...]
    memory: Memory
    warmup: Callable[[Values], tuple[int, ...]]
    state_size: Callable[[Values], int]
    advance: Kernel
    formula: str
    reference: str
    flat: str = "no special case"
    seed: str = "none"
    version: int = 1
    advance_long: Kernel | None = None
    advance_small: Kernel | None = None
    check: Callable[[Values], str | None] | None = None
    presets: Mapping[str, Values] = field(default_factory=lambda: MappingProxyType({}))
    compared: tuple[Convention, ...] = ()
    aliases: tuple[str, ...] = ()
    names: Mapping[Library, str] = field(default_factory=lambda: MappingProxyType({}))
    source: str = ""
    period_before: str | None = None
    shift: Callable[[Values], tuple[int, ...]] | None = None
    order: Callable[[Sequence[Value]], str | None] | None = None
    family: Family | None = None
    waits: str | None = None

    def __post_init__(self) -> None:
        """Refuse a declaration that contradicts itself, at import and not at first use."""
        for name in (self.name, *self.aliases):
            if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or name == "default":
                raise DeclarationError(
                    f"indicator: name={name!r}; must be lower-case letters, digits and "
                    "underscores, and not default; specs are read that way"
                )
        for convention, preset in self.presets.items():
            unknown = set(preset) - {parameter.name for parameter in self.parameters}
            if convention not in CONVENTIONS or unknown:
                raise DeclarationError(f"{self.name}: preset {convention}: unknown {unknown or ''}")
        if len({output.name for output in self.outputs}) != len(self.outputs) or not self.outputs:
            raise DeclarationError(f"{self.name}: outputs must exist and have names of their own")
        for convention in CONVENTIONS:
            self._check_defaults(convention)
        self._check_cross()

    def _check_defaults(self, convention: Convention) -> None:
        values = self.values((), {}, convention)
        try:
            columns = self.column_names(values, convention)
            unknown = set(self.input_names(values)) - set(INPUTS)
        except (KeyError, IndexError) as error:
            raise DeclarationError(
                f"{self.name}: a template names no parameter: {error}"
            ) from error
        if unknown:
            raise DeclarationError(f"{self.name}: unknown inputs {sorted(unknown)}")
        if self.source and self.source not in self.inputs:
            raise DeclarationError(
                f"{self.name}: source {self.source!r}; must be one of its inputs"
            )
        if len(set(columns)) != len(columns):
            raise DeclarationError(f"{self.name}: columns {columns}; must differ")
        if len(self.warmup(values)) != len(self.outputs):
            raise DeclarationError(f"{self.name}: warmup must give one number per output")
        if self.period_before not in (None, *self.inputs):
            raise DeclarationError(f"{self.name}: period_before={self.period_before}; no input")
        if self.shift and len(self.shift(values)) != len(self.outputs):
            raise DeclarationError(f"{self.name}: shift must give one number per output")

    def _check_cross(self) -> None:
        """Refuse what could not be computed of the rows of one moment."""
        values = self.values((), {})
        inputs, is_cross = self.input_names(values), self.memory == CROSS
        if PEER in inputs and not is_cross:
            raise DeclarationError(f"{self.name}: input {PEER}; is for CROSS alone")
        for name, parameter in ((PEER, "instrument"), (SINCE, "moment")):
            if name in inputs and parameter not in values:
                raise DeclarationError(f"{self.name}: input {name}; needs a parameter {parameter}")
        if is_cross and (self.state_size(values) or any(self.warmup(values))):
            raise DeclarationError(f"{self.name}: CROSS; has no state and no warm-up")
        of_times = {*OF_CALENDAR, SINCE}
        if is_cross and (set(inputs) & of_times or self.source_input(values) is None):
            raise DeclarationError(
                f"{self.name}: CROSS; takes one column, which may be another source, and "
                f"{PEER}, not {', '.join(inputs)}"
            )

    def values(
        self, positional: Sequence[Value], named: Values, convention: Convention = "tradingview"
    ) -> dict[str, Value]:
        """Return every parameter's value: given ones checked, the others from the convention.

        `ParameterError` on too many, unknown, repeated or unacceptable values.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        if len(positional) > len(known):
            raise ParameterError(
                f"{self.name}: {counted(len(positional), 'value')}; takes at most {len(known)}: "
                f"{', '.join(known) or 'none'}"
            )
        if self.order and (problem := self.order(positional)):
            raise ParameterError(f"{self.name}: {problem}")
        given = dict(zip(known, positional, strict=False))
        for name, value in named.items():
            if name not in known:
                hint = near_matches(name, known)
                raise ParameterError(f"{self.name}: {shorten(name)}; unknown; {hint}")
            if name in given:
                raise ParameterError(f"{self.name}: {name}={shorten(value)}; given twice")
            given[name] = value
        merged = {p.name: p.default for p in self.parameters} | dict(
            self.presets.get(convention, {})
        )
        merged |= given
        checked = {name: known[name].check(self.name, value) for name, value in merged.items()}
        if self.check and (problem := self.check(checked)):
            raise ParameterError(f"{self.name}: {problem}")
        return checked

    def column_names(self, values: Values, convention: Convention) -> tuple[str, ...]:
        """Return each output's column: the template, and words that differ from the convention's.

        Numbers are always part of a template; a word (``anchor=week``) is appended only where it
        is not the default, so that usual columns keep their short names.
        """
        usual = self.values((), {}, convention)
        extra = "".join(
            f"_{in_a_name(values[p.name])}"
            for p in self.parameters
            if f"{{{p.name}}}" not in self.outputs[0].column and values[p.name] != usual[p.name]
        )
        shown = {name: in_a_name(value) for name, value in values.items()}
        return tuple(output.column.format(**shown) + extra for output in self.outputs)

    def input_names(self, values: Values) -> tuple[str, ...]:
        """Return the inputs that the kernel wants, for these parameter values."""
        return tuple(name.format(**values) for name in self.inputs)

    def source_input(self, values: Values) -> str | None:
        """Return the input in whose place a source may stand: the only one that is no period.

        None where there are several and none is declared, or `source` is a parameter of the
        indicator's own.
        """
        if self.source:
            return self.source
        columns = [name for name in self.input_names(values) if name in COLUMNS]
        is_own = any(parameter.name == "source" for parameter in self.parameters)
        return columns[0] if len(columns) == 1 and not is_own else None

    def kernel_parameters(self, values: Values) -> Floats:
        """Return the values as the kernel's float64 vector, in the order of declaration."""
        return np.array([p.as_number(values[p.name]) for p in self.parameters], dtype=np.float64)

    def kernel(self, values: Values) -> Kernel:
        """Return the kernel for these parameter values."""
        if self.advance_long is None or float(values[self.parameters[0].name]) <= SHORT_WINDOW:
            return self.advance
        return self.advance_long

    def new_state(self, values: Values, instruments: int) -> Floats:
        """Return the state before any row, float64 ``[instruments, state_size]``."""
        blank = math.nan if self.memory == WINDOW else 0.0
        return np.full((instruments, self.state_size(values)), blank)


Asked = tuple[Indicator, Values, Sequence[str]]
"""A member of a family, its values, and the outputs that are wanted of it."""

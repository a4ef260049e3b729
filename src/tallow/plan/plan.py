"""From specs to a plan: what is computed once, in which columns, how far it looks back."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, cast

import numpy as np

from tallow.core.arrays import Floats
from tallow.core.errors import SpecError
from tallow.core.limits import PLANS
from tallow.core.operator import (
    CROSS,
    MEANS,
    OF_CALENDAR,
    PEER,
    RECURSIVE,
    SINCE,
    Indicator,
    Kernel,
    Output,
    Value,
)
from tallow.core.plugins import Registry
from tallow.core.registry import registry
from tallow.core.spec import Spec, check_convention, make_spec, parse_specs
from tallow.plan.families import Group, group_members, wanted_outputs

Indicators = str | Iterable[str | Spec]


@dataclass(frozen=True)
class Operation:
    """One indicator to run.

    Attributes
    ----------
    inputs
        Columns of the rows, numbers of periods, and the `source`; ``peer KEY`` of an instrument,
        ``since MOMENT`` of a moment.
    columns
        Each kernel output's column, or None where nobody needs it.
    source
        The input that is a column of an earlier operation, or that instruments are compared by;
        else None. Rows in which it has no value are skipped: the kernel does not see them.
    affects
        The plan's columns that have no values where this fails: its own, and those computed of it.
    identity
        What its numbers depend on besides the rows, and the size of its state.
    """

    indicator: Indicator
    advance: Kernel
    values: dict[str, Value]
    inputs: tuple[str, ...]
    parameters: Floats
    columns: tuple[str | None, ...]
    source: str | None
    affects: tuple[str, ...]
    identity: str


@dataclass(frozen=True)
class Phase:
    """Operations that wait for values of all instruments, and the columns that they make.

    `is_cross`: their rows are those of a moment; else those of an instrument again, as before.
    """

    operations: tuple[Operation, ...]
    columns: tuple[str, ...]
    is_cross: bool


@dataclass(frozen=True)
class Plan:
    """What to compute, each indicator once, and the columns in the order asked for.

    An operation comes after the one that it is computed of. `hidden` are columns that only other
    operations need: they are no part of any rows.

    Attributes
    ----------
    operations, columns, history_rows
        What each instrument's own rows give; with columns that later phases are computed of.
    phases
        What is computed of these columns, once all instruments have theirs: seldom anything.
    outputs
        The columns that were asked for, of all phases.
    """

    operations: tuple[Operation, ...]
    columns: tuple[str, ...]
    hidden: tuple[str, ...]
    phases: tuple[Phase, ...]
    outputs: tuple[str, ...]
    warmup: dict[str, int]
    """Leading null rows of each of the columns; of a chain, those of all in it together."""
    history_rows: int | None
    """Earlier rows that make every value of a range exact, or None where they must reach back to
    the instrument's first row (or a snapshot)."""
    convention: str
    specs: tuple[str, ...]
    """What was asked for, each written out in full with its outputs."""
    kinds: Mapping[str, Output]
    """What frames have in columns that are not float64, by column."""

    @property
    def every_operation(self) -> list[Operation]:
        """The operations of all phases, in order."""
        return [*self.operations, *(each for phase in self.phases for each in phase.operations)]

    @cached_property
    def small(self) -> tuple[str, ...]:
        """The columns that kernels can fill in as int8: frames have that, and nothing else."""
        taken = {name for operation in self.operations for name in operation.inputs}
        found = {o.columns[0] for o in self.operations if o.indicator.advance_small} - taken
        kinds = self.kinds
        return tuple(c for c in self.columns if c in found and kinds[c].kind == "int8")

    @cached_property
    def anchors(self) -> tuple[str, ...]:
        """What calendars say of a row, such as its session, that some indicator takes as input."""
        used = {name for operation in self.operations for name in operation.inputs}
        return tuple(name for name in OF_CALENDAR if name in used)

    @cached_property
    def moments(self) -> tuple[str, ...]:
        """The moments, as they were given, from which on some indicator goes."""
        used = [name for operation in self.operations for name in operation.inputs]
        found = (name.removeprefix(f"{SINCE} ") for name in used if name.startswith(f"{SINCE} "))
        return tuple(dict.fromkeys(found))


def make_plan(
    indicators: Indicators, convention: str = "tradingview", taken: Iterable[str] = ()
) -> Plan:
    """Read specs and plan them; `taken` are columns that the result has already.

    What was planned last is kept: a caller asks for the same again and again. `SpecError` or
    `ParameterError` if a spec cannot be read, or two of them want one column for different things.
    """
    asked = tuple(indicators) if isinstance(indicators, list) else indicators
    texts = asked if isinstance(asked, tuple) else (asked,)
    if all(isinstance(each, str) for each in (*texts, convention)):
        return _kept_plan(cast("Hashable", asked), convention, tuple(taken), registry())
    return _plan(asked, convention, taken)


@lru_cache(maxsize=PLANS)
def _kept_plan(
    asked: Any, convention: str, taken: tuple[str, ...], _found: Registry[Indicator]
) -> Plan:
    """Return the plan of texts, made once as long as the same indicators exist."""
    return _plan(asked, convention, taken)


def _plan(indicators: Indicators, convention: str, taken: Iterable[str]) -> Plan:
    specs = parse_specs(indicators, convention)
    owner: dict[str, str] = dict.fromkeys(taken, "the candles")
    draft = _Draft({}, {})
    for spec in specs:
        draft.add(spec)
        for output, column in zip(spec.outputs, spec.columns, strict=True):
            if owner.setdefault(column, spec.text) != spec.text:
                raise SpecError(
                    f"indicators: {spec.text} and {owner[column]} both want column {column!r}; "
                    "ask for them in two runs"
                )
            draft.columns[spec.text][output] = column
    shown = {text: tuple(found.values()) for text, found in draft.columns.items()}
    made_of = draft.name_sources()
    warmup = draft.warmup()
    outputs = tuple(column for column in owner if column in warmup)
    groups = group_members(draft.specs, draft.columns)
    affects = draft.affects(shown)
    operations = draft.operations(affects, groups)
    first, *later = draft.phases()
    carried = {made_of[text] for phase in later for text in phase if text in made_of}
    own = [column for text in first for column in draft.columns[text].values()]
    columns = (
        *(column for column in outputs if column in own),
        *(column for column in own if column in carried and column not in outputs),
    )
    return Plan(
        operations=(
            *(_family_operation(group, affects) for group in groups),
            *(each for text in first for each in operations[text]),
        ),
        columns=columns,
        hidden=(
            *(column for column in own if column not in columns),
            *(column for group in groups for column in group.hidden),
        ),
        phases=tuple(draft.phase(texts, operations) for texts in later),
        outputs=outputs,
        warmup={column: rows for column, rows in warmup.items() if column in outputs},
        history_rows=max((warmup[each] for each in columns), default=0)
        if draft.is_bounded(first)
        else None,
        convention=check_convention(convention),
        specs=tuple(f"{spec.text}[{', '.join(spec.outputs)}]" for spec in specs),
        kinds=draft.kinds(),
    )


@dataclass(frozen=True)
class _Draft:
    """What a plan computes: specs by their texts, sources first; and columns by text and output."""

    specs: dict[str, Spec]
    columns: dict[str, dict[str, str]]

    def add(self, spec: Spec) -> None:
        """Add a spec, after all that it is computed of."""
        for each in _chain(spec):
            self.specs.setdefault(each.text, each)
            self.columns.setdefault(each.text, {})

    def name_sources(self) -> dict[str, str]:
        """Return the column that each spec in a chain is computed of, by the spec's text.

        One that nobody asked for gets a name that no other can have.
        """
        sources = {}
        for text, spec in self.specs.items():
            if isinstance(spec.source, Spec):
                found, (output, *_) = self.columns[spec.source.text], spec.source.outputs
                sources[text] = found.setdefault(output, f"{spec.source.text}[{output}]")
        return sources

    def phases(self) -> list[list[str]]:
        """Return the texts of the specs that can be computed together, phase after phase.

        The first one, and each second one after it, is of the rows of an instrument.
        """
        place: dict[str, int] = {}
        for text, spec in self.specs.items():
            is_cross = spec.indicator.memory == CROSS
            before = place[spec.source.text] if isinstance(spec.source, Spec) else 0
            place[text] = before + (before % 2 != is_cross)
        last = max(place.values(), default=0)
        return [[text for text in place if place[text] == k] for k in range(last + 1)]

    def phase(self, texts: list[str], operations: dict[str, list[Operation]]) -> Phase:
        """Return the phase of some specs."""
        columns = [column for text in texts for column in self.columns[text].values()]
        is_cross = self.specs[texts[0]].indicator.memory == CROSS
        made = tuple(each for text in texts for each in operations[text])
        return Phase(made, tuple(columns), is_cross)

    def warmup(self) -> dict[str, int]:
        """Return the leading rows without a value, by column."""
        return {
            self.columns[text][output.name]: rows
            for text, spec in self.specs.items()
            for output, rows in zip(spec.indicator.outputs, _warmup(spec), strict=True)
            if output.name in self.columns[text]
        }

    def is_bounded(self, texts: Iterable[str]) -> bool:
        """Whether the warm-ups of some specs tell how many rows their values depend on.

        Not where rows are skipped, because a source has no value in them: there may be any number.
        """
        return not any(
            spec.indicator.memory == RECURSIVE
            or (isinstance(spec.source, Spec) and spec.source.indicator.name not in MEANS)
            for spec in map(self.specs.__getitem__, texts)
        )

    def kinds(self) -> dict[str, Output]:
        """Return the outputs of the columns that are not float64 in frames."""
        return {
            self.columns[text][output.name]: output
            for text, spec in self.specs.items()
            for output in spec.indicator.outputs
            if output.name in self.columns[text] and output.kind != "float64"
        }

    def affects(self, shown: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Return the columns without values where a spec fails, of those that are `shown`."""
        affects: dict[str, list[str]] = {}
        for text, spec in self.specs.items():
            for each in _chain(spec):
                affects.setdefault(each.text, []).extend(shown[text])
        return {text: tuple(found) for text, found in affects.items()}

    def operations(
        self, affects: Mapping[str, tuple[str, ...]], groups: Iterable[Group]
    ) -> dict[str, list[Operation]]:
        """Return the operations by text."""
        group_of = {text: group for group in groups for text in group.members}
        return {
            text: self._unpacking(spec, group_of[text])
            if text in group_of
            else [self._operation(spec, affects[text])]
            for text, spec in self.specs.items()
        }

    def _unpacking(self, spec: Spec, group: Group) -> list[Operation]:
        """Return what unpacks the outputs of a member, each by itself."""
        columns, made = self.columns[spec.text], []
        for output in wanted_outputs(spec.indicator.outputs, columns):
            assert output.packed is not None
            name, parameters = output.packed
            if parameters:
                operation = Operation(
                    indicator=spec.indicator,
                    advance=spec.indicator.advance,
                    values=dict(spec.values),
                    inputs=(group.columns[name],),
                    parameters=np.array(parameters),
                    columns=(columns[output.name],),
                    source=None,
                    affects=(),
                    identity=f"{_identity(spec)}[{output.name}]",
                )
                made.append(operation)
        return made

    def _operation(self, spec: Spec, affects: tuple[str, ...]) -> Operation:
        values, made = dict(spec.values), None
        if isinstance(spec.source, Spec):
            made = self.columns[spec.source.text][spec.source.outputs[0]]
        inputs, given = spec.indicator.input_names(values), made or spec.source
        if given is not None:
            own = spec.indicator.source_input(values)
            inputs = tuple(str(given) if name == own else name for name in inputs)
        skipped = made
        if PEER in inputs:
            # Rows without a value of their own have the other instrument's, too.
            skipped = None
            inputs = tuple(f"{PEER} {values['instrument']}" if n == PEER else n for n in inputs)
        elif spec.indicator.memory == CROSS:
            skipped = inputs[0]
        inputs = tuple(f"{SINCE} {values['moment']}" if n == SINCE else n for n in inputs)
        columns = self.columns[spec.text]
        return Operation(
            indicator=spec.indicator,
            advance=spec.indicator.kernel(values),
            values=values,
            inputs=inputs,
            parameters=spec.indicator.kernel_parameters(values),
            columns=tuple(columns.get(output.name) for output in spec.indicator.outputs),
            source=skipped,
            affects=affects,
            identity=_identity(spec),
        )


def _family_operation(group: Group, affects: Mapping[str, Iterable[str]]) -> Operation:
    """Return what computes all members of a group."""
    indicator, values = group.family.indicator, dict(group.values)
    return Operation(
        indicator=indicator,
        advance=indicator.kernel(values),
        values=values,
        inputs=indicator.input_names(values),
        parameters=indicator.kernel_parameters(values),
        columns=tuple(group.columns.get(output.name) for output in indicator.outputs),
        source=None,
        affects=tuple(column for text in group.members for column in affects[text]),
        identity=_identity(make_spec(indicator, values, "tradingview")),
    )


def _chain(spec: Spec) -> list[Spec]:
    """Return a spec after all that it is computed of, the innermost first."""
    inner = _chain(spec.source) if isinstance(spec.source, Spec) else []
    return [*inner, spec]


def _warmup(spec: Spec) -> tuple[int, ...]:
    """Return the leading rows without a value of each kernel output: the source's, and its own."""
    own = spec.indicator.warmup(dict(spec.values))
    if not isinstance(spec.source, Spec):
        return own
    outputs = [output.name for output in spec.source.indicator.outputs]
    inner = _warmup(spec.source)[outputs.index(spec.source.outputs[0])]
    return tuple(inner + rows for rows in own)


def _identity(spec: Spec) -> str:
    values = dict(spec.values)
    size = spec.indicator.state_size(values)
    own = f"{spec.indicator.name} {spec.indicator.version} {sorted(values.items())} in {size}"
    if spec.source is None:
        return own
    if isinstance(spec.source, str):
        return f"{own} of {spec.source}"
    return f"{own} of ({_identity(spec.source)})[{spec.source.outputs[0]}]"

"""Which value is meant: a column of the bar, an output of the set, or a spec with one output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tallow.core.errors import ParameterError, SpecError, excerpt, near_matches
from tallow.core.operator import COLUMNS, Convention, Indicator
from tallow.core.registry import registry
from tallow.core.spec import Spec, check_convention, make_spec, parse_specs, spec_of_column
from tallow.plan.plan import Indicators

_NUMBER = r"(?:[0-9]+(?:p[0-9]+)?)"
_FIELD = re.compile(r"\\\{(\w+)\\\}")


@dataclass(frozen=True)
class AskedColumn:
    """A column of bars, the spec with this one output that it is of, and the set to ask for.

    `spec` is None for the bar's own columns.
    """

    name: str
    spec: Spec | None
    asked: tuple[Spec, ...]


def find_column(text: str, indicators: Indicators, convention: str) -> AskedColumn:
    """Return the column that a text means; `SpecError` or `ParameterError` where it means none.

    `indicators` is the set among whose columns it is looked for first.
    """
    if not isinstance(text, str):
        raise ParameterError(f"explain: column={excerpt(text)}; must be text, such as ema(9)")
    name, how = text.strip(), check_convention(convention)
    if name.lower() in COLUMNS:
        return AskedColumn(name.lower(), None, ())
    specs = parse_specs(indicators, how)
    outputs = {spec.columns[0]: spec for spec in _single(specs, how)}
    if name in outputs:
        return AskedColumn(name, outputs[name], specs)
    spec = _read(name, how, outputs)
    (column,) = spec.columns
    among = outputs.get(column)
    is_same = among is not None and among.text == spec.text
    return AskedColumn(column, spec, specs if is_same else (spec,))


def _single(specs: Sequence[Spec], how: Convention) -> Iterator[Spec]:
    """Yield each output of specs as a spec of its own."""
    for spec in specs:
        for output in spec.outputs:
            yield make_spec(spec.indicator, dict(spec.values), how, [output], spec.source)


def _read(name: str, how: Convention, known: Sequence[str] | dict[str, Spec]) -> Spec:
    """Return the one output that a spec, or the name of a column, asks for."""
    found = _of_column_name(name, how)
    if found is not None:
        return found
    if re.fullmatch(r"\w+", name) and not _is_indicator(name):
        raise ParameterError(
            f"explain: column={excerpt(name)}; unknown; the columns are {', '.join(COLUMNS)}, "
            f"{', '.join(known) or 'no others'}; or give a spec, such as ema(9): "
            f"{near_matches(name, (*COLUMNS, *known, *registry().by_name))}"
        )
    specs = tuple(_single(parse_specs(name, how), how))
    if len(specs) != 1:
        several = ", ".join(spec.outputs[0] for spec in specs)
        raise ParameterError(
            f"explain: column={excerpt(name)}; has several outputs: {several}; choose one, as in "
            "bollinger(20, 2)[upper]"
        )
    return specs[0]


def _is_indicator(name: str) -> bool:
    return registry().get(name) is not None


def _of_column_name(name: str, how: Convention) -> Spec | None:
    """Return the output whose column has a name such as ``bb_upper_20_2``."""
    text = spec_of_column(name)
    if text is not None:
        try:
            specs = [
                spec for spec in _single(parse_specs(text, how), how) if spec.columns == (name,)
            ]
        except (SpecError, ParameterError):
            specs = []
        if specs:
            return specs[0]
    if not re.fullmatch(r"[a-z]\w*", name) or _is_indicator(name):
        return None
    made = (_from_templates(name, each, how) for each in registry().by_name.values())
    return next((spec for spec in made if spec is not None), None)


def _from_templates(name: str, indicator: Indicator, how: Convention) -> Spec | None:
    """Return an indicator's output with the parameters that are written in a column's name."""
    for output in indicator.outputs:
        pattern = _FIELD.sub(rf"(?P<\1>{_NUMBER})", re.escape(output.column))
        match = re.fullmatch(pattern, name)
        if match is None:
            continue
        given = {key: float(text.replace("p", ".")) for key, text in match.groupdict().items()}
        try:
            values = indicator.values((), given, how)
        except ParameterError:
            continue
        spec = make_spec(indicator, values, how, [output.name])
        if spec.columns == (name,):
            return spec
    return None

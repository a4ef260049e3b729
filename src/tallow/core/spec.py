"""Indicator specs: ``ema(9)``, ``rsi(length=14)``, ``bollinger(20, 2)[upper, lower]``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tallow.core.errors import SpecError, excerpt, near_matches, shorten
from tallow.core.limits import DIGITS_MAX, INDICATORS_MAX, TEXT_CHARACTERS_MAX
from tallow.core.operator import CONVENTIONS, Convention, Indicator, Value
from tallow.core.registry import registry

DEFAULT_SET = (
    "sma(9)",
    "bollinger(20, 2)[upper, middle, lower, width, width_percent]",
    "vwap",
    "ema(5)",
    "ema(9)",
    "ema(50)",
    "atr(14)",
    "rsi(14)",
)
"""What ``default`` stands for: twelve columns."""

_NAME = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BRACKETS = {"(": ")", "[": "]"}


@dataclass(frozen=True)
class Spec:
    """One indicator with all its parameter values, and the outputs wanted of it."""

    indicator: Indicator
    values: tuple[tuple[str, Value], ...]
    outputs: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def text(self) -> str:
        """The spec written out in full: equal computations have equal texts."""
        inner = ", ".join(f"{name}={value}" for name, value in self.values)
        return f"{self.indicator.name}({inner})"


def parse_specs(
    text: str | Iterable[str | Spec], convention: str = "tradingview"
) -> tuple[Spec, ...]:
    """Read one spec, several separated by commas, or a list of them; ``default`` is a set.

    Raises
    ------
    SpecError, ParameterError
        Naming the spec, the parameter, what it accepts, and near matches of unknown names.

    Examples
    --------
    >>> [spec.columns for spec in parse_specs("ema(9), bollinger(20, 2.5)[upper]")]
    [('ema_9',), ('bb_upper_20_2p5',)]
    """
    known = check_convention(convention)
    if isinstance(text, str):
        _check_length(len(text))
        text = _split(text)
    specs: list[Spec] = []
    for item in _items(text):
        if isinstance(item, Spec):
            specs.append(item)
        else:
            for part in _split(item) or [item]:
                texts = DEFAULT_SET if part == "default" else (part,)
                specs.extend(_parse(each, known) for each in texts)
                _check_count(len(specs))
    _check_count(len(specs))
    return tuple(dict.fromkeys(specs))


def _check_length(length: int) -> None:
    if length > TEXT_CHARACTERS_MAX:
        raise SpecError(
            f"indicators: {length:,} characters or more; at most {TEXT_CHARACTERS_MAX:,}; ask in "
            "several requests"
        )


def _check_count(count: int) -> None:
    if count > INDICATORS_MAX:
        raise SpecError(f"indicators: {count} given; at most {INDICATORS_MAX}")


def check_convention(convention: str) -> Convention:
    """Return `convention` if it is one of `CONVENTIONS`."""
    for known in CONVENTIONS:
        if convention == known:
            return known
    hint = near_matches(convention, CONVENTIONS)
    raise SpecError(f"convention: {excerpt(convention)}; unknown; {hint}")


def _items(given: object) -> list[str | Spec]:
    items: list[str | Spec] = []
    length = 0
    for item in given if isinstance(given, Iterable) else [given]:
        if not isinstance(item, str | Spec):
            raise SpecError(
                f"indicators: {excerpt(item)}; must be text such as ema(9), or a list of it"
            )
        items.append(item)
        # A list without an end must not be read for ever.
        length += max(len(item), 1) if isinstance(item, str) else 1
        _check_length(length)
    return items


def _split(text: str) -> list[str]:
    """Split at the commas that stand outside of brackets, in one pass.

    A bracket that is opened twice, or never closed, is found wrong where the part is read.
    """
    parts, start, closing = [], 0, ""
    for place, sign in enumerate(text):
        if closing:
            closing = "" if sign == closing else closing
        elif sign in _BRACKETS:
            closing = _BRACKETS[sign]
        elif sign == ",":
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _pieces(text: str) -> tuple[str, str, str] | None:
    """Return name, arguments and outputs of ``name(arguments)[outputs]``; None where it is not."""
    found = _NAME.match(text)
    if found is None:
        return None
    rest, inner = text[found.end() :].strip(), {"(": "", "[": ""}
    for opening, closing in _BRACKETS.items():
        if rest.startswith(opening):
            inner[opening], closed, rest = rest[1:].partition(closing)
            rest = rest.strip()
            if not closed or opening in inner[opening]:
                return None
    return None if rest else (found[0], inner["("], inner["["])


def _refuse_column(name: str) -> None:
    """Raise `SpecError` for the name of a column, such as ``ema_9``."""
    first, *numbers = name.split("_")
    known = registry().by_name
    if numbers and name not in known and first in known and all(map(str.isdigit, numbers)):
        spec = f"{first}({', '.join(numbers)})"
        raise SpecError(f"indicator: {excerpt(name)}; is the name of a column; give {spec}")


def _parse(text: str, convention: Convention) -> Spec:
    pieces = _pieces(text.strip())
    if pieces is None:
        raise SpecError(
            f"indicator: {excerpt(text)}; must read like ema(9), rsi(length=14) or "
            "bollinger(20, 2)[upper]"
        )
    name, arguments, outputs_wanted = pieces
    _refuse_column(name)
    indicator = registry().find(name)
    positional, named = _arguments(text, arguments)
    values = indicator.values(positional, named, convention)
    columns = dict(
        zip(
            (output.name for output in indicator.outputs),
            indicator.column_names(values, convention),
            strict=True,
        )
    )
    wanted = [name.strip() for name in outputs_wanted.split(",") if name.strip()]
    for name in wanted:
        if name not in columns:
            hint = near_matches(name, columns)
            raise SpecError(f"{shorten(text)}: output {excerpt(name)}; unknown; {hint}")
    outputs = tuple(wanted or columns)
    return Spec(indicator, tuple(values.items()), outputs, tuple(columns[o] for o in outputs))


def _arguments(spec: str, text: str) -> tuple[list[Value], dict[str, Value]]:
    positional: list[Value] = []
    named: dict[str, Value] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.rpartition("="))
        if not equals:
            if named:
                raise SpecError(
                    f"{shorten(spec)}: {shorten(value)}; must stand before the named parameters"
                )
            positional.append(_value(value))
        elif name in named:
            raise SpecError(f"{shorten(spec)}: {shorten(name)}={shorten(value)}; given twice")
        else:
            named[name] = _value(value)
    return positional, named


def _value(text: str) -> Value:
    text = text.strip("\"'")
    if not _NUMBER.fullmatch(text):
        return text
    # No whole number of so many digits is within a limit, and Python refuses to read a longer one.
    whole = len(text) <= DIGITS_MAX and not re.search(r"[.eE]", text)
    return int(text) if whole else float(text)

"""Indicator specs: ``ema(9)``, ``rsi(length=14)``, ``bollinger(20, 2)[upper, lower]``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tallow.core.errors import SpecError, near_matches
from tallow.core.limits import DIGITS_MAX, INDICATORS_MAX
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

_SPEC = re.compile(
    r"\s*(?P<name>[A-Za-z_]\w*)\s*(?:\((?P<arguments>[^()]*)\))?"
    r"\s*(?:\[(?P<outputs>[^\[\]]*)\])?\s*"
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


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
        text = _split(text)
    specs: list[Spec] = []
    for item in _items(text):
        if isinstance(item, Spec):
            specs.append(item)
        elif item.strip() == "default":
            specs.extend(_parse(each, known) for each in DEFAULT_SET)
        elif len(parts := _split(item)) > 1:
            specs.extend(parse_specs(parts, known))
        else:
            specs.append(_parse(item, known))
    if len(specs) > INDICATORS_MAX:
        raise SpecError(f"indicators: {len(specs)} given; at most {INDICATORS_MAX}")
    return tuple(dict.fromkeys(specs))


def check_convention(convention: str) -> Convention:
    """Return `convention` if it is one of `CONVENTIONS`."""
    for known in CONVENTIONS:
        if convention == known:
            return known
    hint = near_matches(convention, CONVENTIONS)
    raise SpecError(f"convention: {convention!r}; unknown; {hint}")


def _items(given: object) -> list[str | Spec]:
    items: list[str | Spec] = []
    for item in given if isinstance(given, Iterable) else [given]:
        if not isinstance(item, str | Spec):
            raise SpecError(f"indicators: {item!r}; must be text such as ema(9), or a list of it")
        items.append(item)
    return items


def _split(text: str) -> list[str]:
    """Split at the commas that stand outside of brackets."""
    parts = re.findall(r"(?:[^,(\[]|\([^)]*\)|\[[^\]]*\]|[(\[])+", text)
    return [part.strip() for part in parts if part.strip()]


def _parse(text: str, convention: Convention) -> Spec:
    match = _SPEC.fullmatch(text)
    if match is None:
        raise SpecError(
            f"indicator: {text!r}; must read like ema(9), rsi(length=14) or bollinger(20, 2)[upper]"
        )
    indicator = registry().find(match["name"])
    positional, named = _arguments(text, match["arguments"] or "")
    values = indicator.values(positional, named, convention)
    columns = dict(
        zip(
            (output.name for output in indicator.outputs),
            indicator.column_names(values, convention),
            strict=True,
        )
    )
    wanted = [name.strip() for name in (match["outputs"] or "").split(",") if name.strip()]
    for name in wanted:
        if name not in columns:
            raise SpecError(f"{text}: output {name!r}; unknown; {near_matches(name, columns)}")
    outputs = tuple(wanted or columns)
    return Spec(indicator, tuple(values.items()), outputs, tuple(columns[o] for o in outputs))


def _arguments(spec: str, text: str) -> tuple[list[Value], dict[str, Value]]:
    positional: list[Value] = []
    named: dict[str, Value] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.rpartition("="))
        if not equals:
            if named:
                raise SpecError(f"{spec}: {value}; must stand before the named parameters")
            positional.append(_value(value))
        elif name in named:
            raise SpecError(f"{spec}: {name}={value}; given twice")
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

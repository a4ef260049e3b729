"""Indicator specs: ``ema(9)``, ``rsi(length=14)``, ``bollinger(20, 2)[upper, lower]``.

An indicator of one price may be computed of another source: ``sma(20, source=hl2)``; and of another
indicator, as a chain: ``ema(rsi(14), 9)``, which is ``ema(9, source=rsi(14))``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tallow.core.errors import SpecError, excerpt, near_matches, shorten
from tallow.core.limits import CHAIN_MAX, INDICATORS_MAX, TEXT_CHARACTERS_MAX
from tallow.core.operator import COLUMNS, CONVENTIONS, CROSS, Convention, Indicator, Value, Values
from tallow.core.registry import registry
from tallow.core.screen_words import FUNCTIONS_OF_SCREENS
from tallow.core.spec_text import (
    NAME,
    Arguments,
    QuotedText,
    arguments_of,
    has_brackets,
    pieces_of,
    quote,
    split_text,
)

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

_PREFIX = re.compile(r"\bta\.")
_COLUMN = re.compile(r"([a-z](?:[a-z_]*[a-z])?)(_?[0-9]+(?:p[0-9]+)?(?:_[0-9]+(?:p[0-9]+)?)*)")


@dataclass(frozen=True)
class Spec:
    """One indicator with all its parameter values, and the outputs wanted of it.

    `source` is what it is computed of in place of its own input: a column of the candles, or
    another spec with one output; None for its own.
    """

    indicator: Indicator
    values: tuple[tuple[str, Value], ...]
    outputs: tuple[str, ...]
    columns: tuple[str, ...]
    source: Spec | str | None = None

    @cached_property
    def text(self) -> str:
        """The spec written out in full: equal computations have equal texts."""
        texts = {parameter.name for parameter in self.indicator.parameters if parameter.is_text}
        given = [
            f"{name}={quote(str(value)) if name in texts else value}" for name, value in self.values
        ]
        if self.source is not None:
            inner = self.source if isinstance(self.source, str) else self.source.output_text
            given.append(f"source={inner}")
        return f"{self.indicator.name}({', '.join(given)})"

    @property
    def has_names(self) -> bool:
        """Whether its values are names, and no numbers."""
        return any(each.names for each in self.indicator.outputs if each.name in self.outputs)

    @property
    def output_text(self) -> str:
        """The spec written out in full, with the first of its outputs."""
        is_only = len(self.indicator.outputs) == 1
        return self.text if is_only else f"{self.text}[{self.outputs[0]}]"


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
    >>> [spec.columns for spec in parse_specs("sma(20, source=hl2), ema(rsi(14), 9)")]
    [('sma_20_of_hl2',), ('ema_9_of_rsi_14',)]
    """
    known = check_convention(convention)
    if isinstance(text, str):
        _check_length(len(text))
        text = split_text(text)
    specs: list[Spec] = []
    for item in _items(text):
        if isinstance(item, Spec):
            specs.append(item)
        else:
            for part in split_text(item) or [item]:
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


def spec_of_column(name: str) -> str | None:
    """Return what to give for a name such as ``ema_9`` or ``ema9``; None where it is no column."""
    found = _COLUMN.fullmatch(name.lower())
    known = registry()
    if found is None or known.get(name) is not None or known.get(found[1]) is None:
        return None
    numbers = found[2].strip("_").replace("p", ".").split("_")
    return f"{found[1]}({', '.join(numbers)})"


def _refuse_others(name: str) -> None:
    """Raise `SpecError` for the name of a column, and for a function that only screens have."""
    if name.lower() in FUNCTIONS_OF_SCREENS and registry().get(name) is None:
        raise SpecError(
            f"indicator: {excerpt(name)}; is a function of screens, and no indicator; ask for it "
            "with engine.screen, or as --column of tallow screen"
        )
    spec = spec_of_column(name)
    if spec is not None:
        raise SpecError(
            f"indicator: {excerpt(name)}; an indicator is written with brackets; give {spec}"
        )


def _parse(text: str, convention: Convention, place: int = 1) -> Spec:
    """Read a spec, the one at a `place` in a chain."""
    if place > CHAIN_MAX:
        raise SpecError(
            f"indicator: {excerpt(text)}; is number {place} of a chain; at most {CHAIN_MAX}, each "
            "computed of the next"
        )
    pieces = pieces_of(text.strip())
    if pieces is None:
        raise SpecError(
            f"indicator: {excerpt(text)}; must read like ema(9), rsi(length=14), "
            f"bollinger(20, 2)[upper] or ema(rsi(14), 9){_without_prefix(text)}"
        )
    _refuse_others(pieces.name)
    indicator = registry().find(pieces.name)
    has_texts = any(parameter.is_text for parameter in indicator.parameters)
    arguments = arguments_of(text, pieces.arguments, has_texts=has_texts)
    if indicator.memory == CROSS and "in" in arguments.named:
        raise SpecError(
            f"{shorten(text)}: in={shorten(arguments.named['in'])}; names a population, as screens "
            "do alone; leave it out and ask a screen"
        )
    given = _take_source(text, indicator, arguments)
    values = indicator.values(*arguments, convention)
    source = _source(text, given, convention, place) if given is not None else None
    if source == indicator.source_input(values):
        source = None
    wanted = [name.strip() for name in pieces.outputs.split(",") if name.strip()]
    return make_spec(indicator, values, convention, wanted, source, text)


def make_spec(
    indicator: Indicator,
    values: Values,
    convention: Convention,
    wanted: Sequence[str] = (),
    source: Spec | str | None = None,
    text: str = "",
) -> Spec:
    """Return the spec of an indicator with all its values; by default, of its usual outputs.

    `SpecError`, which quotes the `text`, if a wanted output is unknown.
    """
    names = indicator.column_names(values, convention)
    if source is not None:
        inner = source if isinstance(source, str) else source.columns[0]
        names = tuple(f"{name}_of_{inner}" for name in names)
    columns = dict(zip((output.name for output in indicator.outputs), names, strict=True))
    for name in wanted:
        if name not in columns:
            hint = near_matches(name, columns)
            raise SpecError(f"{shorten(text)}: output {excerpt(name)}; unknown; {hint}")
    usual = [output.name for output in indicator.outputs if not output.on_request]
    outputs = tuple(wanted or usual)
    shown = tuple(columns[output] for output in outputs)
    return Spec(indicator, tuple(values.items()), outputs, shown, source)


def _without_prefix(text: str) -> str:
    """Return a hint where Pine's prefix is all that is wrong."""
    plain = _PREFIX.sub("", text)
    is_all = plain != text and pieces_of(plain.strip()) is not None
    return f"; leave out ta.: {shorten(plain.strip())}" if is_all else ""


# Sources


def _take_source(text: str, indicator: Indicator, arguments: Arguments) -> str | None:
    """Take the source's text out of the arguments: the first one, or by name."""
    positional, named = arguments
    is_own = any(parameter.name == "source" for parameter in indicator.parameters)
    source = named.pop("source", None) if not is_own else None
    if positional and _is_source(indicator, arguments, 0):
        if source is not None:
            raise SpecError(f"{shorten(text)}: source={shorten(source)}; given twice")
        source = positional.pop(0)
    if source is None and not any(_is_source(indicator, arguments, k) for k in _places(arguments)):
        return None
    if indicator.source_input(indicator.values((), {})) is None:
        raise SpecError(_no_source(indicator, arguments, source))
    for k in _places(arguments):
        if _is_source(indicator, arguments, k):
            raise SpecError(
                f"{shorten(text)}: {shorten(positional[k])}; a source stands first, or by name: "
                f"source={shorten(positional[k])}"
            )
    return str(source)


def _places(arguments: Arguments) -> range:
    return range(len(arguments.positional))


def _is_source(indicator: Indicator, arguments: Arguments, place: int) -> bool:
    """Say whether the value at a place is, or can only be meant as, a source."""
    value, parameters = arguments.positional[place], indicator.parameters
    choices = parameters[place].choices if place < len(parameters) else ()
    if not isinstance(value, str) or isinstance(value, QuotedText) or value in choices:
        return False
    if has_brackets(value) or value.lower() in COLUMNS or registry().get(value) is not None:
        return True
    # A word before numbers: Pine's order, with a name that is not known.
    alone = len(arguments.positional) + len(arguments.named) == 1
    return place == 0 and not choices and not alone and NAME.fullmatch(value) is not None


def _no_source(indicator: Indicator, arguments: Arguments, source: Value | None) -> str:
    """Return the message for a source of an indicator that takes none, with what to give."""
    rest = [
        shorten(value)
        for k, value in enumerate(arguments.positional)
        if not _is_source(indicator, arguments, k)
    ]
    rest += [f"{name}={shorten(value)}" for name, value in arguments.named.items()]
    if any(p.name == "source" and source in p.choices for p in indicator.parameters):
        rest.append(f"source={source}")
    spec = f"{indicator.name}({', '.join(rest)})" if rest else indicator.name
    taken = ", ".join(indicator.input_names(indicator.values((), {})))
    said = "" if source is None else f"{shorten(source)}; "
    return f"{indicator.name}: {said}takes {taken} of every row, and no other source; give {spec}"


def _source(text: str, given: str, convention: Convention, place: int) -> Spec | str:
    """Return the column of the candles, or the spec, that a source's text names."""
    if given.lower() in COLUMNS:
        return given.lower()
    if not has_brackets(given) and registry().get(given) is None:
        _refuse_others(given)
        aliases = registry().aliases
        hint = near_matches(given, (*COLUMNS, *registry().by_name, *aliases), aliases)
        raise SpecError(f"{shorten(text)}: source {excerpt(given)}; unknown; {hint}")
    spec = _parse(given, convention, place + 1)
    if len(set(spec.outputs)) > 1:
        raise SpecError(
            f"{shorten(text)}: source {excerpt(given)}; has several outputs: "
            f"{', '.join(spec.outputs)}; choose one, as in bollinger(20, 2)[upper]"
        )
    if spec.has_names:
        raise SpecError(
            f"{shorten(text)}: source {excerpt(given)}; has names, which are no numbers; take one "
            "of them, as in ema(cdl_hammer, 9)"
        )
    return spec

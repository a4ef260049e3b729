"""Rules: what is a cause for an alert, as a screen; those of the squeeze, and files of rules."""

from __future__ import annotations

import hashlib
import inspect
import string
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tallow.core.errors import AlertError, TallowError, excerpt, near_matches
from tallow.core.given import file_path, name_text, read_written, require_file
from tallow.core.limits import (
    ALERT_COOLDOWN_SECONDS_MAX,
    ALERT_RULES_MAX,
    ALERTS_KEPT,
    TOML_BYTES_MAX,
)
from tallow.core.timeframe import parse_timeframe
from tallow.screens.answers import Screen
from tallow.screens.needs import leaves
from tallow.screens.nodes import CONDITION, NUMBER
from tallow.screens.parser import parse_screen

SQUEEZE = "squeeze(20, 2, 125, 5)"
"""The indicator that rules of the squeeze look at, by default."""


@dataclass(frozen=True)
class AlertRule:
    """A condition whose beginning is a cause for an alert.

    It fires at a closed bar where the condition holds, once for each instrument, and again only
    after the condition did not hold on a bar in between. What is unknown changes nothing.

    Attributes
    ----------
    name
        What it is called.
    condition
        A screen: what must hold on a closed bar.
    timeframe
        Of the bars that are judged.
    numbers
        Texts of numbers by their names, which alerts show.
    words
        The reason, with names of `numbers` in braces, ``"{distance:.2f} % above"``; by default the
        condition and the numbers.
    cooldown
        Seconds after an alert in which it fires no other one for the same instrument.
    hourly_cap
        How many alerts it fires in any hour, of all instruments together.
    tells_end
        Whether a service tells, too, that an alert's condition no longer holds.

    Raises
    ------
    AlertError
        If a value breaks a rule. Texts are read where the rule is used.

    Notes
    -----
    Time is that of the bars' ends, not of this machine's clock. What the cooldown or the cap holds
    back is counted, and does not come later.
    """

    name: str
    condition: str
    timeframe: str = "5m"
    numbers: Mapping[str, str] = field(default_factory=dict)
    words: str = ""
    cooldown: float = 300.0
    hourly_cap: int = 10
    tells_end: bool = True

    def __post_init__(self) -> None:
        name_text("rule: name", self.name, AlertError)
        where = f"rule {excerpt(self.name)}"
        given: Any = self.condition
        if not isinstance(given, str) or not given.strip():
            raise AlertError(f"{where}: condition={excerpt(given)}; must be the text of a screen")
        parse_timeframe(self.timeframe)
        _require_number(where, "cooldown", self.cooldown, 0, ALERT_COOLDOWN_SECONDS_MAX)
        _require_number(where, "hourly_cap", self.hourly_cap, 1, ALERTS_KEPT)
        if self.hourly_cap != int(self.hourly_cap):
            raise AlertError(f"{where}: hourly_cap={self.hourly_cap}; must be a whole number")
        ends: Any = self.tells_end
        if not isinstance(ends, bool):
            raise AlertError(f"{where}: tells_end={excerpt(ends)}; must be true or false")
        for each in _names_in(where, self.words):
            if each not in self.numbers:
                raise AlertError(
                    f"{where}: words: {excerpt(each)}; is none of its numbers; "
                    f"{near_matches(each, self.numbers)}"
                )

    @cached_property
    def identity(self) -> str:
        """What its causes are of: name, timeframe and condition; 16 hexadecimal digits."""
        parts = f"{self.name}\n{parse_timeframe(self.timeframe).text}\n{self.condition}"
        return hashlib.sha256(parts.encode()).hexdigest()[:16]

    def screen(self, saved: Mapping[str, str], convention: str) -> Screen:
        """Return the condition and numbers as a screen; `ScreenError` if they cannot be read."""
        tree = parse_screen(self.condition, saved=saved, convention=convention, kind=CONDITION)
        numbers = {
            name: parse_screen(text, saved=saved, convention=convention, kind=NUMBER)
            for name, text in self.numbers.items()
        }
        return Screen(tree, numbers)

    def reason(self, numbers: Mapping[str, float | None]) -> str:
        """Return why it fires, in words, with these numbers."""
        if self.words and None not in numbers.values():
            return self.words.format(**numbers)
        shown = [
            f"{name} = {'unknown' if x is None else format(x, '.6g')}"
            for name, x in numbers.items()
        ]
        return "; ".join([self.condition, ", ".join(shown)]) if shown else self.condition


def _require_number(where: str, name: str, value: Any, least: float, most: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        raise AlertError(
            f"{where}: {name}={excerpt(value)}; must be a number, {least:g}..{most:,g}"
        )


def _names_in(where: str, words: str) -> list[str]:
    try:
        found = [name for _, name, _, _ in string.Formatter().parse(words) if name is not None]
    except (ValueError, TypeError, AttributeError) as error:
        raise AlertError(f"{where}: words={excerpt(words)}; {error}; correct it") from error
    return found


def threshold(
    within: float = 1.0, *, squeeze: str = SQUEEZE, name: str = "threshold", **options: Any
) -> AlertRule:
    """Return a rule: the width of the bands is within so many percent of its lowest.

    Parameters
    ----------
    within
        Percent above the lowest width of the look-back.
    squeeze
        The indicator ``squeeze(length, multiplier, lookback, tolerance)`` to look at.
    name, options
        Of the `AlertRule`: `timeframe`, `cooldown`, `hourly_cap`, `tells_end`.
    """
    _require_number("rule", "within", within, 0, 1e6)
    return AlertRule(
        name,
        f"{squeeze}[distance] <= {within}",
        numbers={each: f"{squeeze}[{each}]" for each in ("distance", "lowest", "in_range")},
        words="band width is {distance:.2f} % above its lowest, {lowest:.6g}; "
        "bars in range: {in_range:.0f}",
        **options,
    )


def pattern(
    contracting: int = 5,
    strength: float = 10.0,
    *,
    squeeze: str = SQUEEZE,
    name: str = "pattern",
    **options: Any,
) -> AlertRule:
    """Return a rule: the width fell on so many bars in a row, and by enough percent in all.

    Parameters
    ----------
    contracting
        How many bars in a row.
    strength
        Percent by which the width is below that before the first of them.
    squeeze, name, options
        As of `threshold`.
    """
    for each, value in {"contracting": contracting, "strength": strength}.items():
        _require_number("rule", each, value, 0, 1e6)
    return AlertRule(
        name,
        f"{squeeze}[contracting] >= {contracting} and {squeeze}[contraction] >= {strength}",
        numbers={each: f"{squeeze}[{each}]" for each in ("contracting", "contraction", "distance")},
        words="band width fell {contracting:.0f} bars in a row, by {contraction:.1f} %, and is "
        "{distance:.2f} % above its lowest",
        **options,
    )


def release(*, squeeze: str = SQUEEZE, name: str = "release", **options: Any) -> AlertRule:
    """Return a rule: the width leaves the range of its lowest; arguments as of `threshold`.

    That is a moment, so by default nobody is told of its end.
    """
    return AlertRule(
        name,
        f"{squeeze}[release] == 1",
        numbers={
            "distance": f"{squeeze}[distance]",
            "lowest": f"{squeeze}[lowest]",
            "before": f"{squeeze}[in_range][1]",
        },
        words="band width expands out of a squeeze (bars in range: {before:.0f}), to "
        "{distance:.2f} % above its lowest, {lowest:.6g}",
        **({"tells_end": False} | options),
    )


KINDS: Mapping[str, Callable[..., AlertRule]] = {
    "threshold": threshold,
    "pattern": pattern,
    "release": release,
    "screen": AlertRule,
}
"""What a rule of a file may be, by the word `alert`."""

_OF_ALL = {"timeframe", "cooldown", "hourly_cap", "tells_end"}


def read_rules(path: str | Path) -> list[AlertRule]:
    """Read a file of rules.

    Parameters
    ----------
    path
        A file in TOML with a table for each rule, by its name: ``alert = "threshold"``,
        ``"pattern"``, ``"release"`` or ``"screen"`` (by default), and the arguments of `threshold`,
        `pattern`, `release` or `AlertRule`.

    Raises
    ------
    AlertError
        If it cannot be read, or breaks a rule, with the file, the table and the key.
    """
    file = file_path("rules", path, AlertError)
    require_file(file, AlertError, "name the file of rules")
    limit = (TOML_BYTES_MAX, "is it a file of rules?")
    content = read_written("rules", file, tomllib.loads, limit, AlertError)
    return [_rule(f"rules: {file}: {excerpt(name)}", name, each) for name, each in content.items()]


def _rule(where: str, name: str, table: Any) -> AlertRule:
    if not isinstance(table, dict):
        raise AlertError(f'{where}; is no table; write [name], and below it alert = "threshold"')
    given = dict(table)
    kind = given.pop("alert", "screen")
    if not isinstance(kind, str) or kind not in KINDS:
        hint = near_matches(str(kind), KINDS)
        raise AlertError(
            f"{where}: alert={excerpt(kind)}; must be one of {', '.join(KINDS)}; {hint}"
        )
    known = {*inspect.signature(KINDS[kind]).parameters} | _OF_ALL
    known -= {"name", "options"}
    for key in given:
        if key not in known:
            raise AlertError(f"{where}: {excerpt(key)}; unknown key; {near_matches(key, known)}")
    if kind == "screen" and "condition" not in given:
        raise AlertError(f'{where}: no condition; add condition = "close > ema(20)"')
    try:
        return KINDS[kind](name=name, **given)
    except (TallowError, TypeError) as error:
        raise AlertError(f"{where}: {error}") from error


def check_rules(rules: Iterable[AlertRule]) -> list[AlertRule]:
    """Return rules; `AlertError` if there is none, there are too many, or two of one name."""
    found = list(rules)
    if not found or len(found) > ALERT_RULES_MAX:
        raise AlertError(f"rules: {len(found):,} of them; must be 1..{ALERT_RULES_MAX:,}")
    names = [rule.name for rule in found]
    for name in names:
        if names.count(name) > 1:
            raise AlertError(f"rules: {excerpt(name)}; two have this name; rename one")
    return found


def indicators_of(
    rules: Iterable[AlertRule],
    saved: Mapping[str, str] | None = None,
    convention: str = "tradingview",
) -> list[str]:
    """Return the specs that an engine must compute for rules, with `saved` screens by name."""
    specs: dict[str, None] = {}
    for rule in rules:
        screen = rule.screen(saved or {}, convention)
        for needs in leaves(*screen.trees, base=parse_timeframe(rule.timeframe).text).values():
            specs |= dict.fromkeys(spec.text for spec in needs.specs)
    return list(specs)


def timeframes_of(
    rules: Iterable[AlertRule], saved: Mapping[str, str], convention: str
) -> list[str]:
    """Return the timeframes that an engine must have for rules, those of `@1h` among them."""
    sizes: dict[str, None] = {}
    for rule in rules:
        own = parse_timeframe(rule.timeframe).text
        found = leaves(*rule.screen(saved, convention).trees, base=own)
        sizes |= dict.fromkeys([own, *(each or own for each in found)])
    return list(sizes)

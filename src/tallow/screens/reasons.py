"""Why a token cannot stand where it does: what is wrong, the rule, and what to write."""

from __future__ import annotations

from collections.abc import Iterable

from tallow.core.errors import excerpt, near_matches
from tallow.core.operator import COLUMNS
from tallow.core.registry import registry
from tallow.core.screen_words import VALUE_FUNCTIONS
from tallow.core.spec import spec_of_column
from tallow.screens.tokens import Token
from tallow.screens.words import OTHER_NAMES, OTHERS, WORDS

_BETWEEN = ("and", "or", "within", "for", "crosses")


def why_no_operand(token: Token) -> str:
    """Return why there is no value or condition at a token."""
    if token.kind == "end":
        return "the text ends where a value or a condition must follow; complete it"
    why = f"{excerpt(token.text)}; a value or a condition must stand here, such as close"
    if token.word == "+":
        return f"{why}; leave out the +"
    return f"{why}{_others(token)}"


def why_no_operator(token: Token, expected: str) -> str:
    """Return why a token cannot stand behind an operand."""
    if token.word == "=":
        return "'='; compares nothing; write =="
    hint = _others(token)
    if token.kind == "name":
        near = near_matches(token.text, _BETWEEN)
        function = VALUE_FUNCTIONS.get(token.word)
        written = OTHER_NAMES.get(token.word) or (function and f"write {function}")
        hint = f"; {written or near}"
    return f"{excerpt(token.text)}; {expected} must stand here{hint}"


def _others(token: Token) -> str:
    return f"; {OTHERS[token.text]}" if token.text in OTHERS else ""


def why_unknown(name: str, saved: Iterable[str]) -> str:
    """Return why a name in a text means nothing, with names near it."""
    if name.lower() in OTHER_NAMES:
        return f"{excerpt(name)}; is no word of the language; {OTHER_NAMES[name.lower()]}"
    return _why_unknown(name, "column, indicator, function or saved screen", (*WORDS, *saved))


def why_no_value(name: str) -> str:
    """Return why a name is no value of the bars, with names near it."""
    return _why_unknown(name, "column or indicator", COLUMNS)


def _why_unknown(name: str, what: str, names: Iterable[str]) -> str:
    spec = spec_of_column(name.lower())
    if spec is not None:
        return f"{excerpt(name)}; an indicator is written with brackets; write {spec}"
    known = registry()
    hint = near_matches(name, {*names, *known.by_name, *known.aliases})
    return f"{excerpt(name)}; is no {what}; {hint}{known.broken()}"

"""The text of indicators in parts, each found in one pass: names, arguments, outputs, values.

However deep brackets lie in each other, a pass looks at each sign once.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tallow.core.errors import SpecError, shorten
from tallow.core.limits import DIGITS_MAX
from tallow.core.operator import Value

NAME = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NAMED = re.compile(r"([A-Za-z_]\w*)\s*=(.*)", re.DOTALL)
_BRACKETS = {"(": ")", "[": "]"}
QUOTED = r"""(?:"(?:[^"]|"")*+"|'(?:[^']|'')*+')"""
"""Finds a text in quotes; one of its own kind in it stands there twice."""

_QUOTED = rf"(?<![^\s(,=]){QUOTED}"
_IN_QUOTES = re.compile(_QUOTED)
_SIGNS = re.compile(rf"{_QUOTED}|[()\[\],]")
BRACKETS = re.compile(rf"{_QUOTED}|[()\[\]]")
"""Finds brackets, and texts in quotes, whose brackets are none."""


class QuotedText(str):
    """A value that stood in quotes: a text as it is, and neither a number nor a spec."""

    __slots__ = ()


def quote(text: str) -> str:
    """Return a text in quotes of a kind that it has not, or has twice where it has both."""
    if '"' in text and "'" not in text:
        return f"'{text}'"
    return '"' + text.replace('"', '""') + '"'


def unquote(text: str) -> str:
    """Return what stands in quotes, of which one within is written twice."""
    return text[1:-1].replace(text[0] * 2, text[0])


class Pieces(NamedTuple):
    """What ``name(arguments)[outputs]`` says."""

    name: str
    arguments: str
    outputs: str


class Arguments(NamedTuple):
    """Values by their places, and by name. One that is a spec is its text."""

    positional: list[Value]
    named: dict[str, Value]


def split_text(text: str) -> list[str]:
    """Split at the commas that stand outside of brackets and quotes.

    A bracket that is closed by another one, or never, is found wrong where the part is read.
    """
    parts, start = [], 0
    closing: list[str] = []
    for found in _SIGNS.finditer(text):
        sign = found[0]
        if closing and sign == closing[-1]:
            closing.pop()
        elif sign in _BRACKETS:
            closing.append(_BRACKETS[sign])
        elif sign == "," and not closing:
            parts.append(text[start : found.start()])
            start = found.end()
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def pieces_of(text: str) -> Pieces | None:
    """Return the pieces of ``name(arguments)[outputs]``; None where the text is not like that."""
    found = NAME.match(text)
    if found is None:
        return None
    rest, inner = text[found.end() :].strip(), {"(": "", "[": ""}
    for opening in _BRACKETS:
        if rest.startswith(opening):
            end = _end_of_bracket(rest)
            if end is None:
                return None
            inner[opening], rest = rest[1:end], rest[end + 1 :].strip()
    return None if rest else Pieces(found[0], inner["("], inner["["])


def _end_of_bracket(text: str) -> int | None:
    """Return where the bracket is closed that a text begins with; None where it is not."""
    closing: list[str] = []
    for found in BRACKETS.finditer(text):
        sign = found[0]
        if sign in _BRACKETS:
            closing.append(_BRACKETS[sign])
        elif sign in _BRACKETS.values():
            if sign != closing.pop():
                return None
            if not closing:
                return found.start()
    return None


def arguments_of(spec: str, text: str, *, has_texts: bool) -> Arguments:
    """Return the arguments in a text; `has_texts` says that some are texts, whose quotes count.

    `SpecError` naming the `spec`, where a name is given twice or stands before a value without one.
    """
    found = Arguments([], {})
    for part in split_text(text):
        pair = _NAMED.fullmatch(part)
        if pair is None:
            if found.named:
                raise SpecError(
                    f"{shorten(spec)}: {shorten(part)}; must stand before the named parameters"
                )
            found.positional.append(_value(part, has_texts))
        elif pair[1] in found.named:
            given = shorten(pair[2].strip())
            raise SpecError(f"{shorten(spec)}: {shorten(pair[1])}={given}; given twice")
        else:
            found.named[pair[1]] = _value(pair[2].strip(), has_texts)
    return found


def has_brackets(text: str) -> bool:
    """Say whether a value is the text of a spec, and no word."""
    return any(sign in text for sign in _BRACKETS)


def _value(text: str, has_texts: bool) -> Value:
    if has_texts and _IN_QUOTES.fullmatch(text):
        return QuotedText(unquote(text))
    text = text.strip("\"'")
    if not _NUMBER.fullmatch(text):
        return text
    # No whole number of so many digits is within a limit, and Python refuses to read a longer one.
    whole = len(text) <= DIGITS_MAX and not re.search(r"[.eE]", text)
    return int(text) if whole else float(text)

"""The text of a screen as tokens, one at a time, and errors that point into it.

Each sign is looked at a fixed number of times, whatever the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tallow.core.errors import ScreenError
from tallow.core.limits import SCREEN_EXCERPT
from tallow.core.spec_text import BRACKETS, QUOTED

TokenKind = Literal["number", "name", "timeframe", "quoted", "sign", "other", "end"]

_TOKEN = re.compile(
    rf"""
      (?P<number> (?: [0-9]+ (?:\.[0-9]*)? | \.[0-9]+ ) (?: [eE][+-]?[0-9]+ )? )
    | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<timeframe> @\s*[A-Za-z0-9_]* )
    | (?P<quoted> {QUOTED} )
    | (?P<sign> <= | >= | == | != | =(?![<>]) | <(?!>) | [-+*/>()\[\],] )
    | (?P<other> =[<>] | <> | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_SPACE = re.compile(r"\s*")
_OUTPUT = re.compile(r"\[\s*[A-Za-z_]")
_LATE_OUTPUT = re.compile(r"@\s*[A-Za-z0-9_]*\s*\[\s*[A-Za-z_]")


class Token(NamedTuple):
    """A token, and where it stands in the text. `text` is empty at the end."""

    kind: TokenKind
    text: str
    start: int

    @property
    def word(self) -> str:
        """A sign, or a name in lower case, as the language's own words are known by."""
        if self.kind == "sign":
            return self.text
        return self.text.lower() if self.kind == "name" else ""

    @property
    def end(self) -> int:
        """Where the text goes on."""
        return self.start + len(self.text)


@dataclass(frozen=True)
class ScreenText:
    """The text of a screen or of a number, and what a message calls it."""

    text: str
    what: str = "screen"

    def error(self, start: int, why: str) -> ScreenError:
        """Return the error for what is wrong at a character, with the line and a caret below it."""
        line_start = self.text.rfind("\n", 0, start) + 1
        line_end = self.text.find("\n", start)
        line = self.text[line_start : line_end if line_end >= 0 else None]
        column = start - line_start
        number = self.text.count("\n", 0, start) + 1
        lines = f"line {number}, " if "\n" in self.text.strip() else ""
        where = f"{self.what}, {lines}column {column + 1}"
        return ScreenError(f"{where}: {why}\n{_pointed(line, column)}")


def _pointed(line: str, column: int) -> str:
    """Return the part of a line around a column, and a caret below that."""
    first = max(column - SCREEN_EXCERPT, 0)
    last = column + SCREEN_EXCERPT
    before, after = "..." * (first > 0), "..." * (last < len(line))
    # Each sign is one column wide, or the caret would point elsewhere.
    shown = "".join(sign if sign.isprintable() else " " for sign in line[first:last])
    return f"  {before}{shown}{after}\n  {' ' * (len(before) + column - first)}^"


class Tokens:
    """A text's tokens. `now` is the one to be looked at, `end` where the one before it ended."""

    def __init__(self, source: ScreenText) -> None:
        self.source = source
        self.end = 0
        self.now = self._read(0)

    def is_end(self) -> bool:
        """Say whether there is no token any more."""
        return self.now.kind == "end"

    def take(self) -> Token:
        """Return the token, and go on to the next."""
        taken = self.now
        self._go_on(taken.end)
        return taken

    def skip_bracket(self) -> bool:
        """Go on behind the bracket that closes the one here; False where none does."""
        depth = 0
        for found in BRACKETS.finditer(self.source.text, self.now.start):
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(found[0], 0)
            if depth == 0:
                self._go_on(found.end())
                return True
        return False

    def is_output(self) -> bool:
        """Say whether an output's name in brackets follows."""
        return _OUTPUT.match(self.source.text, self.now.start) is not None

    def is_late_output(self) -> bool:
        """Say whether a timeframe follows, and behind it an output's name in brackets."""
        return _LATE_OUTPUT.match(self.source.text, self.now.start) is not None

    def _go_on(self, end: int) -> None:
        self.end = end
        self.now = self._read(end)

    def _read(self, start: int) -> Token:
        space = _SPACE.match(self.source.text, start)
        start = space.end() if space else start
        found = _TOKEN.match(self.source.text, start)
        if found is None:
            return Token("end", "", start)
        kind: TokenKind = found.lastgroup  # type: ignore[assignment]  # a name of the expression
        return Token(kind, found[0], start)

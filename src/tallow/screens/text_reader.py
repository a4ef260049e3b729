"""What reading a text takes at every step: the tokens, checks, and errors that point into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, NoReturn

from tallow.core.errors import TallowError, excerpt, shorten
from tallow.core.limits import DIGITS_MAX, SCREEN_BARS_MAX
from tallow.screens.nodes import EXAMPLES, Node, NodeKind
from tallow.screens.reasons import why_no_operator
from tallow.screens.sweeps import find_range
from tallow.screens.tokens import ScreenText, Tokens


class Phrase(NamedTuple):
    """A node, and where its text begins and ends."""

    node: Node
    start: int
    end: int


class TextReader:
    """A text and its tokens. What begins a phrase is its `start`."""

    def __init__(self, source: ScreenText) -> None:
        self.source = source
        if (start := find_range(source.text)) is not None:
            self.fail(
                start,
                "a range of numbers stands in the condition of a sweep alone; write one number "
                "here, or ask for a sweep",
            )
        self.tokens = Tokens(source)

    def whole_number(self, what: str, least: int) -> int:
        """Take a whole number of `least`..`SCREEN_BARS_MAX`."""
        token = self.tokens.now
        is_whole = token.kind == "number" and token.text.isdigit() and len(token.text) <= DIGITS_MAX
        if not is_whole or not least <= int(token.text) <= SCREEN_BARS_MAX:
            self.fail_here(
                f"{what}: {self.now_shown()}; must be a whole number {least}..{SCREEN_BARS_MAX}"
            )
        return int(self.tokens.take().text)

    def require(self, part: Phrase, kind: NodeKind | None, what: str) -> None:
        """Raise `ScreenError` unless a part is of a kind; `what` says who takes it."""
        if kind is not None and part.node.kind != kind:
            self.fail(
                part.start,
                f"{self.shown(part)}; is a {part.node.kind}; {what} {EXAMPLES[kind]}",
            )

    def made(self, start: int, make: Callable[[], Node]) -> Phrase:
        """Return the phrase of a node that begins at a character and ends here."""
        return Phrase(self.checked(start, make), start, self.tokens.end)

    def checked(self, start: int, make: Callable[[], Node]) -> Node:
        """Return the node that is made; what it refuses is told as of a character."""
        try:
            return make()
        except TallowError as error:
            raise self.source.error(start, str(error)) from error

    def require_comma(self, what: str) -> None:
        """Take a comma; `what` is written with one."""
        if self.tokens.now.word != ",":
            self.fail_here(f"{self.now_shown()}; a comma must follow, as in {what}")
        self.tokens.take()

    def close(self, bracket: str, start: int) -> None:
        """Take the bracket that closes the one at a character."""
        if self.tokens.now.word == bracket:
            self.tokens.take()
        elif self.tokens.is_end():
            opened = self.source.text[start]
            self.fail(start, f"{opened} is never closed; write {bracket}")
        else:
            expected = f"{bracket} or an operator" if bracket == ")" else bracket
            self.fail_here(why_no_operator(self.tokens.now, expected))

    def fail(self, start: int, why: str) -> NoReturn:
        """Raise `ScreenError` for what is wrong at a character."""
        raise self.source.error(start, why)

    def fail_here(self, why: str) -> NoReturn:
        """Raise `ScreenError` for what is wrong at the token."""
        self.fail(self.tokens.now.start, why)

    def shown(self, part: Phrase) -> str:
        """Return a phrase as an error shows it."""
        return shorten(self.source.text[part.start : part.end])

    def now_shown(self) -> str:
        """Return the token as an error shows it."""
        now = self.tokens.now
        return excerpt(now.text) if now.text else "the text ends"

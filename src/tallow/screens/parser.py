"""From text to a typed tree: precedence climbing over the tokens; nothing is ever evaluated.

An indicator is cut out of the text whole, and read by `tallow.core.spec`, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tallow.core.errors import ScreenError, excerpt
from tallow.core.limits import (
    SCREEN_CHARACTERS_MAX,
    SCREEN_DEPTH_MAX,
)
from tallow.core.operator import COLUMNS
from tallow.core.registry import registry
from tallow.core.screen_words import BAR_FUNCTIONS, PARTICLES, VALUE_FUNCTIONS
from tallow.core.spec import parse_specs
from tallow.core.spec_text import unquote
from tallow.core.timeframe import parse_timeframe
from tallow.screens.nodes import (
    CONDITION,
    CROSS_SECTIONS,
    NUMBER,
    Combination,
    Constant,
    CrossSection,
    Leaf,
    Node,
    NodeKind,
    OverBars,
)
from tallow.screens.reasons import why_no_operand, why_no_operator, why_unknown
from tallow.screens.saved import SavedScreens
from tallow.screens.text_reader import Phrase, TextReader
from tallow.screens.timeframes import on_timeframe
from tallow.screens.tokens import ScreenText, Token
from tallow.screens.words import FUNCTIONS, LEVELS, NEGATIVE, NOT, OR, RELATION, REPEAT

_BRACKETS_MAX = 2 * SCREEN_DEPTH_MAX + 2
"""How deep the text of a tree may nest: each node is an operand, and may stand in brackets."""


def parse_screen(
    text: str,
    saved: Mapping[str, str] | None = None,
    *,
    kind: NodeKind | None = None,
    convention: str = "tradingview",
    what: str = "screen",
) -> Node:
    """Read the text of a screen, or of a number to rank by or to show.

    Parameters
    ----------
    text
        A condition, such as ``close > ema(20) and rsi(14)@1h < 30``, or a number.
    saved
        Texts of saved screens by name; a name stands for its condition.
    kind
        What it must be: ``condition`` or ``number``; either where None.
    convention
        ``tradingview`` or ``talib``: the defaults of indicators.
    what
        What messages call the text.

    Returns
    -------
    Node
        The tree. Saved screens are put in where they are named.

    Raises
    ------
    ScreenError
        Naming what is wrong, its column with the text, the rule, and near names.

    Examples
    --------
    >>> parse_screen("close > 100").kind
    'condition'
    """
    if not isinstance(text, str):
        raise ScreenError(f"{what}: {excerpt(text)}; must be text, such as close > ema(20)")
    reader = _Parser(ScreenText(text, what), SavedScreens(saved or {}), convention, 0)
    part = reader.whole()
    if kind is not None:
        reader.require(part, kind, "what is asked for is")
    return part.node


class _Parser(TextReader):
    """One text on its way to a tree. `depth` is how deep it already lies in others."""

    def __init__(
        self, source: ScreenText, saved: SavedScreens, convention: str, depth: int
    ) -> None:
        if len(source.text) > SCREEN_CHARACTERS_MAX:
            raise ScreenError(
                f"{source.what}: {len(source.text):,} characters; at most "
                f"{SCREEN_CHARACTERS_MAX:,}; ask in several screens"
            )
        super().__init__(source)
        self.saved = saved
        self.convention = convention
        self.depth = depth

    def whole(self) -> Phrase:
        """Read the text to its end."""
        if self.tokens.is_end():
            self.fail(0, "is empty; give a condition, such as close > ema(20)")
        part = self.expression(OR)
        if not self.tokens.is_end():
            self.fail_here(why_no_operator(self.tokens.now, "an operator"))
        return part

    def expression(self, least: int) -> Phrase:
        """Read an operand with all operators behind it that bind as tight as `least`, or tighter.

        A loop for operators of one level, and a call for each that is deeper.
        """
        self.depth += 1
        if self.depth > _BRACKETS_MAX:
            self.fail_here(
                f"lies more than {SCREEN_DEPTH_MAX} deep in operators, brackets and saved screens; "
                "ask in several screens"
            )
        left = self._operand()
        while (level := self._level()) >= least:
            left = self._repeat(left) if level == REPEAT else self._infix(left, level)
        self.depth -= 1
        return left

    # Operators

    def _level(self) -> int:
        return LEVELS.get(self.tokens.now.word, 0)

    def _infix(self, left: Phrase, level: int) -> Phrase:
        token = self.tokens.take()
        operator = self._crossing(token) if token.word == "crosses" else token.word
        takes = CONDITION if operator in {"and", "or"} else NUMBER
        self.require(left, takes, f"{operator} takes")
        right = self.expression(level + 1)
        self.require(right, takes, f"{operator} takes")
        if level == RELATION and self._level() == RELATION:
            shown = [self.shown(left), operator, self.shown(right)]
            self.fail_here(
                f"{excerpt(self.tokens.now.text)}; comparisons do not chain; write "
                f"{' '.join(shown)} and {shown[2]} {self.tokens.now.text} ..."
            )
        return self.made(left.start, lambda: Combination(operator, (left.node, right.node)))

    def _crossing(self, token: Token) -> str:
        word = self.tokens.now.word
        if word not in {"above", "below"}:
            self.fail_here(
                f"{self.now_shown()}; crosses must be followed by above or below; write "
                "crosses above"
            )
        self.tokens.take()
        return f"{token.word} {word}"

    def _repeat(self, left: Phrase) -> Phrase:
        """Read ``within 5 bars`` or ``for 3 bars`` behind a condition."""
        word = self.tokens.take().word
        self.require(left, CONDITION, f"{word} takes")
        bars = self.whole_number(f"bars of {word}", 1)
        if self.tokens.now.word not in {"bars", "bar"}:
            self.fail_here(f"{self.now_shown()}; must be bars: {word} {bars} bars")
        self.tokens.take()
        if self._level() == REPEAT:
            self.fail_here(
                f"{excerpt(self.tokens.now.text)}; behind {word} another needs parentheses: "
                f"({self.shown(left)} {word} {bars} bars) {self.tokens.now.text} ..."
            )
        return self.made(left.start, lambda: OverBars(word, left.node, bars))

    # Operands

    def _operand(self) -> Phrase:
        token = self.tokens.now
        match token.kind, token.word:
            case "number", _:
                return self._suffixes(self._constant())
            case _, "(":
                return self._suffixes(self._group())
            case _, "-":
                return self._prefix("negative", NEGATIVE, NUMBER)
            case _, "not":
                return self._prefix("not", NOT, CONDITION)
            case _, "forming":
                return self._forming()
        if token.kind != "name":
            self.fail_here(why_no_operand(token))
        return self._suffixes(self._named(token))

    def _prefix(self, operator: str, level: int, kind: NodeKind) -> Phrase:
        token = self.tokens.take()
        operand = self.expression(level)
        self.require(operand, kind, f"{token.text} takes")
        return self.made(token.start, lambda: Combination(operator, (operand.node,)))

    def _constant(self) -> Phrase:
        token = self.tokens.take()
        if self.tokens.now.kind == "name" and self.tokens.now.start == token.end:
            given = excerpt(token.text + self.tokens.now.text)
            self.fail(token.start, f"{given}; is no number; write it out, as 20000 or 2e4")
        return self.made(token.start, lambda: Constant(float(token.text)))

    def _group(self) -> Phrase:
        start = self.tokens.take().start
        inner = self.expression(OR)
        self.close(")", start)
        return Phrase(inner.node, start, self.tokens.end)

    def _named(self, token: Token) -> Phrase:
        word = token.word
        if word in COLUMNS:
            self.tokens.take()
            return self.made(token.start, lambda: Leaf(word))
        if word in FUNCTIONS:
            return self._function(token)
        if word in PARTICLES:
            self.fail(token.start, why_no_operand(token))
        if registry().get(word) is not None:
            return self._indicator(token)
        if token.text not in self.saved.texts:
            self.fail(token.start, why_unknown(token.text, self.saved.texts))
        return self._saved(token)

    def _indicator(self, token: Token) -> Phrase:
        """Cut an indicator with its arguments and its output out of the text, and have it read."""
        self.tokens.take()
        if self.tokens.now.word == "(":
            self._skip(token)
        if self.tokens.is_output():
            self._skip(token)
        if self.tokens.is_late_output():
            self.fail_here(
                f"{self.tokens.now.text}; must stand behind the output: bollinger(20, 2)[upper]@1h"
            )
        text = self.source.text[token.start : self.tokens.end]

        def read() -> Leaf:
            (spec,) = parse_specs(text, self.convention)
            return Leaf(spec)

        return self.made(token.start, read)

    def _skip(self, token: Token) -> None:
        bracket = self.tokens.now
        if not self.tokens.skip_bracket():
            self.fail(
                bracket.start, f"{bracket.text} behind {token.text} is never closed; close it"
            )

    def _saved(self, token: Token) -> Phrase:
        self.tokens.take()

        def read(source: ScreenText) -> Node:
            reader = _Parser(source, self.saved, self.convention, self.depth)
            part = reader.whole()
            reader.require(part, CONDITION, "a saved screen is")
            return part.node

        if circle := self.saved.circle(token.text):
            self.fail(
                token.start, f"{circle}: a saved screen cannot name itself; take one name out"
            )
        return Phrase(self.saved.tree(token.text, read), token.start, token.end)

    def _forming(self) -> Phrase:
        """Read ``forming close@1h``: the value of the bar that is still open."""
        start = self.tokens.take().start
        token = self.tokens.now
        is_value = token.word in COLUMNS or (
            token.word not in {*FUNCTIONS, *PARTICLES} and registry().get(token.word) is not None
        )
        if token.kind != "name" or not is_value:
            self.fail_here(
                f"{self.now_shown()}; forming must stand before one column or indicator: forming "
                "close@1h"
            )
        part = self._named(token)
        if self.tokens.now.kind == "timeframe":
            part = self._on_timeframe(part)
        leaf = part.node
        assert isinstance(leaf, Leaf)
        if self.tokens.now.word == "[":
            self.fail_here(
                "an offset counts closed bars, and a forming bar is none; leave out the offset, or "
                "forming"
            )
        return self.made(start, lambda: replace(leaf, is_forming=True))

    # Functions

    def _function(self, token: Token) -> Phrase:
        self.tokens.take()
        name = token.word
        if self.tokens.now.word != "(":
            shown = VALUE_FUNCTIONS.get(name, f"{name}(x, 3)" if name in BAR_FUNCTIONS else "")
            self.fail_here(f"{name} is a function; write {shown or f'{name}(x)'}")
        bracket = self.tokens.take().start
        read = self._bar_function if name in BAR_FUNCTIONS else self._value_function
        make = self._cross_section(name) if name in CROSS_SECTIONS else read(name)
        self.close(")", bracket)
        return self.made(token.start, make)

    def _bar_function(self, name: str) -> Callable[[], Node]:
        operand = self._argument(name, NUMBER)
        bars = 1
        if self.tokens.now.word == "," or name != "change":
            self.require_comma(f"{name}(x, 3): how many bars")
            bars = self.whole_number(f"bars of {name}", 1)
        return lambda: OverBars(name, operand.node, bars)

    def _value_function(self, name: str) -> Callable[[], Node]:
        operands = [self._argument(name, NUMBER).node]
        while self.tokens.now.word == ",":
            self.tokens.take()
            operands.append(self._argument(name, NUMBER).node)
        return lambda: Combination(name, tuple(operands))

    def _cross_section(self, name: str) -> Callable[[], Node]:
        operand = self._argument(name, CROSS_SECTIONS[name].takes)
        population = None
        if self.tokens.now.word == ",":
            self.tokens.take()
            population = self._population(name)
        return lambda: CrossSection(name, operand.node, population)

    def _argument(self, name: str, kind: NodeKind | None) -> Phrase:
        part = self.expression(OR)
        self.require(part, kind, f"{name} takes")
        return part

    def _population(self, name: str) -> str:
        rule = f"{name}: behind the comma stands its population: in=NIFTY500"
        for word in ("in", "="):
            if self.tokens.now.word != word:
                self.fail_here(f"{self.now_shown()}; {rule}")
            self.tokens.take()
        token = self.tokens.now
        if token.kind not in {"name", "quoted"}:
            self.fail_here(f"{self.now_shown()}; {rule}, or in quotation marks")
        self.tokens.take()
        if token.kind == "quoted":
            return unquote(token.text)
        if self.tokens.now.word != ")" and not self.tokens.is_end():
            self.fail_here(
                f"{self.now_shown()}; in={token.text} must end here; a name of several words or "
                f'signs stands in quotation marks, as in="{token.text}/Banks"'
            )
        return token.text

    # Behind operands

    def _suffixes(self, part: Phrase) -> Phrase:
        """Read ``@1h`` and ``[1]`` behind an operand, in this order."""
        if self.tokens.now.kind == "timeframe":
            part = self._on_timeframe(part)
        if self.tokens.now.word != "[":
            return part
        part = self._offset(part)
        token = self.tokens.now
        if token.kind == "timeframe":
            self.fail_here(f"{token.text}; must stand before the offset: close@1h[1]")
        if token.word == "[":
            self.fail_here("has an offset already; add them to one, or use parentheses")
        return part

    def _on_timeframe(self, part: Phrase) -> Phrase:
        token = self.tokens.take()
        if self.tokens.now.kind == "timeframe":
            self.fail_here("has a timeframe already; leave one out")
        text = token.text[1:].strip()
        made = self.checked(
            token.start, lambda: on_timeframe(part.node, parse_timeframe(text).text)
        )
        return Phrase(made, part.start, token.end)

    def _offset(self, part: Phrase) -> Phrase:
        if self.tokens.is_output():
            self.fail_here(
                "an output must stand directly behind its indicator: bollinger(20, 2)[upper]@1h[1]"
            )
        start = self.tokens.take().start
        if self.tokens.now.word == "-":
            self.fail_here("an offset counts bars back; a negative one would look ahead; write [1]")
        bars = self.whole_number("offset", 0)
        self.close("]", start)
        if bars == 0:
            return Phrase(part.node, part.start, self.tokens.end)
        return self.made(part.start, lambda: OverBars("offset", part.node, bars))

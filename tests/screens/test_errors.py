"""Goal: whoever writes a screen wrong is told where, why, and what to write.

Method: wrong texts, each with the column of its mistake and words of the message; the line and the
caret below it are read off the message; any text at all gives a tree or such an error, and each of
its signs is looked at a fixed number of times.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.core.errors import ScreenError
from tallow.core.limits import SCREEN_CHARACTERS_MAX, SCREEN_EXCERPT
from tallow.core.operator import COLUMNS
from tallow.screens.nodes import CONDITION, NUMBER
from tallow.screens.parser import parse_screen
from tallow.screens.text import text_of
from tallow.screens.tokens import Tokens
from tallow.screens.words import WORDS

WRONG = {
    # text: column, words of the message
    "": (1, "is empty; give a condition, such as close > ema(20)"),
    "close = 3": (7, "'='; compares nothing; write =="),
    "close < open < high": (14, "do not chain; write close < open and open < ..."),
    "close crosses above open > 1": (26, "comparisons do not chain"),
    "close and 3": (1, "close; is a number; and takes a condition, such as close > 3"),
    "close > 1 and 3": (15, "3; is a number; and takes a condition"),
    "(close > 1) + 1": (1, "(close > 1); is a condition; + takes a number, such as close"),
    "(close > 1) > 1": (1, "is a condition; > takes a number"),
    "not close": (5, "close; is a number; not takes a condition"),
    "-(close > 1) > 1": (2, "is a condition; - takes a number"),
    "close within 5 bars": (1, "close; is a number; within takes a condition"),
    "rising(close > 1, 3)": (8, "is a condition; rising takes a number"),
    "breadth(close) > 1": (9, "close; is a number; breadth takes a condition"),
    "close > 1 within 5": (19, "the text ends; must be bars: within 5 bars"),
    "close > 1 within 5 days": (20, "'days'; must be bars: within 5 bars"),
    "close > 1 within x bars": (18, "bars of within: 'x'; must be a whole number 1..5000"),
    "close > 1 for 0 bars": (15, "bars of for: '0'; must be a whole number 1..5000"),
    "close > 1 within 5 bars for 2 bars": (25, "needs parentheses: (close > 1 within 5 bars) for"),
    "close crosses over open": (15, "'over'; crosses must be followed by above or below"),
    "close crossed above open": (7, "'crossed'; an operator must stand here"),
    "emma(20) > 1": (1, "'emma'; is no column, indicator, function or saved screen; did you mean"),
    "close > ema(9) and risng(low, 3)": (20, "did you mean rising"),
    "ema_20 > 1": (1, "'ema_20'; an indicator is written with brackets; write ema(20)"),
    "ema20 > 1": (1, "'ema20'; an indicator is written with brackets; write ema(20)"),
    "bb20_2p5 > 1": (1, "'bb20_2p5'; an indicator is written with brackets; write bb(20, 2.5)"),
    "ta.ema(20) > 1": (1, "'ta'; is no word of the language; leave out the prefix"),
    "close => 1": (7, "'=>'; an operator must stand here; write >="),
    "close =< 1": (7, "write <="),
    "close <> 1": (7, "'<>'; an operator must stand here; write !="),
    "close > 1 # risen": (11, "leave the remark out"),
    "close > null": (9, "what is not known is neither true nor false"),
    "min(close) > 1": (1, "min: 1 operand; must be 2 or more"),
    "crossover(close, open)": (1, "write x crosses above y"),
    "close > true": (9, "a comparison is true by itself"),
    "close > 1 && open > 1": (11, "'&'; an operator must stand here; write and"),
    "close > 1 | open > 1": (11, "write or"),
    "!close > 1": (1, "'!'; a value or a condition must stand here, such as close; write not"),
    "close > 2%": (10, "write a part of one"),
    "close > +2": (9, "leave out the +"),
    "close >": (8, "the text ends where a value or a condition must follow"),
    "close > and": (9, "'and'; a value or a condition must stand here"),
    "close > 20,000": (11, "','; an operator must stand here; write and between conditions, and 2"),
    "close > 1; open > 1": (10, "write and between conditions"),
    '{"op": ">"}': (1, "of a tree in JSON: read it by tallow.screens.json_form.from_json"),
    "close between 1 and 2": (7, "write between(x, low, high)"),
    "close > 20k": (9, "'20k'; is no number"),
    "close > 1e999": (9, "number: inf; must be finite"),
    "(close > 1": (1, "( is never closed; write )"),
    "(close > 1]": (11, "']'; ) or an operator must stand here"),
    "close > 1)": (10, "')'; an operator must stand here"),
    "ema(20 > 1": (4, "( behind ema is never closed"),
    "ema(0) > 1": (1, "ema: length=0; must be 1..5000"),
    "ema(lenght=3) > 1": (1, "lenght; unknown; did you mean length?"),
    "bollinger(20, 2) > 1": (1, "has several outputs: upper, middle, lower"),
    "bollinger(20, 2)[uper] > 1": (1, "output 'uper'; unknown; did you mean upper"),
    "bollinger(20, 2)[upper, lower] > 1": (1, "has several outputs: upper, lower; choose one"),
    "bollinger(20, 2)@1h[upper] > 1": (17, "@1h; must stand behind the output"),
    "close[upper] > 1": (6, "an output must stand directly behind its indicator"),
    "close[1]@1h > 1": (9, "@1h; must stand before the offset: close@1h[1]"),
    "close[1][2] > 1": (9, "has an offset already"),
    "close[-1] > 1": (7, "would look ahead"),
    "close[1.5] > 1": (7, "offset: '1.5'; must be a whole number 0..5000"),
    "close[1 > 1": (9, "'>'; ] must stand here"),
    "close@1x > 1": (6, "timeframe: '1x'; must be 1d, 1w, 1mo"),
    "close@ > 1": (6, "timeframe: ''; must be"),
    "close@1h@1d > 1": (9, "has a timeframe already"),
    "(close@1h > open)@1d": (18, "close@1h has a timeframe already; give it once"),
    "(2 > 1)@1h": (8, "a number is the same in every timeframe"),
    "cs_rank(close)@1h > 1": (15, "give the timeframe to what it ranks or counts"),
    "forming close > 1": (1, "must be of a longer one than the screen's; write forming close@1h"),
    "forming close@1h[1] > 1": (17, "an offset counts closed bars, and a forming bar is none"),
    "forming (close@1h) > 1": (9, "forming must stand before one column or indicator"),
    "forming abs(close)@1h > 1": (9, "forming must stand before one column or indicator"),
    "rising(close)": (13, "')'; a comma must follow, as in rising(x, 3): how many bars"),
    "rising > 1": (8, "rising is a function; write rising(x, 3)"),
    "between(close, 1)": (1, "between: 2 operands; must be 3"),
    "abs(close, 1) > 1": (1, "abs: 2 operands; must be 1"),
    "cs_rank(close, in=sector/IT) > 1": (25, "stands in quotation marks, as in="),
    "cs_rank(close, in=NIFTY 500) > 1": (25, "'500'; in=NIFTY must end here"),
    "cs_rank(close, sector) > 1": (16, "'sector'; cs_rank: behind the comma stands its population"),
    "cs_rank(close, in=) > 1": (19, "')'; cs_rank: behind the comma stands its population"),
    "close > 1 open > 1": (11, "'open'; an operator must stand here"),
}


def place_of(message: str) -> tuple[str, int]:
    """Return the line that a message shows, and the column of the caret below it."""
    _, line, caret = message.split("\n")
    return line[2:], caret.index("^") - 1


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_told_with_its_column(text):
    column, words = WRONG[text]
    with pytest.raises(ScreenError) as caught:
        parse_screen(text)
    message = str(caught.value)
    assert message.startswith(f"screen, column {column}: "), message
    assert words in message
    assert place_of(message) == (text, column)


def test_what_is_asked_for_must_be_what_is_given():
    with pytest.raises(ScreenError, match="close; is a number; what is asked for is a condition"):
        parse_screen("close", kind=CONDITION)
    with pytest.raises(ScreenError, match="is a condition; what is asked for is a number"):
        parse_screen("close > 1", kind=NUMBER)
    with pytest.raises(ScreenError, match="screen: 3; must be text"):
        parse_screen(3)  # type: ignore[arg-type]
    with pytest.raises(ScreenError, match="did you mean talib"):
        parse_screen("ema(3) > 1", convention="talip")


def test_of_several_lines_the_one_is_shown():
    with pytest.raises(ScreenError) as caught:
        parse_screen("close > 1\n  and\tclos > 2\n  and open > 3")
    assert "line 2, column 7: 'clos'" in str(caught.value)
    assert place_of(str(caught.value)) == ("  and clos > 2", 7)


def test_of_a_long_line_the_part_is_shown():
    before, after = "close > 1 and " * 40, " > 1" + " and close > 1" * 40
    with pytest.raises(ScreenError) as caught:
        parse_screen(f"{before}clos{after}")
    line, column = place_of(str(caught.value))
    assert f"column {len(before) + 1}: 'clos'" in str(caught.value)
    assert line[column - 1 :].startswith("clos > 1")
    assert (line[:3], line[-3:], len(line)) == ("...", "...", 2 * SCREEN_EXCERPT + 6)


# Any text


PIECES = [
    *sorted(WORDS),
    *COLUMNS,
    "ema(9)",
    "bb(20, 2)[upper]",
    "rsi",
    "@1h",
    "@",
    "[1]",
    "[",
    "]",
]
PIECES += [
    *"()+-*/<>=,!&\"'.\n",
    "<=",
    "==",
    "3",
    "0.5",
    "1e5",
    "1h",
    "x",
    "\x1b[2J",
    "\u202e",
    "\ud800",
]
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join), st.text(max_size=60)
)


def read_any(text: str) -> None:
    """Read a text, which may only be a tree or an error of a screen, with nothing else in it."""
    try:
        tree = parse_screen(text, {"x": "close > 1"})
    except ScreenError as error:
        message = str(error)
    else:
        message = ""
        assert parse_screen(text_of(tree)) == tree
    assert all(sign.isprintable() or sign in "\n\t" for sign in message)


@settings(max_examples=300)
@given(texts)
def test_any_text_is_a_tree_or_an_error(text):
    read_any(text)


@pytest.mark.nightly
@settings(max_examples=100_000)
@given(texts)
def test_any_of_very_many_texts_is_a_tree_or_an_error(text):
    read_any(text)


LONG = ["(", "[", "-", "not ", "ema(", "close > 1 and ", "close + ", "1", "x", "@1h ", "'", "abs("]
LONG += [
    "close[1]",
    "forming ",
    "close > 1 within 2 bars ",
    "\n",
    "cs_rank(close, in=",
    "ema(rsi,",
    " ",
]


@pytest.mark.parametrize("piece", LONG)
def test_of_a_long_text_each_token_is_read_at_most_twice(piece, monkeypatch):
    reads: list[int] = []
    read = Tokens._read

    def counted(tokens, start):
        reads.append(start)
        return read(tokens, start)

    monkeypatch.setattr(Tokens, "_read", counted)
    text = (piece * (100_000 // len(piece) + 1))[:100_000]
    with pytest.raises(ScreenError):
        parse_screen(text)
    assert len(reads) <= 2 * len(text) / len(piece) + 2
    assert len(reads) == len(set(reads))


def test_a_text_that_is_too_long_is_not_read():
    with pytest.raises(ScreenError, match=f"at most {SCREEN_CHARACTERS_MAX:,}"):
        parse_screen("(" * (SCREEN_CHARACTERS_MAX + 1))

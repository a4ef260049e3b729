"""Candles of functions without reading options: their errors name `read_candles`, which has them.

`read_candles` has parameters for what an input leaves out, such as its times' zone, and its errors
and warnings name them. Functions that take any candles have none of these: they take what it
returns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import ParamSpec, TypeVar

from tallow.core.errors import CandleInputError
from tallow.data.reading.assumptions import WarnOnce

P = ParamSpec("P")
T = TypeVar("T")

_ASKED = re.compile(r"""\b(pass|add|with) ([a-z_]+=)("[^"]*"|'[^']*'|\w+)?""")


def read_as_given(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Read candles for a function without the parameters of `read_candles`.

    Parameters
    ----------
    read
        `read_candles`, or another with its errors.
    args, kwargs
        What it is given.

    Raises
    ------
    CandleInputError, NaiveTimeError
        As `read`; what they ask for is to be given to `read_candles`.
    """
    try:
        with WarnOnce(_in_their_words):
            return read(*args, **kwargs)
    except CandleInputError as error:
        raise type(error)(_in_their_words(str(error))) from error


def read_in_words(
    words: Mapping[str, str], read: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Read candles for a function whose parameters have other names, or that lacks some.

    `words` are what to say instead of what regular expressions find in an error or a warning.
    """
    try:
        with WarnOnce(partial(_in_words, words)):
            return read(*args, **kwargs)
    except CandleInputError as error:
        raise type(error)(_in_words(words, str(error))) from error


def _in_words(words: Mapping[str, str], message: str) -> str:
    for theirs, ours in words.items():
        message = re.sub(theirs, ours, message)
    return message


def _in_their_words(message: str) -> str:
    return _ASKED.sub(_by_read_candles, message)


def _by_read_candles(asked: re.Match[str]) -> str:
    by = "with" if asked[1] == "with" else "pass"
    return f"{by} read_candles(candles, {asked[2]}{asked[3] or '...'})"

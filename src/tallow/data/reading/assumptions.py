"""What is assumed of an input that does not say it: one warning each, where reading ends.

`read_candles` has parameters for what an input leaves out, such as its times' zone, and its errors
and warnings name them. Functions that take any candles have none of these: they take what it
returns, and say so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from tallow.core.errors import CandleInputError, warn_caller
from tallow.core.text import first_of

P = ParamSpec("P")
T = TypeVar("T")

_Gathered = dict[str, dict[str, None]]
"""What is assumed, and of which sources, each once."""

_GATHERED: ContextVar[_Gathered | None] = ContextVar("gathered", default=None)


def assume(source: str, what: str) -> None:
    """Assume something that a source does not say.

    `what` follows the source's name: what is assumed, and how to say it.
    """
    gathered = _GATHERED.get()
    if gathered is None:
        warn_caller(f"{source}: {what}")
    else:
        gathered.setdefault(what, {})[source] = None


class WarnOnce:
    """Warns of each assumption in it once, with the first source, where it ends well.

    Within another one, that one warns; `words` says it in the words of those who called. A `silent`
    one is for a first look at rows that will be read again.
    """

    __slots__ = ("_gathered", "_silent", "_token", "_words")

    def __init__(self, words: Callable[[str], str] = str, silent: bool = False) -> None:
        self._words, self._silent = words, silent

    def __enter__(self) -> None:
        self._gathered: _Gathered = {}
        self._token = _GATHERED.set(self._gathered)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _GATHERED.reset(self._token)
        if self._gathered and kind is None and not self._silent:
            self._warn(_GATHERED.get())

    def _warn(self, outer: _Gathered | None) -> None:
        for what, sources in self._gathered.items():
            said = self._words(what)
            if outer is not None:
                outer.setdefault(said, {}).update(sources)
                continue
            warn_caller(f"{first_of(list(sources))}: {said}")


def warn_once(read: Callable[P, T]) -> Callable[P, T]:
    """Return a function that reads in a `WarnOnce`."""

    @wraps(read)
    def warn_at_end(*args: P.args, **kwargs: P.kwargs) -> T:
        with WarnOnce():
            return read(*args, **kwargs)

    return warn_at_end


_ASKED = re.compile(r"""\b(pass|add|with) ([a-z_]+=)("[^"]*"|'[^']*'|\w+)?""")


def read_as_given(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Read candles for a function without the parameters of `read_candles`.

    `read` is `read_candles`, or another with its errors: what they ask for is to be given to
    `read_candles`.
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

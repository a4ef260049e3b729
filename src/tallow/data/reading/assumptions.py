"""What is assumed of an input that does not say it: one warning each, where reading ends."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from tallow.core.errors import TallowWarning
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
        warnings.warn(f"{source}: {what}", TallowWarning, stacklevel=3)
    else:
        gathered.setdefault(what, {})[source] = None


class WarnOnce:
    """Warns of each assumption in it once, with the first source, where it ends well.

    Within another one, that one warns; `words` says it in the words of those who called.
    """

    __slots__ = ("_gathered", "_token", "_words")

    def __init__(self, words: Callable[[str], str] = str) -> None:
        self._words = words

    def __enter__(self) -> None:
        self._gathered: _Gathered = {}
        self._token = _GATHERED.set(self._gathered)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _GATHERED.reset(self._token)
        if self._gathered and kind is None:
            self._warn(_GATHERED.get())

    def _warn(self, outer: _Gathered | None) -> None:
        for what, sources in self._gathered.items():
            said = self._words(what)
            if outer is not None:
                outer.setdefault(said, {}).update(sources)
                continue
            # This, `__exit__` and the function that reads: its caller is meant.
            warnings.warn(f"{first_of(list(sources))}: {said}", TallowWarning, stacklevel=4)


def warn_once(read: Callable[P, T]) -> Callable[P, T]:
    """Return a function that reads in a `WarnOnce`."""

    @wraps(read)
    def warn_at_end(*args: P.args, **kwargs: P.kwargs) -> T:
        with WarnOnce():
            return read(*args, **kwargs)

    return warn_at_end

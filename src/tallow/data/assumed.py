"""What nobody says of an input, and is taken all the same: told once, where reading ends."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tallow.core.errors import TallowWarning

_Gathered = dict[str, dict[str, None]]
"""What is taken, and of which sources, each once."""

_GATHERED: ContextVar[_Gathered | None] = ContextVar("gathered", default=None)


def assume(source: str, what: str) -> None:
    """Take something of a source that nobody says of it.

    `what` goes on after the source's name: what is taken, and how to say it.
    """
    gathered = _GATHERED.get()
    if gathered is None:
        warnings.warn(f"{source}: {what}", TallowWarning, stacklevel=3)
    else:
        gathered.setdefault(what, {})[source] = None


@contextmanager
def told_once(words: Callable[[str], str] = str) -> Iterator[None]:
    """Warn of each thing that is taken in here once, with the first source, as it ends well.

    Within another one, that one warns; `words` says it in the words of those who called.
    """
    gathered: _Gathered = {}
    token = _GATHERED.set(gathered)
    try:
        yield
    finally:
        _GATHERED.reset(token)
    outer = _GATHERED.get()
    for what, sources in gathered.items():
        said = words(what)
        if outer is not None:
            outer.setdefault(said, {}).update(sources)
            continue
        others = f" (and {len(sources) - 1} more files)" if len(sources) > 1 else ""
        # The generator, its manager and the function that reads: its caller is meant.
        warnings.warn(f"{next(iter(sources))}{others}: {said}", TallowWarning, stacklevel=4)

"""Saved screens by their names: each is read once, and none names itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tallow.core.errors import ScreenError, excerpt
from tallow.core.limits import NAME_CHARACTERS_MAX
from tallow.core.registry import registry
from tallow.screens.nodes import Node
from tallow.screens.tokens import ScreenText
from tallow.screens.words import WORDS

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SavedScreens:
    """Texts by their names, which may name each other."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            check_saved(name, text)
        self.texts = texts
        self._trees: dict[str, Node] = {}
        self._open: list[str] = []

    def circle(self, name: str) -> str:
        """Return by which way a screen, whose text is being read, names itself; else nothing."""
        if name not in self._open:
            return ""
        return " -> ".join([*self._open[self._open.index(name) :], name])

    def tree(self, name: str, read: Callable[[ScreenText], Node]) -> Node:
        """Return the tree of a screen, which `read` makes of its text."""
        if name not in self._trees:
            self._open.append(name)
            self._trees[name] = read(ScreenText(self.texts[name], f"screen {name}"))
            self._open.pop()
        return self._trees[name]


def check_saved(name: object, text: object) -> None:
    """Raise `ScreenError` unless a saved screen may be called so, and has a text."""
    if not isinstance(name, str) or len(name) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(name):
        raise ScreenError(
            f"saved screen {excerpt(name)}: the name must be letters, digits and underscores, and "
            "not begin with a digit; rename it"
        )
    if name.lower() in WORDS or registry().get(name) is not None:
        raise ScreenError(
            f"saved screen {excerpt(name)}: the name is a word of the language or an indicator; "
            "choose another"
        )
    if not isinstance(text, str):
        raise ScreenError(f"saved screen {excerpt(name)}: {excerpt(text)}; must be text")

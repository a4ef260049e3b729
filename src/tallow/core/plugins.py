"""Plug-ins: what packages declare under an entry point group, by name.

An entry point names a declaration, or a callable that returns several. Tallow's own come the same
way, so a user's, in a package of its own, is nothing special anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from typing import Generic, Protocol, Self, TypeVar

from tallow.core.errors import DeclarationError, TallowError, excerpt, near_matches


class HasName(Protocol):
    """What can be declared."""

    @property
    def name(self) -> str: ...  # noqa: D102 - what it is called in text


T = TypeVar("T", bound=HasName)


@dataclass(frozen=True, eq=False)
class Registry(Generic[T]):
    """What was declared under an entry point group."""

    group: str
    what: str
    error: type[TallowError]
    """What a message calls one of them, and which error tells of one that is not there."""
    by_name: dict[str, T]
    """The declarations."""
    failures: dict[str, str]
    """What failed, which harms no other, with the reasons."""
    rule: str = "unknown"
    """What a name must be."""

    @classmethod
    def load(
        cls, group: str, kind: type[T], what: str, error: type[TallowError], rule: str = "unknown"
    ) -> Self:
        """Load every entry point of a group."""
        return cls(group, what, error, *_load(group, kind), rule)

    @cached_property
    def aliases(self) -> dict[str, str]:
        """The names behind other names."""
        return {alias: name for name, each in self.by_name.items() for alias in _aliases(each)}

    def get(self, name: str) -> T | None:
        """Return what has a name or an alias, in any case; None if there is none."""
        plain = str(name).lower()
        return self.by_name.get(self.aliases.get(plain, plain))

    def find(self, name: str) -> T:
        """Return what has a name or an alias, in any case.

        Raises `error` if there is none; the message lists near matches and what failed.
        """
        found = self.get(name)
        if found is None:
            hint = near_matches(str(name), (*self.by_name, *self.aliases))
            raise self.error(f"{self.what}: {excerpt(name)}; {self.rule}; {hint}{self.broken()}")
        return found

    def broken(self) -> str:
        """Return the end of a message: what failed."""
        return "".join(f"; {entry} failed: {why}" for entry, why in self.failures.items())


def _load(group: str, kind: type[T]) -> tuple[dict[str, T], dict[str, str]]:
    found: dict[str, T] = {}
    failures: dict[str, str] = {}
    # Tallow's own first, so that a plug-in cannot take the name of a built-in.
    for entry in sorted(entry_points(group=group), key=lambda e: e.name != "tallow"):
        try:
            loaded = entry.load()
            for each in (loaded,) if isinstance(loaded, kind) else tuple(loaded()):
                _add(found, each, kind)
        except Exception as error:  # noqa: BLE001
            # A plug-in may fail in any way; it is shown by `tallow doctor` and by unknown names.
            failures[f"{entry.name} = {entry.value}"] = f"{type(error).__name__}: {error}"
    return found, failures


def _add(found: dict[str, T], declared: object, kind: type[T]) -> None:
    if not isinstance(declared, kind):
        raise DeclarationError(f"{declared!r} is no {kind.__module__}.{kind.__name__}")
    taken = {*found, *(alias for each in found.values() for alias in _aliases(each))}
    if declared.name in taken:
        raise DeclarationError(f"{declared.name}: the name is taken; choose another")
    for alias in _aliases(declared):
        if alias in taken or alias == declared.name:
            raise DeclarationError(f"{declared.name}: the alias {alias} is taken; leave it out")
    found[declared.name] = declared


def _aliases(declared: HasName) -> Sequence[str]:
    """Return other names of what is declared: indicators may have some."""
    return getattr(declared, "aliases", ())

"""Plug-ins: what packages declare under an entry point group, by name.

An entry point names a declaration, or a callable that returns several. Tallow's own come the same
way, so a user's, in a package of its own, is nothing special anywhere. Of many, each may be
deferred: known by its names, and imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True)
class LazyDeclaration(Generic[T]):
    """A declaration that is not there yet: its name, what imports it, and what tells its aliases.

    For Tallow's own alone: it comes first, and nothing checks that it is what it says.
    """

    name: str
    load: Callable[[], T]
    read_aliases: Callable[[], Sequence[str]]

    @property
    def aliases(self) -> Sequence[str]:
        """Other names; they are looked for at each call."""
        return self.read_aliases()


class _LazyMapping(Mapping[str, T]):
    """Declarations by name; a deferred one is loaded when it is looked up, and not before."""

    def __init__(self, declared: Mapping[str, T | LazyDeclaration[T]]) -> None:
        self._declared = declared

    def __getitem__(self, name: str) -> T:
        found = self._declared[name]
        return found.load() if isinstance(found, LazyDeclaration) else found

    def __contains__(self, name: object) -> bool:
        return name in self._declared

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)


@dataclass(frozen=True, eq=False)
class Registry(Generic[T]):
    """What was declared under an entry point group."""

    group: str
    what: str
    error: type[TallowError]
    """What a message calls one of them, and which error tells of one that is not there."""
    declared: Mapping[str, T | LazyDeclaration[T]]
    """The declarations by name, some of which may be deferred."""
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
    def by_name(self) -> Mapping[str, T]:
        """The declarations; to look one up loads it, and to go through the names loads none."""
        return _LazyMapping(self.declared)

    @cached_property
    def aliases(self) -> dict[str, str]:
        """The names behind other names."""
        return _names_behind(self.declared)

    def get(self, name: str) -> T | None:
        """Return what has a name or an alias, in any case; None if there is none."""
        plain = str(name).lower()
        if plain not in self.by_name:
            plain = self.aliases.get(plain, plain)
        return self.by_name.get(plain)

    def find(self, name: str) -> T:
        """Return what has a name or an alias, in any case.

        Raises `error` if there is none; the message lists near matches and what failed.
        """
        found = self.get(name)
        if found is None:
            hint = near_matches(str(name), (*self.by_name, *self.aliases), self.aliases)
            raise self.error(f"{self.what}: {excerpt(name)}; {self.rule}; {hint}{self.broken()}")
        return found

    def broken(self) -> str:
        """Return the end of a message: what failed."""
        return "".join(f"; {entry} failed: {why}" for entry, why in self.failures.items())


def _load(group: str, kind: type[T]) -> tuple[dict[str, T | LazyDeclaration[T]], dict[str, str]]:
    found: dict[str, T | LazyDeclaration[T]] = {}
    failures: dict[str, str] = {}
    # Tallow's own first, so that a plug-in cannot take the name of a built-in.
    for entry in sorted(entry_points(group=group), key=lambda e: e.name != "tallow"):
        try:
            loaded = entry.load()
            for each in (loaded,) if isinstance(loaded, kind) else tuple(loaded()):
                if not isinstance(each, LazyDeclaration):
                    _check(found, each, kind)
                found[each.name] = each
        except Exception as error:  # noqa: BLE001
            # A plug-in may fail in any way; it is shown by `tallow doctor` and by unknown names.
            failures[f"{entry.name} = {entry.value}"] = f"{type(error).__name__}: {error}"
    return found, failures


def _check(found: Mapping[str, HasName], declared: object, kind: type[T]) -> None:
    if not isinstance(declared, kind):
        raise DeclarationError(f"{declared!r} is no {kind.__module__}.{kind.__name__}")
    taken = {*found, *_names_behind(found)}
    if declared.name in taken:
        raise DeclarationError(f"{declared.name}: the name is taken; choose another")
    for alias in _aliases(declared):
        if alias in taken or alias == declared.name:
            raise DeclarationError(f"{declared.name}: the alias {alias} is taken; leave it out")


def _names_behind(declared: Mapping[str, HasName]) -> dict[str, str]:
    """Return the names behind aliases."""
    return {alias: name for name, each in declared.items() for alias in _aliases(each)}


def _aliases(declared: HasName) -> Sequence[str]:
    """Return other names of what is declared: indicators may have some."""
    return getattr(declared, "aliases", ())

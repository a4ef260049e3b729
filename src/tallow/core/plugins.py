"""Plug-ins: what packages declare under an entry point group, by name."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Protocol, TypeVar

from tallow.core.errors import DeclarationError


class Named(Protocol):
    """What can be declared."""

    @property
    def name(self) -> str: ...  # noqa: D102 - what it is called in text


T = TypeVar("T", bound=Named)


def load_plugins(group: str, kind: type[T]) -> tuple[dict[str, T], dict[str, str]]:
    """Load every entry point of a group: a declaration each, or a callable that returns several.

    Returns
    -------
    tuple
        The declarations by name, and the reasons of the entry points that failed, which harm no
        other.
    """
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
    if declared.name in found:
        raise DeclarationError(f"{declared.name}: the name is taken; choose another")
    found[declared.name] = declared

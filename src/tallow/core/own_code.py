"""A user's own Python by its name: ``module:name``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from tallow.core.errors import TallowError, near_matches


def split_own(text: str) -> tuple[str, str] | None:
    """Return module and name of a text that reads like ``package.module:name``; else None."""
    module, colon, name = text.partition(":")
    parts = [*module.split("."), *name.split(".")]
    return (module, name) if colon and all(part.isidentifier() for part in parts) else None


def find_own(
    module: str, name: str, what: str, error: type[TallowError]
) -> tuple[object, ModuleType]:
    """Return what ``module:name`` names, and its module; `name` may have dots.

    Raises `error`, with `what` as the beginning of its message, if it cannot be imported or has
    nothing of that name.
    """
    imported = _import(module, what, error)
    found: object = imported
    for part in name.split("."):
        if not hasattr(found, part):
            hint = near_matches(part, [each for each in dir(found) if not each.startswith("_")])
            raise error(f"{what}: {f'{module}:{name}'!r}; {part!r} is not there; {hint}")
        found = getattr(found, part)
    return found, imported


def _import(name: str, what: str, kind: type[TallowError]) -> ModuleType:
    # As `python -m` does, but the command line does not: a user's file may be there. Last, so that
    # it hides no installed package.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    # A module may fail in any way when it is imported.
    except Exception as error:
        raise kind(
            f"{what}: module={name!r}; {type(error).__name__}: {error}; must be importable from "
            "here; check its name, or install it"
        ) from error

"""A user's own Python as an engine."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType

import polars as pl

from tallow.core.errors import EngineError, TallowError, near_matches
from tallow.migrate.engines.answers import Reading
from tallow.migrate.protocol import Engine, Request

DIGEST_DIGITS = 12
"""Digits of a digest that a version shows."""


class OwnEngine:
    """A callable that takes a `Request` and returns a frame of any library, or a list of rows."""

    def __init__(
        self, name: str, version: str, function: Callable[[Request], object], reading: Reading
    ) -> None:
        self.name, self.version = name, version
        self._function, self._reading = function, reading

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the bars asked for; see `Engine.answer`. Whatever it raises, the user is told."""
        try:
            given = self._function(request)
        except TallowError:
            raise
        except Exception as error:
            raise EngineError(
                f"{self.name}: raised {type(error).__name__}: {error}; an engine must answer; call "
                "it on the same request to see where it failed"
            ) from error
        return self._reading.answer(given, request, self.name)


def load_own(module: str, name: str, reading: Reading) -> OwnEngine:
    """Return the engine ``module:name``: an `Engine`, its class, or a callable.

    Raises
    ------
    EngineError
        If the module cannot be imported, or has nothing of that name that can answer.
    """
    text, held = f"{module}:{name}", _module(module)
    found: object = held
    for part in name.split("."):
        if not hasattr(found, part):
            known = [each for each in dir(found) if not each.startswith("_")]
            hint = near_matches(part, known)
            raise EngineError(f"engine: {text!r}; {part!r} is not there; {hint}")
        found = getattr(found, part)
    made = _made(text, found) if inspect.isclass(found) and hasattr(found, "answer") else found
    if isinstance(made, Engine):
        # Its answers are read as everybody's: what breaks the protocol is told, not compared.
        return OwnEngine(made.name, made.version, made.answer, reading)
    if not callable(found):
        raise EngineError(
            f"engine: {text!r} is {type(found).__name__}; must be callable with a Request, or have "
            "name, version and answer; see tallow.migrate.protocol.Engine"
        )
    return OwnEngine(text, _version_of(held), found, reading)


def _made(text: str, kind: type) -> object:
    try:
        return kind()
    # A class may raise whatever it likes.
    except Exception as error:
        raise EngineError(
            f"engine: {text!r} is a class; {type(error).__name__}: {error}; it must need no "
            "arguments; name an object of it"
        ) from error


def _module(name: str) -> ModuleType:
    # As `python -m` does, which the command line is not started by: a user's file lies there. Last,
    # so that it hides nothing that is installed.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    # A module may fail in any way while it is imported.
    except Exception as error:
        raise EngineError(
            f"engine: module={name!r}; {type(error).__name__}: {error}; must be importable from "
            "here; check its name, or install it"
        ) from error


def _version_of(module: ModuleType) -> str:
    """Return what exactly answers: the package's version, and the digest of the module's file.

    The version alone does not tell the states of a package that is being worked on.
    """
    package = module.__name__.partition(".")[0]
    told = [f"{each} {version(each)}" for each in packages_distributions().get(package, ())]
    path = Path(getattr(module, "__file__", None) or "")
    if path.is_file():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        told.append(f"{path.name} sha256:{digest[:DIGEST_DIGITS]}")
    return ", ".join(told) or module.__name__

"""A user's Python code as an engine."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType

import polars as pl

from tallow.core.errors import EngineError, TallowError
from tallow.core.own_code import find_own
from tallow.migrate.engines.answers import AnswerReader
from tallow.migrate.protocol import Engine, Request

DIGEST_DIGITS = 12
"""Digits of a digest that a version shows."""


class UserEngine:
    """A callable that takes a `Request` and returns a frame of any library, or a list of rows."""

    def __init__(
        self, name: str, version: str, function: Callable[[Request], object], reader: AnswerReader
    ) -> None:
        self.name, self.version = name, version
        self._function, self.reader = function, reader

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the requested bars; see `Engine.answer`. Exceptions become an `EngineError`."""
        try:
            answer = self._function(request)
        except TallowError:
            raise
        except Exception as error:
            raise EngineError(
                f"{self.name}: raised {type(error).__name__}: {error}; an engine must answer; call "
                "it on the same request to see where it failed"
            ) from error
        return self.reader.read(answer, request, self.name)


def load_user_engine(module: str, name: str, reader: AnswerReader) -> UserEngine:
    """Return the engine ``module:name``: an `Engine`, its class, or a callable.

    `EngineError` if the module cannot be imported, or has no engine of that name.
    """
    text = f"{module}:{name}"
    found, imported = find_own(module, name, "engine", EngineError)
    engine = _make(text, found) if inspect.isclass(found) and hasattr(found, "answer") else found
    if isinstance(engine, Engine):
        # Its answers are read like all others: one that breaks the protocol is an error.
        return UserEngine(engine.name, engine.version, engine.answer, reader)
    if not callable(found):
        raise EngineError(
            f"engine: {text!r} is {type(found).__name__}; must be callable with a Request, or have "
            "name, version and answer; see tallow.migrate.protocol.Engine"
        )
    return UserEngine(text, _version_of(imported), found, reader)


def _make(text: str, kind: type) -> object:
    try:
        return kind()
    # A class may raise anything.
    except Exception as error:
        raise EngineError(
            f"engine: {text!r} is a class; {type(error).__name__}: {error}; it must need no "
            "arguments; name an object of it"
        ) from error


def _version_of(module: ModuleType) -> str:
    """Return the package's version and the digest of the module's file.

    The version alone does not identify the code of a package under development.
    """
    package = module.__name__.partition(".")[0]
    parts = [f"{each} {version(each)}" for each in packages_distributions().get(package, ())]
    path = Path(getattr(module, "__file__", None) or "")
    if path.is_file():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        parts.append(f"{path.name} sha256:{digest[:DIGEST_DIGITS]}")
    return ", ".join(parts) or module.__name__

"""Which engines there are, and which one a text means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from tallow.core.errors import EngineError, excerpt, near_matches
from tallow.core.plugins import load_plugins
from tallow.data.files import ENDINGS
from tallow.migrate.engines.answers import Reading
from tallow.migrate.engines.bars import TalibEngine, TallowEngine
from tallow.migrate.engines.library import PolarsTalib, Talib
from tallow.migrate.engines.own import load_own
from tallow.migrate.engines.remote import RemoteEngine
from tallow.migrate.engines.stored import StoredEngine
from tallow.migrate.protocol import Engine

ENTRY_POINT_GROUP = "tallow.engines"

_FORMS = (
    "must be the name of an engine, package.module:callable, an http(s):// address, or a file of "
    "stored values"
)


def builtin() -> tuple[Engine, ...]:
    """Return the engines that stay when a migration is over."""
    return TallowEngine(), TalibEngine(Talib()), TalibEngine(PolarsTalib())


@dataclass(frozen=True)
class Engines:
    """The engines by name, and what of the plug-ins failed, with the reasons."""

    engines: dict[str, Engine]
    failures: dict[str, str]

    def find(self, name: str) -> Engine:
        """Return the engine called `name`; `EngineError` where there is none."""
        found = self.engines.get(name)
        if found is None:
            broken = "".join(f"; {entry} failed: {why}" for entry, why in self.failures.items())
            hint = near_matches(name, self.engines)
            raise EngineError(f"engine: {excerpt(name)}; {_FORMS}; {hint}{broken}")
        return found

    def series(self) -> dict[str, str]:
        """Return old names of columns, with ours for them, that engines declare in `series`.

        An engine may have that attribute for the names under which its values were stored.
        """
        names: dict[str, str] = {}
        for engine in self.engines.values():
            names |= getattr(engine, "series", {})
        return names


@cache
def engines() -> Engines:
    """Load every entry point, once per process."""
    found, failures = load_plugins(ENTRY_POINT_GROUP, Engine)  # type: ignore[type-abstract]
    return Engines(found, failures)


def load_engine(
    text: str, *, series: Mapping[str, str] | None = None, timezone: str | None = None
) -> Engine:
    """Return the engine that a text means.

    Parameters
    ----------
    text
        ``tallow``, ``talib``, ``polars_talib`` or another declared name;
        ``package.module:name`` of a callable that takes a `Request`, or of an `Engine` or its
        class; ``http://...``; or a file of stored values (CSV, Parquet, Arrow; a glob, too).
    series
        From a user's engine's names of columns to ours, such as ``{"ma_9": "sma_9"}``; they go
        before the old names that some declared engine knows, which need not be given.
    timezone
        Zone of times in the answer that carry none, such as ``Asia/Kolkata``.

    Raises
    ------
    EngineError
        If nothing is known by that name, or it cannot be loaded; near matches are listed.
    CandleInputError
        If it is a file that cannot be opened.
    """
    known = engines()
    if text in known.engines:
        return _as_declared(known.engines[text], series)
    reading = Reading({**known.series(), **(series or {})}, timezone)
    if text.startswith(("http://", "https://")):
        return RemoteEngine(text, reading)
    if text.lower().endswith(ENDINGS):
        return StoredEngine(text, reading)
    module, colon, name = text.partition(":")
    names = [*module.split("."), *name.split(".")]
    if colon and all(part.isidentifier() for part in names):
        return load_own(module, name, reading)
    return known.find(text)


def _as_declared(engine: Engine, series: Mapping[str, str] | None) -> Engine:
    if series:
        raise EngineError(
            f"engine: {engine.name!r} with series={dict(series)}; a declared engine answers under "
            "our names; give other names for files, addresses and callables only"
        )
    return engine

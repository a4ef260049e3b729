"""The engines by name, and how a text becomes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tallow.core.errors import EngineError, ParameterError, near_matches
from tallow.core.own_code import split_own
from tallow.core.plugins import Registry
from tallow.core.text import without_secrets
from tallow.data.reading.files import ENDINGS
from tallow.migrate.engines.answers import AnswerReader
from tallow.migrate.engines.bars import TalibEngine, TallowEngine
from tallow.migrate.engines.library import PolarsTalib, Talib
from tallow.migrate.engines.remote import RemoteEngine
from tallow.migrate.engines.stored import StoredEngine
from tallow.migrate.engines.user import UserEngine, load_user_engine
from tallow.migrate.protocol import Engine

_FORMS = (
    "must be the name of an engine, package.module:callable, an http(s):// address, or a file of "
    "stored values"
)


def builtin() -> tuple[Engine, ...]:
    """Return Tallow's engines, without the old one."""
    return TallowEngine(), TalibEngine(Talib()), TalibEngine(PolarsTalib())


@cache
def engines() -> Registry[Engine]:
    """Load every entry point, once per process."""
    kind: Any = Engine  # a protocol, which mypy takes for no type that has instances
    return Registry.load("tallow.engines", kind, "engine", EngineError, _FORMS)


def _declared_series() -> dict[str, str]:
    """Return the names of columns that engines declare in `series`, with ours for them.

    An engine may have this attribute for the names under which its values were stored.
    """
    names: dict[str, str] = {}
    for engine in engines().by_name.values():
        names |= getattr(engine, "series", {})
    return names


def load_engine(
    text: str, *, series: Mapping[str, str] | None = None, timezone: str | None = None
) -> Engine:
    """Return the engine of a text.

    Parameters
    ----------
    text
        ``tallow``, ``talib``, ``polars_talib`` or another declared name;
        ``package.module:name`` of a callable that takes a `Request`, or of an `Engine` or its
        class; ``http://...``, with ``user:password@`` before the host where it asks for them; or a
        file of stored values (CSV, Parquet, Arrow; a glob, too).
    series
        From the names of columns of a user's engine to ours, such as ``{"ma_9": "sma_9"}``; they
        precede the names that declared engines have in `series`, which need not be given.
    timezone
        Time zone of times in the answer without one, such as ``Asia/Kolkata``.

    Raises
    ------
    EngineError
        If there is no such engine, with near matches; or if it cannot be loaded.
    CandleInputError
        If it is a file that cannot be opened.
    """
    known = engines()
    if text in known.by_name:
        return _require_no_series(known.by_name[text], series)
    reader = AnswerReader({**_declared_series(), **(series or {})}, timezone)
    if text.startswith(("http://", "https://")):
        return RemoteEngine(text, reader)
    if text.lower().endswith(ENDINGS):
        return StoredEngine(text, reader)
    if (own := split_own(text)) is not None:
        return load_user_engine(*own, reader)
    return _require_no_series(known.find(text), series)


def _require_no_series(engine: Engine, series: Mapping[str, str] | None) -> Engine:
    if series:
        raise EngineError(
            f"engine: {engine.name!r} with series={dict(series)}; a declared engine answers under "
            "our names; give other names for files, addresses and callables only"
        )
    return engine


def require_names_of_series(
    sources: Sequence[EngineSource | Engine], engines: Sequence[Engine]
) -> None:
    """Raise `ParameterError` for a user's name of a series that no answer had.

    Where no answer had rows, nothing is known of their names.
    """
    readers = [
        each.reader
        for each in engines
        if isinstance(each, UserEngine | RemoteEngine | StoredEngine)
    ]
    columns = {name for reader in readers for name in reader.columns}
    if readers and not columns:
        return
    hint = "both engines answer under our names; leave it out"
    for source in sources:
        given = source.series if isinstance(source, EngineSource) else None
        for theirs, ours in (given or {}).items():
            if theirs not in columns:
                raise ParameterError(
                    f"compare: series={theirs}={ours}; {theirs} is in no answer of an engine; "
                    f"{near_matches(theirs, columns) if readers else hint}"
                )


@dataclass(frozen=True)
class EngineSource:
    """The text that an engine is loaded from, and its names of series if they are not ours."""

    text: str
    series: Mapping[str, str] | None = None
    timezone: str | None = None

    def __repr__(self) -> str:
        """Return what names it, without an address's password."""
        return f"EngineSource({without_secrets(self.text)!r})"

    def load(self) -> Engine:
        """Return the engine; see `load_engine`. A declared engine uses our names of series."""
        declared = self.text in engines().by_name
        series = None if declared else dict(self.series or {})
        return load_engine(self.text, series=series, timezone=self.timezone)

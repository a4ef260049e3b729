"""Whether a service could start as it is configured: everything that is wrong, at once.

Nothing is created or changed. What only a server elsewhere knows is not asked, but for a store
there.
"""

from __future__ import annotations

import shutil
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.disk import free_bytes
from tallow.core.errors import StoreError, TallowError, TallowWarning
from tallow.data.feeds.open import require_session_feed
from tallow.data.state_file import read_state
from tallow.data.store.trial import trial_store
from tallow.migrate.flags.setting import read_setting
from tallow.migrate.rollout.journal import Journal
from tallow.migrate.rollout.plan import read_plan
from tallow.migrate.shadow import EvidenceStore
from tallow.screens.parser import parse_screen
from tallow.service.alerting import Judgements
from tallow.service.keys.binding import require_keys
from tallow.service.read_settings import try_settings
from tallow.service.settings import ServiceSettings, feed_options


@dataclass(frozen=True)
class ConfigurationReport:
    """What is wrong with a configuration, and what to know of it; the settings it has.

    Each text says where, which rule, and what to do.
    """

    settings: ServiceSettings
    wrong: tuple[str, ...]
    notes: tuple[str, ...]


def check_configuration(file: Path | None = None, **options: Any) -> ConfigurationReport:
    """Look at all that a service is told of, as `tallow.service.read_settings.read_settings`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TallowWarning)
        settings, unknown, wrong = try_settings(file, **options)
        for names, check in CHECKS:
            # What a wrong setting is about is not looked at with its default.
            if unknown.isdisjoint(names):
                wrong += check(settings)
    notes = [str(each.message) for each in caught if issubclass(each.category, TallowWarning)]
    return ConfigurationReport(settings, tuple(dict.fromkeys(wrong)), tuple(dict.fromkeys(notes)))


Check = Callable[[ServiceSettings], list[str]]


def _error_of(work: Callable[[], object]) -> list[str]:
    """Return what Tallow says against some work; nothing where it can be done."""
    try:
        work()
    except TallowError as error:
        return [str(error)]
    return []


def _check_keys(settings: ServiceSettings) -> list[str]:
    return _error_of(lambda: require_keys(settings))


def _check_store(settings: ServiceSettings) -> list[str]:
    def look() -> None:
        with trial_store(settings.store) as store:
            if store is not None and settings.compat_universe is not None:
                store.universes.read(settings.compat_universe)

    return _error_of(look)


def _check_disk(settings: ServiceSettings) -> list[str]:
    if "://" in settings.store:
        return []
    folder = Path(settings.store).expanduser().absolute()
    there = next(each for each in (folder, *folder.parents) if each.is_dir())
    free, least = free_bytes(there), settings.disk_free_min
    if free is None or free >= least:
        return []
    rule = f"must be at least {least:,}, as the setting disk_free_min says; make room"
    return [f"disk: {there}: free={free:,} bytes; {rule}"]


def _check_feed(settings: ServiceSettings) -> list[str]:
    if settings.feed is None:
        return []
    options, calendars = feed_options(settings), CalendarAssignment(settings.calendar)
    feed = settings.feed
    scheme, _, source = feed.partition(":")
    if scheme == "replay" and ("://" in source or Path(source).is_dir()):
        return _error_of(lambda: _require_store(source))
    return _error_of(lambda: require_session_feed(feed, options, calendars))


def _require_store(source: str) -> None:
    with trial_store(source, to_write=False) as store:
        if store is None and Path(source).is_dir():
            raise StoreError(
                f"feed: replay:{source}; holds no store; name a store's folder, or files"
            )


def _check_state(settings: ServiceSettings) -> list[str]:
    path = settings.state
    if path is None:
        return []
    if not path.parent.is_dir():
        return [f"state: file={path}; its folder is not there; make it, or name another place"]
    if path.exists():
        for text in _error_of(lambda: read_state(path)):
            # The service starts all the same.
            note = f"{text.removesuffix('; rebuild it')}; it is rebuilt from the store"
            warnings.warn(note, TallowWarning, stacklevel=1)
    return []


def _check_files(settings: ServiceSettings) -> list[str]:
    """Look at screens, then at rules, which may name them, and at what each screen says."""
    alone = settings.model_copy(update={"rules": None})
    wrong = [text for each in (alone, settings) for text in _error_of(partial(Judgements.of, each))]
    if wrong:
        return wrong
    found, convention = Judgements.of(settings), settings.convention
    return [
        f"screens: {settings.screens}: {name!r}: {text}"
        for name, condition in found.saved.items()
        for text in _error_of(
            partial(parse_screen, condition, saved=found.saved, convention=convention)
        )
    ]


def _check_alerts(settings: ServiceSettings) -> list[str]:
    path = settings.alerts_log
    if path is None or path.parent.is_dir():
        return []
    return [f"alerts: file={path}; its folder is not there; make it, or name another place"]


def _check_rollout(settings: ServiceSettings) -> list[str]:
    if settings.rollout is None:
        return []
    paths = read_plan(settings.rollout).paths
    wrong = _error_of(Journal(paths, "").refresh)
    if paths.flags.exists():
        wrong += _error_of(lambda: read_setting(paths.flags, paths.experiment))
    if paths.evidence.exists():
        with _copied(paths.evidence) as copy:
            found = _error_of(lambda: EvidenceStore(copy).close())
        wrong += [text.replace(str(copy), str(paths.evidence)) for text in found]
    return wrong


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """Give a copy of a SQLite file, which would be written to where it is opened."""
    with TemporaryDirectory(prefix="tallow-") as folder:
        for ending in ("", "-wal"):
            part = path.with_name(path.name + ending)
            if part.exists():
                shutil.copyfile(part, Path(folder) / part.name)
        yield Path(folder) / path.name


def _check_port(settings: ServiceSettings) -> list[str]:
    host, port = settings.host, settings.port
    try:
        (family, kind, number, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        with closing(socket.socket(family, kind, number)) as tried:
            # As a server does: what the last one left behind is no hindrance.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        why = f"cannot listen there: {error.strerror}; end what does, or give another one"
        return [f"port: host={host}, port={port}; {why}"]
    return []


CHECKS: tuple[tuple[frozenset[str], Check], ...] = (
    (frozenset({"host", "keys"}), _check_keys),
    (frozenset({"store", "compat_universe"}), _check_store),
    (frozenset({"store", "disk_free_min"}), _check_disk),
    (frozenset({"feed", "timezone", "subscribe", "speed", "calendar"}), _check_feed),
    (frozenset({"state"}), _check_state),
    (frozenset({"screens", "rules", "indicators", "timeframes", "convention"}), _check_files),
    (frozenset({"alerts_log"}), _check_alerts),
    (frozenset({"rollout"}), _check_rollout),
    (frozenset({"host", "port"}), _check_port),
)
"""What is looked at, and by which settings."""

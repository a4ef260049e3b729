"""`tallow doctor`: whether the installation is whole, and what runs out soon.

Every check is a function of its own, and one that raises is a line that says ``fail``: the doctor
must work where nothing else does. So what they look at is imported inside of them.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

from tallow.serve.console import BAD, GOOD, QUIET, WARN, make_console, print_json
from tallow.serve.wording import in_options

if TYPE_CHECKING:
    from tallow.core.plugins import Registry

Status = Literal["ok", "warn", "fail"]
STYLES: dict[Status, str] = {"ok": GOOD, "warn": WARN, "fail": BAD}

NEEDED = ("polars", "numpy", "numba", "narwhals", "exchange_calendars", "filelock", "typer", "rich")
IMPORTED = ("polars", "numpy", "numba", "narwhals")
"""Those that are tried. exchange_calendars is not: its import takes 1.4 s."""

LISTED_MAX = 12
"""Most built-in names that are listed; of more, only their number."""

OPTIONAL = {"pandas": "pandas frames in and out", "pyarrow": "Arrow tables in and out"}
EXTRAS = {
    "deltalake": ("store", "stores in a folder"),
    "obstore": ("store", "stores in a bucket"),
    "adbc-driver-postgresql": ("store", "stores in PostgreSQL"),
    "websockets": ("live", "feeds of WebSocket servers"),
    "redis": ("live", "feeds of Redis Streams"),
    "Jinja2": ("compare", "a comparison's report as a page"),
    "matplotlib": ("plot", "charts as pictures"),
    "openfeature-sdk": ("flags", "flags of a rollout"),
    "fastapi": ("serve", "service"),
    "httpx": ("client", "client of a service"),
}
"""Packages of extras: which, and what each is for."""

OUTDATED_PANDAS = 3
"""From this version on, exchange_calendars cannot build the sessions of a few venues."""


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what to know or do."""

    status: Status
    what: str
    text: str


def show_checks(json: bool) -> int:
    """Run all checks, print a line for each finding, and return the exit code."""
    findings = [finding for check in CHECKS for finding in _carried_out(check)]
    failed = sum(finding.status == "fail" for finding in findings)
    if json:
        print_json({"ok": not failed, "checks": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    return 1 if failed else 0


def _print(findings: list[Finding]) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    table = Table.grid(Column(no_wrap=True), Column(no_wrap=True), "", padding=(0, 2))
    for finding in findings:
        style = STYLES[finding.status]
        table.add_row(f"[{style}]{finding.status}[/]", escape(finding.what), escape(finding.text))
    counts = {status: sum(each.status == status for each in findings) for status in STYLES}
    summary = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    console = make_console()
    console.print(table)
    console.print(f"\n[{QUIET}]{summary}[/]")


def _carried_out(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    # Whatever is broken may break in any way, and the other checks are wanted all the more.
    except Exception as error:  # noqa: BLE001
        what = check.__name__.removeprefix("_check_").replace("_", " ")
        yield Finding("fail", what, f"{type(error).__name__}: {error}")


def _check_python() -> Iterator[Finding]:
    import tallow

    yield Finding("ok", "tallow", tallow.__version__)
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.platform(terse=True)}")
    yield Finding("ok", "processors", f"{os.cpu_count() or 1}, one worker thread each")


def _check_packages() -> Iterator[Finding]:
    for name in NEEDED:
        try:
            version = metadata.version(name)
            if name in IMPORTED:
                importlib.import_module(name)
        except metadata.PackageNotFoundError:
            yield Finding("fail", name, f"not installed; pip install {name}")
        except Exception as error:  # noqa: BLE001 - a broken binary may raise anything
            yield Finding("fail", name, f"cannot be imported: {error}; install it again")
        else:
            yield Finding("ok", name, version)


def _check_optional_packages() -> Iterator[Finding]:
    for name, use in OPTIONAL.items():
        if importlib.util.find_spec(name) is None:
            yield Finding("warn", name, f"not installed: no {use}; pip install {name}")
        else:
            yield Finding("ok", name, f"{metadata.version(name)}: {use}")


def _check_extras() -> Iterator[Finding]:
    for name, (extra, use) in EXTRAS.items():
        try:
            yield Finding("ok", name, f"{metadata.version(name)}: {use}")
        except metadata.PackageNotFoundError:
            yield Finding("warn", name, f"not installed: no {use}; pip install 'tallow[{extra}]'")


def _check_kernels() -> Iterator[Finding]:
    from tallow.core.kernel import cache_folder, is_compiled
    from tallow.core.private import own_folder
    from tallow.core.registry import registry

    folder = cache_folder()
    kernels = [indicator.advance for indicator in registry().by_name.values()]
    compiled = sum(map(is_compiled, kernels))
    rest = "" if compiled == len(kernels) else "; the others are compiled at their first use"
    yield Finding("ok", "kernels", f"{compiled} of {len(kernels)} indicators compiled{rest}")
    if folder == own_folder():
        hint = "set TALLOW_CACHE_DIR to a folder that is yours alone and can be written"
        why = f"{folder}: goes with this process, and kernels are compiled anew in each"
        yield Finding("fail", "kernel cache", f"{why}; {hint}")
        return
    others = [other for other in folder.parent.glob("kernels-*") if other != folder]
    older = f"; {len(others)} of other versions beside it may be deleted" if others else ""
    yield Finding("ok", "kernel cache", f"{folder}{older}")


def _check_indicators() -> Iterator[Finding]:
    from tallow.core.registry import registry

    yield from _plug_ins("indicators", registry(), lambda indicator: indicator.advance)


def _check_engines() -> Iterator[Finding]:
    from tallow.migrate.engines.registry import engines

    yield from _plug_ins("engines", engines(), type)


def _check_readers() -> Iterator[Finding]:
    from tallow.data.providers.registry import readers

    yield from _plug_ins("readers", readers(), lambda reader: reader.read)


def _plug_ins(what: str, found: Registry[Any], code_of: Callable[[Any], Any]) -> Iterator[Finding]:
    """Tell what came by an entry point group; `code_of` returns what has a module."""
    packages: dict[str, list[str]] = {}
    for name, declared in found.by_name.items():
        packages.setdefault(code_of(declared).__module__.partition(".")[0], []).append(name)
    own = packages.pop("tallow", [])
    if own:
        listed = f": {', '.join(own)}" if len(own) <= LISTED_MAX else ""
        yield Finding("ok", what, f"{len(own)} built in{listed}")
    else:
        hint = "install tallow again, for its entry points"
        yield Finding("fail", what, f"none of {found.group} was found; {hint}")
    for package, names in packages.items():
        yield Finding("ok", "plug-in", f"{package}: {', '.join(names)}")
    for entry, why in found.failures.items():
        yield Finding("fail", "plug-in", f"{entry}: {why}")


def _check_calendars() -> Iterator[Finding]:
    from tallow.core.calendars import calendar_names, coverage_warning, load_calendar

    today = datetime.now(UTC).date()
    # A name may stand for another one: XNSE for its default segment.
    for calendar in dict.fromkeys(map(load_calendar, calendar_names())):
        covered = f"{calendar}: {calendar.first_date} to {calendar.last_date}"
        if calendar.assumed_days:
            covered += f", assumed to {calendar.assumed_until} (provisional)"
        warning = coverage_warning(calendar, today)
        text = in_options(warning or covered, "doctor").removeprefix("calendar ")
        yield Finding("warn" if warning else "ok", "calendar", text)
    yield _other_venues()


def _other_venues() -> Finding:
    from zoneinfo import ZoneInfo

    # Windows has no time zones of its own, and the tzdata package may be missing.
    ZoneInfo("America/New_York")
    text = f"by exchange_calendars {metadata.version('exchange_calendars')}, loaded when asked for"
    pandas = metadata.version("pandas")
    if int(pandas.partition(".")[0]) >= OUTDATED_PANDAS:
        years = "XKRX begins in 1998-12, XMOS in 2024-12, XTAE in 2026-01"
        text += f'; beside pandas {pandas} {years}; for earlier years, install "pandas<3"'
    return Finding("ok", "other venues", text)


def _check_store() -> Iterator[Finding]:
    """Look at the store that is named by the environment, if one is."""
    from tallow.core.errors import StoreError, TallowWarning
    from tallow.core.text import counted, without_secrets
    from tallow.data.store.store import open_store

    place = os.environ.get("TALLOW_STORE")
    if not place:
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TallowWarning)
        try:
            with open_store(place) as store:
                damaged, rows = store.damaged(), store.stats().rows
        except StoreError as error:
            yield Finding("fail", "store", in_options(str(error), "doctor"))
            return
    for warning in caught:
        yield Finding("warn", "store", in_options(str(warning.message), "doctor"))
    for reason in damaged:
        yield Finding("fail", "store", reason)
    if not (caught or damaged):
        yield Finding(
            "ok", "store", f"{without_secrets(place)}: {counted(rows, 'row')}, all files whole"
        )


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _check_python,
    _check_packages,
    _check_optional_packages,
    _check_extras,
    _check_kernels,
    _check_indicators,
    _check_readers,
    _check_engines,
    _check_calendars,
    _check_store,
)

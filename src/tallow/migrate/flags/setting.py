"""The setting of a migration's flag in its file: reads it, and changes it with comments kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast, get_args

from tallow.core.disk import RightsLostError, overwrite_file, replace_file
from tallow.core.errors import FlagError, shorten
from tallow.migrate.evidence import Decision
from tallow.migrate.flags.flag import parse_flags

RestDecision = Literal["off", "shadow"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
CANDIDATE: Decision = "candidate"

_HEAD = """\
# Flags. Running processes see a change at their next call.
# share is in percent of the instruments; single ones may have a setting of their own:
#   [flags.NAME.instruments]
#   "NSE_EQ|INE301A01014" = "off"
# enabled = false turns everything off at once, those instruments too.

"""


@dataclass(frozen=True)
class Setting:
    """The share of instruments that the candidate answers for, and the decision for the rest.

    `share` is in percent, 0 .. 100. `rest` is ``shadow`` where the candidate runs in the background
    for all other instruments, ``off`` where it does not run.
    """

    rest: RestDecision
    share: float = 0.0

    def __str__(self) -> str:
        others = "the others shadowed" if self.rest == "shadow" else "the others off"
        return f"{self.share:g}%, {others}" if self.share else self.rest


OFF = Setting("off")


def read_setting(path: Path, experiment: str) -> Setting:
    """Return what a flag is set to; `FlagError` if it cannot be read, or is not a migration's."""
    return _setting_of(_read(path), path.name, experiment)


def write_setting(
    path: Path, experiment: str, setting: Setting, fence: Callable[[], None] = lambda: None
) -> None:
    """Set a flag; replace the file as a whole, with all other content unchanged.

    A missing file is made. `fence` is called right before the file is replaced, and raises if it
    must no longer be. `FlagError` if the file is wrong or cannot be written.
    """
    path = path.resolve()
    after = content_with(path, experiment, setting)
    try:
        _replace(path, after, fence)
    except OSError as error:
        raise FlagError(f"flags: file={path}; {error.strerror}; it is as it was") from error


def _replace(path: Path, content: bytes, fence: Callable[[], None]) -> None:
    """Replace the file; overwrite it in place if its owner could not read a new one."""
    try:
        replace_file(path, content, shared=True, fence=fence)
    except RightsLostError as lost:
        fence()
        try:
            overwrite_file(path, content)
        except OSError:
            raise lost from None


def content_with(path: Path, experiment: str, setting: Setting) -> bytes:
    """Return the content that sets a flag; `FlagError` if the file is wrong or cannot be read."""
    before = _read(path) if path.exists() else _new_content(path)
    after = _edit(before, path.name, experiment, setting)
    if _setting_of(after, path.name, experiment) != setting:
        raise FlagError(
            f"flags: file={path}; flags.{experiment} is not a migration's flag; its variants must "
            f"be {', '.join(DECISIONS)}, each with its name as value"
        )
    return after


def force_off(path: Path, experiment: str) -> str | None:
    """Set a flag to off, even if its file is damaged or the disk full; return what else was done.

    A file that cannot be read is renamed, and the new one has only this flag. `FlagError` if the
    file cannot be written in any way.
    """
    try:
        write_setting(path, experiment, OFF)
    except Exception as error:  # noqa: BLE001 - no error may keep the candidate on
        return _write_new_file(path.resolve(), experiment, str(error))
    return None


def _write_new_file(path: Path, experiment: str, why: str) -> str:
    copy = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    with suppress(OSError):
        os.link(path, copy)
    content = _edit(_new_content(path), path.name, experiment, OFF)
    try:
        replace_file(path, content, shared=True)
        return f"{why}. Its old content is in {copy.name}; other flags must be put back from there"
    except OSError:
        pass
    # No room for a second file, or no right to make one: the new content fits into the old file.
    with suppress(OSError):
        copy.unlink(missing_ok=True)
    try:
        overwrite_file(path, content)
    except OSError as error:
        raise FlagError(
            f"flags: file={path}; {error.strerror}; the candidate is NOT off; do it as the user "
            f"who may write the file, or write enabled = false under [flags.{experiment}] by hand"
        ) from error
    return f"{why}. It was overwritten in place; other flags must be put back"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FlagError(f"flags: file={path}; {error.strerror}; give the file's name") from error


def _new_content(path: Path) -> bytes:
    return b'{"flags": {}}' if path.name.endswith(".json") else _HEAD.encode()


def _setting_of(content: bytes, name: str, experiment: str) -> Setting:
    flag = parse_flags(content, name).get(experiment)
    if flag is None:
        raise FlagError(f"flags: file={name}; has no flag {experiment}; start its rollout")
    if not flag.enabled:
        return OFF
    values = {variant: flag.variants[variant] for variant in (flag.default, *flag.share)}
    shares = {str(values[variant]): percent for variant, percent in flag.share.items() if percent}
    rest = values[flag.default]
    if rest in ("off", "shadow") and set(shares) <= {CANDIDATE}:
        return Setting(cast("RestDecision", rest), shares.get(CANDIDATE, 0.0))
    raise FlagError(
        f"flags: file={name}; flags.{experiment}: default={rest!r}, share={shares}; a migration's "
        "default must be off or shadow, and its only share candidate"
    )


def _edit(content: bytes, name: str, experiment: str, setting: Setting) -> bytes:
    """Return a file's content with a flag set."""
    if content != _HEAD.encode():
        parse_flags(content, name)
    if name.endswith(".json"):
        document = json.loads(content)
        _set(document, experiment, setting, dict)
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
    tomlkit = _tomlkit()
    try:
        document = tomlkit.parse(content.decode())
        _set(document, experiment, setting, tomlkit.table)
        return str(tomlkit.dumps(document)).encode()
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FlagError(
            f"flags: file={name}; cannot be changed without losing other content: "
            f"{shorten(error)}; set it by hand"
        ) from error


def _set(
    document: MutableMapping[str, Any],
    experiment: str,
    setting: Setting,
    table: Callable[[], MutableMapping[str, Any]],
) -> None:
    flags = _subtable(document, "flags", table)
    flag = _subtable(flags, experiment, table)
    flag["enabled"] = setting != OFF
    flag["default"] = setting.rest
    if "variants" not in flag:
        variants = _subtable(flag, "variants", table)
        for name in DECISIONS:
            variants[name] = name
    share = _subtable(flag, "share", table)
    is_whole = int(setting.share) == setting.share
    share[CANDIDATE] = int(setting.share) if is_whole else setting.share


def _subtable(
    parent: MutableMapping[str, Any], key: str, table: Callable[[], MutableMapping[str, Any]]
) -> MutableMapping[str, Any]:
    if key not in parent:
        parent[key] = table()
    child: MutableMapping[str, Any] = parent[key]
    return child


def _tomlkit() -> Any:
    try:
        import tomlkit
    except ImportError as error:
        raise FlagError(
            "flags: a TOML file needs tomlkit; install it with: pip install 'tallow[flags]', or "
            "keep flags in a .json file"
        ) from error
    return tomlkit

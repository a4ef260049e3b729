"""What a migration's flag is set to in its file: read, changed with comments kept, replaced."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tallow.core.errors import FlagError, shortened
from tallow.data.replacing import RightsLostError, overwrite_file, replace_file
from tallow.migrate.flags.flag import parse_flags

Rest = Literal["off", "shadow"]
DECISIONS = ("off", "shadow", "candidate")
CANDIDATE = "candidate"

_HEAD = """\
# Flags. Running processes see a change at their next call.
# share is in percent of the instruments; one of them may be set apart under instruments:
#   [flags.NAME.instruments]
#   "NSE_EQ|INE301A01014" = "off"
# enabled = false turns everything off at once, instruments set apart too.

"""


@dataclass(frozen=True)
class Setting:
    """How many instruments have the candidate's answers, and what the others have.

    Parameters
    ----------
    rest
        ``shadow``: the candidate runs aside for all other instruments; ``off``: it does not run.
    share
        Percent of the instruments, 0 .. 100.
    """

    rest: Rest
    share: float = 0.0

    def __str__(self) -> str:
        others = "the others shadowed" if self.rest == "shadow" else "the others off"
        return f"{self.share:g}%, {others}" if self.share else self.rest


OFF = Setting("off")


def read_setting(path: Path, experiment: str) -> Setting:
    """Return what a flag is set to.

    Raises
    ------
    FlagError
        If the file cannot be read, or the flag is not there, or is no migration's.
    """
    return _setting_of(_read(path), path.name, experiment)


def write_setting(
    path: Path, experiment: str, setting: Setting, fence: Callable[[], None] = lambda: None
) -> None:
    """Set a flag; the file appears whole or not at all, with everything else as it was.

    Parameters
    ----------
    fence
        Called right before the file is replaced; raises if it must not be any more.

    Raises
    ------
    FlagError
        If the file is wrong, or cannot be written. A missing one is made.
    """
    path = path.resolve()
    after = content_with(path, experiment, setting)
    try:
        _put(path, after, fence)
    except OSError as error:
        raise FlagError(f"flags: file={path}; {error.strerror}; it is as it was") from error


def _put(path: Path, content: bytes, fence: Callable[[], None]) -> None:
    """Put content in the file's place; where that would hide it from its owner, into the file."""
    try:
        replace_file(path, content, shared=True, fence=fence)
    except RightsLostError as lost:
        fence()
        try:
            overwrite_file(path, content)
        except OSError:
            raise lost from None


def content_with(path: Path, experiment: str, setting: Setting) -> bytes:
    """Return what the file would be with a flag set; nothing is written.

    Raises
    ------
    FlagError
        If the file cannot be read, or is wrong.
    """
    before = _read(path) if path.exists() else _head(path)
    after = _changed(before, path.name, experiment, setting)
    if _setting_of(after, path.name, experiment) != setting:
        raise FlagError(
            f"flags: file={path}; flags.{experiment} is set up otherwise than a migration's; its "
            f"variants must be {', '.join(DECISIONS)}, each of its own name"
        )
    return after


def force_off(path: Path, experiment: str) -> str | None:
    """Set a flag to off, whatever the file is like, and whatever is left of the disk.

    Returns
    -------
    str or None
        What had to be done besides: a file that cannot be read is kept aside, and a new one has
        this flag alone.

    Raises
    ------
    FlagError
        If nothing can be written there at all.
    """
    try:
        write_setting(path, experiment, OFF)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not keep the candidate on
        return _make_anew(path.resolve(), experiment, str(error))
    return None


def _make_anew(path: Path, experiment: str, why: str) -> str:
    aside = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    with suppress(OSError):
        os.link(path, aside)
    fresh = _changed(_head(path), path.name, experiment, OFF)
    try:
        replace_file(path, fresh, shared=True)
        return f"{why}. Its old content is in {aside.name}; other flags must be put back from there"
    except OSError:
        pass
    # No room for a second file, or no right to make one: the content fits where the old one was.
    with suppress(OSError):
        aside.unlink(missing_ok=True)
    try:
        overwrite_file(path, fresh)
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


def _head(path: Path) -> bytes:
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
    if rest == "off" and set(shares) <= {CANDIDATE}:
        return Setting("off", shares.get(CANDIDATE, 0.0))
    if rest == "shadow" and set(shares) <= {CANDIDATE}:
        return Setting("shadow", shares.get(CANDIDATE, 0.0))
    raise FlagError(
        f"flags: file={name}; flags.{experiment}: default={rest!r}, share={shares}; a migration's "
        "default must be off or shadow, and its only share candidate"
    )


def _changed(content: bytes, name: str, experiment: str, setting: Setting) -> bytes:
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
            f"flags: file={name}; cannot be changed and kept as it is: {shortened(error)}; set it "
            "by hand"
        ) from error


def _set(
    document: MutableMapping[str, Any],
    experiment: str,
    setting: Setting,
    table: Callable[[], MutableMapping[str, Any]],
) -> None:
    flags = _below(document, "flags", table)
    flag = _below(flags, experiment, table)
    flag["enabled"] = setting != OFF
    flag["default"] = setting.rest
    if "variants" not in flag:
        variants = _below(flag, "variants", table)
        for name in DECISIONS:
            variants[name] = name
    share = _below(flag, "share", table)
    whole = int(setting.share) == setting.share
    share[CANDIDATE] = int(setting.share) if whole else setting.share


def _below(
    parent: MutableMapping[str, Any], key: str, table: Callable[[], MutableMapping[str, Any]]
) -> MutableMapping[str, Any]:
    if key not in parent:
        parent[key] = table()
    found: MutableMapping[str, Any] = parent[key]
    return found


def _tomlkit() -> Any:
    try:
        import tomlkit
    except ImportError as error:
        raise FlagError(
            "flags: a TOML file needs tomlkit; install it with: pip install 'tallow[flags]', or "
            "keep flags in a .json file"
        ) from error
    return tomlkit

"""Flags and their file: variants, a default, shares, and settings of single instruments."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal

from tallow.core.errors import FlagError, near_matches
from tallow.core.limits import FLAG_FILE_BYTES_MAX

VariantValue = bool | int | float | str | list[Any] | dict[str, Any]
ChoiceReason = Literal["static", "default", "split", "target", "no target"]
"""``default``: no rule applies to the target; ``no target``: a split flag was read without one."""

_POINTS = 2**64
_TABLES = ("variants", "share", "instruments", "metadata")
_FIELDS = {"description", "enabled", "default", *_TABLES}
_HINT = "`tallow rollout start` makes a file to begin with"


def point(flag: str, target: str) -> int:
    """Return a target's point on a flag's line, 0 .. 2**64 - 1.

    The same in every process and version: the first eight bytes of BLAKE2b over the flag, a zero
    byte and the target, as a big-endian number.
    """
    text = f"{flag}\0{target}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


@dataclass(frozen=True)
class Flag:
    """One flag of a file."""

    key: str
    variants: Mapping[str, VariantValue]
    """Values by name, all of one type."""
    default: str
    """The variant of targets that are in no share."""
    enabled: bool = True
    share: Mapping[str, float] = field(default_factory=dict)
    """Percent of the targets that get a variant, 0 .. 100 in all. The first variant has the
    beginning of the line, the next one the part after it, and so on: to raise the first share only
    adds targets to it."""
    instruments: Mapping[str, str] = field(default_factory=dict)
    """Variants of single targets, which precede all shares."""
    metadata: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    @cached_property
    def limits(self) -> list[tuple[int, str]]:
        """The ends of the shares on the line, without empty ones."""
        ends = accumulate(self.share.values())
        limits = zip((round(end / 100 * _POINTS) for end in ends), self.share, strict=True)
        return [(limit, name) for limit, name in limits if self.share[name] > 0]

    def choose(self, target: str | None) -> tuple[str, ChoiceReason]:
        """Return the variant of a target, and the reason for it."""
        limits = self.limits
        if not limits and not self.instruments:
            return self.default, "static"
        if target is None:
            return self.default, "no target" if limits else "default"
        if (own := self.instruments.get(target)) is not None:
            return own, "target"
        if not limits:
            return self.default, "default"
        position = point(self.key, target)
        for limit, name in limits:
            if position < limit:
                return name, "split"
        return self.default, "split"


def parse_flags(content: bytes, name: str) -> dict[str, Flag]:
    """Return the flags of a file by their keys; JSON where its name ends in ``.json``, else TOML.

    `FlagError` if the file cannot be read, has no table of flags, or a flag is wrong.
    """
    flags = _read(content, name).get("flags")
    if not isinstance(flags, dict):
        raise FlagError(f"flags: file={name}; has no table of flags; {_HINT}")
    return {key: _flag(f"{name}: flags.{key}", key, table) for key, table in flags.items()}


def _read(content: bytes, name: str) -> dict[str, Any]:
    if len(content) > FLAG_FILE_BYTES_MAX:
        raise FlagError(f"flags: file={name}; must have at most {FLAG_FILE_BYTES_MAX} bytes")
    try:
        text = content.decode()
        read = json.loads(text) if name.endswith(".json") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FlagError(f"flags: file={name}; cannot be read: {error}; {_HINT}") from error
    if not isinstance(read, dict):
        raise FlagError(f"flags: file={name}; has no table of flags; {_HINT}")
    return read


def _flag(where: str, key: str, table: Any) -> Flag:
    if not isinstance(table, dict):
        raise FlagError(f"{where}={table!r}; must be a table; {_HINT}")
    for name in sorted(set(table) - _FIELDS):
        raise FlagError(f"{where}.{name}: unknown; {near_matches(name, _FIELDS)}")
    parts = {name: table.get(name, {}) for name in _TABLES}
    for name, part in parts.items():
        if not isinstance(part, dict):
            raise FlagError(f"{where}.{name}={part!r}; must be a table; {_HINT}")
    enabled = table.get("enabled", True)
    if not isinstance(enabled, bool):
        raise FlagError(f"{where}.enabled={enabled!r}; must be true or false")
    default = table.get("default")
    _check_variants(where, parts["variants"])
    _check_shares(where, parts["share"])
    named = {"default": default, **{f"share.{name}": name for name in parts["share"]}}
    named |= {f"instruments.{name}": variant for name, variant in parts["instruments"].items()}
    for field_name, variant in named.items():
        if not isinstance(variant, str) or variant not in parts["variants"]:
            hint = near_matches(str(variant), parts["variants"])
            raise FlagError(
                f"{where}.{field_name}: variant={variant!r}; must be one of its own; {hint}"
            )
    return Flag(key=key, default=str(default), enabled=enabled, **parts)


def _check_variants(where: str, variants: dict[str, Any]) -> None:
    """Check that there are variants, all of the same type of OpenFeature."""
    if not variants:
        raise FlagError(f"{where}.variants: none; a flag must have variants; {_HINT}")
    kinds = {type(value) for value in variants.values()}
    mixed = len(kinds) > 1 and kinds != {int, float}
    if mixed or not kinds <= {bool, int, float, str, list, dict}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise FlagError(
            f"{where}.variants: types={names}; all must be of one: booleans, strings, numbers, "
            "lists or tables"
        )


def _check_shares(where: str, share: dict[str, Any]) -> None:
    for name, percent in share.items():
        if type(percent) not in (int, float) or not 0 <= percent <= 100:
            raise FlagError(f"{where}.share.{name}={percent!r}; must be 0..100 percent")
    if (total := sum(share.values())) > 100:
        raise FlagError(f"{where}.share: sum={total:g}; must be at most 100 percent")

"""Flags: one small file, read through OpenFeature; percentages are sticky by instrument."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tallow.migrate.flags.decision import Decision, decide
    from tallow.migrate.flags.provider import FileProvider

__all__ = ["Decision", "FileProvider", "decide"]

_HOME = {
    "Decision": "tallow.migrate.flags.decision",
    "FileProvider": "tallow.migrate.flags.provider",
    "decide": "tallow.migrate.flags.decision",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: whoever rolls back needs no OpenFeature."""
    if name not in _HOME:
        raise AttributeError(f"module 'tallow.migrate.flags' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)

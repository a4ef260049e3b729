"""Flags: one small file, read through OpenFeature; percentages are sticky by instrument."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tallow.migrate.evidence import Decision
    from tallow.migrate.flags.decision import decide
    from tallow.migrate.flags.provider import FileProvider

__all__ = ["Decision", "FileProvider", "decide"]

_HOME = {
    "Decision": "tallow.migrate.evidence",
    "FileProvider": "tallow.migrate.flags.provider",
    "decide": "tallow.migrate.flags.decision",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: to roll back, OpenFeature is not needed."""
    if name not in _HOME:
        raise AttributeError(f"module 'tallow.migrate.flags' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)

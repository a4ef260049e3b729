"""Engines by name: ours, TA-Lib on our bars, and those of users.

`load_engine` turns text into an `Engine`: the name of one that a package declares under the entry
point ``tallow.engines``, as Tallow does; ``package.module:name`` of a user's Python code; the
address of an HTTP service; a file of stored values.
"""

from tallow.migrate.engines.registry import EngineSource, builtin, load_engine

__all__ = ["EngineSource", "builtin", "load_engine"]

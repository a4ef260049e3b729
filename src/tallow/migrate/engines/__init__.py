"""Engines by name: ours, TA-Lib behind our bars, and whatever a user brings.

`load_engine` turns text into an `Engine`: the name of one that a package declares under the entry
point ``tallow.engines``, as Tallow's own are; ``package.module:name`` of the user's Python; the
address of an HTTP service; a file of values that were stored.
"""

from tallow.migrate.engines.registry import builtin, load_engine

__all__ = ["builtin", "load_engine"]

"""What kernels do, without their words: a digest of each, kept beside the version that it has.

    python -m tests.core.kernel_trees

writes those of today, and refuses one that differs under a version that does not.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import json
import pkgutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tallow
from tallow.core.registry import registry
from tallow.data.kernels.aggregate import BARS_VERSION
from tallow.data.kernels.live_rows import UPDATES_VERSION
from tallow.data.kernels.rows import RULES_VERSION
from tallow.data.kernels.sequences import SEQUENCES_VERSION
from tallow.data.kernels.tick_order import TICKS_VERSION
from tallow.data.kernels.transform import TRANSFORMS_VERSION

KEPT = Path(__file__).with_suffix(".json")
VERSIONS = {
    "aggregate": BARS_VERSION,
    "anchors": BARS_VERSION,
    "blocks": UPDATES_VERSION,
    "live_rows": UPDATES_VERSION,
    "longer": BARS_VERSION,
    "machine": UPDATES_VERSION,
    "one_tick": TICKS_VERSION,
    "rows": RULES_VERSION,
    "sequence_scores": SEQUENCES_VERSION,
    "sequences": SEQUENCES_VERSION,
    "tick_book": TICKS_VERSION,
    "tick_minutes": TICKS_VERSION,
    "tick_order": TICKS_VERSION,
    "transform": TRANSFORMS_VERSION,
}
"""By the file of a kernel that is no indicator's."""

Trees = dict[str, list[Any]]
"""By a kernel's file and name: its version and digest."""


def trees() -> Trees:
    """Return what all kernels of the package do today."""
    found: Trees = {}
    for each in registry().by_name.values():
        # Members of a family have its kernel, and one that unpacks what that gives.
        indicator = each.family.indicator if each.family else each
        own = (indicator.advance_long, each.advance, each.advance_small)
        for advance in {indicator.advance, *own}:
            key = None if advance is None else f"{indicator.name}.{advance.__name__}"
            if key is not None and key not in found:
                found[key] = [indicator.version, digest_of(advance)]
    for module in _modules():
        file = module.__name__.rpartition(".")[2]
        for name, value in vars(module).items():
            if is_kernel(value) and value.__module__ == module.__name__ and file in VERSIONS:
                found[f"{file}.{name}"] = [VERSIONS[file], digest_of(value)]
    return found


def unversioned() -> set[str]:
    """Return the files of kernels that have no version and belong to no indicator."""
    values = [value for module in _modules() for value in vars(module).values()]
    files = {value.__module__ for value in values if is_kernel(value)}
    return {
        file
        for file in files
        if ".indicators." not in file and file.rpartition(".")[2] not in VERSIONS
    }


def _modules() -> Iterator[Any]:
    for layer in ("core", "data", "indicators"):
        package = importlib.import_module(f"tallow.{layer}")
        for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(each.name)


def is_kernel(value: object) -> bool:
    """Say whether a value is a compiled function of this package."""
    return hasattr(value, "py_func") and value.py_func.__module__.startswith(tallow.__name__)


def digest_of(kernel: Any) -> str:
    """Return a digest of a kernel's statements, of all kernels it calls, and of its constants."""
    return hashlib.sha256(_text(kernel, ()).encode()).hexdigest()[:16]


def _text(kernel: Any, above: tuple[Any, ...]) -> str:
    function = getattr(kernel, "py_func", kernel)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    # Its own name, its decorators and its types are no part of what it does.
    arguments = [each.arg for each in tree.args.args]
    parts = [repr(arguments), *map(ast.dump, [*tree.args.defaults, *tree.body])]
    for name in sorted(_names(tree) - set(arguments)):
        used = function.__globals__.get(name)
        if is_kernel(used) and used not in above:
            parts.append(f"{name}: {_text(used, (*above, kernel))}")
        elif isinstance(used, int | float | str | tuple):
            parts.append(f"{name}: {used!r}")
        elif isinstance(used, np.ndarray):
            parts.append(f"{name}: {hashlib.sha256(used.tobytes()).hexdigest()}")
    return "\n".join(parts)


def _names(tree: ast.FunctionDef) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def kept() -> Trees:
    """Return what was written down."""
    found: Trees = json.loads(KEPT.read_text())
    return found


def unraised(before: Trees, now: Trees) -> list[str]:
    """Return the kernels that do otherwise under the version that they had before."""
    same_version = [key for key in now if key in before and now[key][0] == before[key][0]]
    return [key for key in same_version if now[key][1] != before[key][1]]


def main() -> int:
    """Write the digests of today, or name what needs a new version."""
    now = trees()
    found = unraised(kept(), now)
    for key in found:
        sys.stderr.write(f"{key}: does otherwise than version {now[key][0]} did; raise it\n")
    if not found:
        lines = [f"{json.dumps(key)}: {json.dumps(each)}" for key, each in sorted(now.items())]
        KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return len(found)


if __name__ == "__main__":
    sys.exit(main())

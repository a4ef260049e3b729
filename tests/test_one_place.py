"""Goal: what every room needs stands in one place: time, arrays, the disk, globs, counts.

Method: every source file is parsed; what may stand in one file only is looked for in all others.
Each rule is tried on bad texts, too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "tallow"


def time_in(node: ast.AST) -> bool:
    """Say whether a statement makes what `tallow.core.time` has."""
    match node:
        case ast.Constant(value=int(value)):
            return value in {60_000_000, 86_400_000_000}
        case ast.BinOp(left=ast.Constant(value=2), op=ast.Pow(), right=ast.Constant(value=62)):
            return True
        case ast.Call(
            func=ast.Name("datetime"), args=[ast.Constant(1970), ast.Constant(1), ast.Constant(1)]
        ):
            return True
        case ast.Call(
            func=ast.Name("timedelta"),
            keywords=[ast.keyword(arg="microseconds", value=ast.Constant(1))],
        ):
            return True
        case ast.Attribute(attr="time_ns"):
            return True
    return False


def arrays_in(node: ast.AST) -> bool:
    """Say whether a statement names a type of arrays."""
    match node:
        case ast.Assign(value=ast.Subscript(value=ast.Name("NDArray"))):
            return True
    return False


def disk_in(node: ast.AST) -> bool:
    """Say whether a call syncs or replaces a file, or a name is drawn for one that will."""
    match node:
        case ast.Attribute(attr="fsync" | "fdatasync"):
            return True
        case ast.Attribute(value=ast.Name("os"), attr="replace" | "rename" | "renames"):
            return True
        case ast.Call(func=ast.Attribute(attr="replace"), args=[_], keywords=[]):
            # Of a path: a text's takes two, and a record's takes keywords.
            return True
        case ast.Attribute(attr="NamedTemporaryFile" | "mkstemp"):
            return True
        case ast.ImportFrom(names=names):
            return any(name.name in {"NamedTemporaryFile", "mkstemp", "fsync"} for name in names)
    return False


def globs_in(node: ast.AST) -> bool:
    """Say whether a call expands what a user wrote; a folder's own `glob` finds what we wrote."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name("glob"))):
            return True
    return False


_NOUNS = re.compile(r" (rows|bars|candles|instruments|members|files)\b(?!/)")


def counts_in(node: ast.AST) -> bool:
    """Say whether a text counts with a noun that is one of several, whatever the number."""
    match node:
        case ast.JoinedStr(values=parts):
            return any(map(_is_counted, parts, parts[1:]))
    return False


def _is_counted(number: ast.expr, behind: ast.expr) -> bool:
    match number, behind:
        case ast.FormattedValue(value=ast.Name(name)), _ if name.isupper():
            # Of a limit, it is known how many there are.
            return False
        case ast.FormattedValue(format_spec=ast.JoinedStr()), ast.Constant(value=str(text)):
            # A rate goes on: rows/s. A text of the language has no separators.
            return _NOUNS.match(text) is not None
    return False


RULES: Mapping[str, Callable[[ast.AST], bool]] = {
    "core/time.py": time_in,
    "core/arrays.py": arrays_in,
    "core/disk.py": disk_in,
    "data/reading/files.py": globs_in,
}
"""By the file that may have it: whether a node is what only that file has."""


def copies(text: str, is_it: Callable[[ast.AST], bool]) -> Iterator[int]:
    """Yield the lines of a source that have what stands elsewhere."""
    for node in ast.walk(ast.parse(text)):
        if is_it(node):
            yield getattr(node, "lineno", 0)


def test_each_stands_in_one_place() -> None:
    """All rules are tried on each node at once: a walk through all files takes seconds."""
    found: dict[str, set[str]] = {place: set() for place in RULES}
    counted: list[str] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for place, is_it in RULES.items():
                if is_it(node):
                    found[place].add(path.relative_to(PACKAGE).as_posix())
            if counts_in(node):
                counted.append(f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}")
    assert found == {place: {place} for place in RULES}
    # `counted` of `tallow.core.text` knows that one row is not several.
    assert not counted, "\n".join(counted)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("core/time.py", "MINUTE_US = 60_000_000"),
        ("core/time.py", "def f():\n    return t - t % 86_400_000_000"),
        ("core/time.py", "_NEVER = -(2**62)"),
        ("core/time.py", "EPOCH = datetime(1970, 1, 1, tzinfo=UTC)"),
        ("core/time.py", "n = (a - b) // timedelta(microseconds=1)"),
        ("core/time.py", "now = time.time_ns() // 1_000"),
        ("core/arrays.py", "Positions = NDArray[np.int64]"),
        ("core/disk.py", "os.fsync(file.fileno())"),
        ("core/disk.py", "aside.replace(path)"),
        ("core/disk.py", "os.replace(aside, path)"),
        ("core/disk.py", "from tempfile import NamedTemporaryFile"),
        ("data/reading/files.py", "found = glob.glob(text)"),
    ],
)
def test_a_copy_is_found(place: str, text: str) -> None:
    assert list(copies(text, RULES[place]))


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("core/time.py", "from tallow.core.time import MINUTE_US\nBACK_US = 5 * MINUTE_US"),
        ("core/time.py", "timedelta(microseconds=int(text))\ndatetime(1970, 1, 2, tzinfo=UTC)"),
        ("core/arrays.py", "def f(x: NDArray[Any]) -> None: ...\nCauseFlags = Ints"),
        ("core/disk.py", "text.replace('a', 'b')\nmoment.replace(tzinfo=UTC)\nreplace(spec, n=1)"),
        ("data/reading/files.py", "folder.glob('*.sqlite')"),
    ],
)
def test_what_is_no_copy_passes(place: str, text: str) -> None:
    assert not list(copies(text, RULES[place]))


def test_counts_are_found_but_no_limits_and_rates() -> None:
    assert list(copies('say(f"{count:,} rows in all")', counts_in))
    assert not list(copies('f"{ROWS_MAX:,} rows"; f"{pace:,.0f} rows/s"', counts_in))

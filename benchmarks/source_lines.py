"""Lines of source: those that do something, without blanks, comments and docstrings."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "tallow"

NOTHING = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def count(modules: Iterable[str]) -> int:
    """Return the lines of all modules together; `modules` are paths within the package."""
    return sum(_count((PACKAGE / module).read_text("utf-8")) for module in modules)


def _count(text: str) -> int:
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NOTHING:
            held.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        # A string that stands alone is a docstring, or serves as one.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            held.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(held)

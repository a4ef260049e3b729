"""Goal: the layers of the design hold, no modules import each other in a circle, a class name is
one thing, and files and functions stay small.

Method: every source file is parsed and its imports are read, those inside functions and those by
name (``import_module("polars")``) too; each is looked up in the two tables below. The rules are
first tried on bad source texts, so that a rule which lets everything pass is noticed.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "tallow"

# From the outside world down: a layer imports itself and what stands after it.
LAYERS = (
    "serve",
    "service",
    "client",
    "testing",
    "migrate",
    "engine",
    "explain",
    "analysis",
    "alerts",
    "runtime",
    "plots",
    "screens",
    "plan",
    "data",
    "indicators",
    "core",
    "textbook",
)
# The package's own page shows the engine; ``python -m tallow`` is the command line.
ALIASES = {"": "engine", "__main__": "serve"}

# The lowest layer that may import a library. A library that is not here may be imported nowhere.
LIBRARIES = {
    "adbc_driver_manager": "data",
    "adbc_driver_postgresql": "data",
    "apprise": "alerts",
    "deltalake": "data",
    "exchange_calendars": "core",
    "fastapi": "service",
    "filelock": "migrate",
    "httpx": "client",
    "llvmlite": "core",
    "numba": "core",
    "numpy": "core",
    "jinja2": "migrate",
    "matplotlib": "plots",
    "anyio": "service",
    "mcp": "service",
    "narwhals": "data",
    "nicegui": "service",
    "obstore": "data",
    "openfeature": "migrate",
    "orjson": "client",
    "pandas": "data",
    "polars": "data",
    "polars_talib": "migrate",
    "prometheus_client": "service",
    "pyarrow": "data",
    "pydantic": "service",
    "pydantic_settings": "service",
    "redis": "data",
    "rich": "serve",
    "starlette": "service",
    "structlog": "service",
    "tomlkit": "migrate",
    "talib": "migrate",
    "typer": "serve",
    "uvicorn": "service",
    "websockets": "data",
    "zstandard": "service",
}
INDICATORS_SEE = {"numpy", "numba"}
INDICATORS_SEE_LAYERS = {"indicators", "core"}

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
# A line that is too long by its pragma alone cannot be wrapped; ruff counts as much.
PRAGMA = re.compile(r"\s*# (type: ignore|noqa|pragma)\b.*")


@dataclass(frozen=True)
class Source:
    """A module's dotted name and its text; `is_package` for an ``__init__.py``."""

    module: str
    text: str
    is_package: bool = False

    @property
    def layer(self) -> str:
        return layer_of(self.module)


def layer_of(module: str) -> str:
    """Return the layer of ``tallow`` or ``tallow.x.y``; the second name where it is no layer."""
    second = module.split(".")[1] if "." in module else ""
    return ALIASES.get(second, second)


@cache
def imported_names(source: Source) -> tuple[str, ...]:
    """Return the dotted name of everything that `source` imports, wherever it does so."""
    return tuple(_imported_names(source))


def _imported_names(source: Source) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.text)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom():
                base = absolute_base(source, node)
                # `from tallow import core` imports a layer; `from tallow import run` the face.
                yield from (f"{base}.{alias.name}" for alias in node.names)
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if is_import_call(node):
                yield name


def absolute_base(source: Source, node: ast.ImportFrom) -> str:
    """Return the dotted name before ``import``, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    up = node.level - 1 if source.is_package else node.level
    parents = source.module.split(".")[: len(source.module.split(".")) - up]
    return ".".join([*parents, *([node.module] if node.module else [])])


def is_import_call(node: ast.Call) -> bool:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    return name in {"import_module", "__import__"}


def imported_layer(name: str) -> str:
    """Return the layer that an imported ``tallow...`` name belongs to."""
    layer = layer_of(name)
    return layer if layer in LAYERS else ALIASES[""]


def broken_rule(source: Source, name: str) -> str | None:
    """Return why the layer of `source` may not import `name`, or None where it may."""
    library = name.partition(".")[0]
    if library == "tallow":
        return broken_layer_rule(source.layer, imported_layer(name))
    if library in sys.stdlib_module_names:
        return None
    if library not in LIBRARIES:
        return f"{library} is not in the table of libraries"
    lowest = LIBRARIES[library]
    if LAYERS.index(source.layer) > LAYERS.index(lowest):
        return f"{library} is for {lowest} and above"
    if source.layer == "indicators" and library not in INDICATORS_SEE:
        return f"indicators see {' and '.join(sorted(INDICATORS_SEE))} only, not {library}"
    return None


def broken_layer_rule(importer: str, imported: str) -> str | None:
    if importer == "indicators" and imported not in INDICATORS_SEE_LAYERS:
        return f"indicators see core only, not {imported}"
    if LAYERS.index(imported) < LAYERS.index(importer):
        return f"{importer} is below {imported}"
    return None


def violations(source: Source) -> list[str]:
    """Return each forbidden import of `source` with the rule that it breaks."""
    if source.layer not in LAYERS:
        return [f"{source.module}: {source.layer!r} is no layer of the design"]
    return [
        f"{source.module} imports {name}: {rule}"
        for name in imported_names(source)
        if (rule := broken_rule(source, name))
    ]


def import_graph(sources: Iterable[Source]) -> dict[str, set[str]]:
    """Return the modules among `sources` that each one imports."""
    known = {source.module: source for source in sources}
    graph: dict[str, set[str]] = {}
    for module, source in known.items():
        imported = {nearest_module(name, known) for name in imported_names(source)}
        graph[module] = imported - {module, ""}
    return graph


def nearest_module(name: str, known: Container[str]) -> str:
    """Return the module that holds what `name` imports; empty where it is none of `known`."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules in which each one imports, by some way, every other one."""
    reached = {module: reachable(module, graph) for module in graph}
    groups = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in graph
        if module in reached[module]
    }
    return [set(group) for group in groups]


def reachable(module: str, graph: Mapping[str, set[str]]) -> set[str]:
    """Return the modules that `module` imports, by some way; itself where that is a circle."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def class_names(source: Source) -> list[str]:
    """Return the names of the classes of `source`, those inside functions too."""
    return [
        node.name for node in ast.walk(ast.parse(source.text)) if isinstance(node, ast.ClassDef)
    ]


def oversize(text: str) -> list[str]:
    """Return what in a file is larger than the house allows."""
    lines = text.splitlines()
    found = [
        f"line {number}: {columns} columns"
        for number, line in enumerate(lines, 1)
        if (columns := len(PRAGMA.sub("", line))) > COLUMNS_MAX
    ]
    if len(lines) > FILE_LINES_MAX:
        found.append(f"{len(lines)} lines")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                found.append(f"{node.name}: {length} lines")
    return found


def read_source(path: Path) -> Source:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if is_package else parts)
    return Source(module, path.read_text("utf-8"), is_package)


def python_files() -> list[Path]:
    folders = (PACKAGE, ROOT / "tests", ROOT / "benchmarks")
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def test_imports_point_down() -> None:
    sources = [read_source(path) for path in sorted(PACKAGE.rglob("*.py"))]
    assert sources, f"no source file under {PACKAGE}"
    found = [line for source in sources for line in violations(source)]
    assert not found, "\n".join(found)


def test_modules_import_each_other_in_no_circle() -> None:
    found = circles(import_graph(read_source(path) for path in sorted(PACKAGE.rglob("*.py"))))
    assert not found, "\n".join(", ".join(sorted(circle)) for circle in found)


def test_a_class_name_is_one_thing() -> None:
    names = Counter(
        name for path in sorted(PACKAGE.rglob("*.py")) for name in class_names(read_source(path))
    )
    doubled = {name for name, count in names.items() if count > 1}
    assert not doubled, f"names of two classes: {sorted(doubled)}"


def test_files_functions_and_lines_are_within_the_house_limits() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in python_files()
        for line in oversize(path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "text", "rule"),
    [
        ("tallow.core.clock", "import polars as pl", "polars is for data and above"),
        ("tallow.core.clock", "def f():\n    import polars.io", "polars is for data and above"),
        ("tallow.core.clock", "import_module('polars')", "polars is for data and above"),
        ("tallow.data.store", "from tallow.plan import build", "data is below plan"),
        ("tallow.data.store", "from ..plan import build", "data is below plan"),
        ("tallow.data.store", "from tallow import plan", "data is below plan"),
        ("tallow.data.store", "import tallow", "data is below engine"),
        ("tallow.data.store", "from tallow import read_candles", "data is below engine"),
        ("tallow.engine", "from tallow.serve import cli", "engine is below serve"),
        ("tallow.engine", "if TYPE_CHECKING:\n    import rich", "rich is for serve and above"),
        ("tallow.runtime.batch", "from typer import echo", "typer is for serve and above"),
        ("tallow.runtime.batch", "import requests", "requests is not in the table of libraries"),
        (
            "tallow.indicators.ema",
            "import exchange_calendars",
            "indicators see numba and numpy only, not exchange_calendars",
        ),
        ("tallow.indicators.ema", "import tallow.data", "indicators see core only, not data"),
        ("tallow.helpers", "", "'helpers' is no layer of the design"),
    ],
)
def test_a_forbidden_import_is_found(module: str, text: str, rule: str) -> None:
    found = violations(Source(module, text))
    assert len(found) == 1
    assert found[0].endswith(rule)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("tallow.serve.cli", "import typer, rich.table, polars, os\nimport tallow"),
        ("tallow.engine", "from tallow.runtime.batch import run\nfrom tallow.core import errors"),
        ("tallow.plan.order", "from tallow.data import aggregate"),
        ("tallow.indicators.ema", "import numpy as np\nfrom tallow.indicators._windows import s"),
        ("tallow.core.calendars.venues", "def load():\n    import exchange_calendars"),
    ],
)
def test_an_allowed_import_passes(module: str, text: str) -> None:
    assert violations(Source(module, text)) == []


def test_a_relative_import_in_a_package_starts_at_the_package() -> None:
    inside = Source("tallow.data", "from .store import open_store", is_package=True)
    outside = Source("tallow.data", "from ..serve import cli", is_package=True)
    assert list(imported_names(inside)) == ["tallow.data.store.open_store"]
    assert list(imported_names(outside)) == ["tallow.serve.cli"]


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ({"a": "import tallow.b", "b": "def f():\n    from tallow import a"}, [{"a", "b"}]),
        (
            {"a": "import tallow.b", "b": "import tallow.c.x", "c": "from tallow.a import y"},
            ["abc"],
        ),
        ({"a": "import tallow.b", "b": "from tallow import c", "c": "import os"}, []),
        ({"a": "from tallow.a import x"}, []),
    ],
)
def test_a_circle_is_found(texts: dict[str, str], found: list[Iterable[str]]) -> None:
    sources = [Source(f"tallow.{name}", text) for name, text in texts.items()]
    assert circles(import_graph(sources)) == [{f"tallow.{name}" for name in each} for each in found]


def test_classes_are_found_wherever_they_stand() -> None:
    text = (
        "class A: ...\nif True:\n    class B(A):\n        class C: ...\ndef f():\n    class A: ..."
    )
    assert Counter(class_names(Source("tallow.a", text))) == {"A": 2, "B": 1, "C": 1}


def test_what_is_too_large_is_found() -> None:
    long_function = "def f():\n" + "    pass\n" * FUNCTION_LINES_MAX
    long_line = f"x = {'1' * COLUMNS_MAX}\n"
    long_file = "x = 1\n" * (FILE_LINES_MAX + 1)
    assert oversize(long_function) == [f"f: {FUNCTION_LINES_MAX + 1} lines"]
    assert oversize(long_line) == [f"line 1: {COLUMNS_MAX + 4} columns"]
    assert oversize(long_file) == [f"{FILE_LINES_MAX + 1} lines"]
    assert oversize(f"x = {'1' * 90}  # type: ignore[assignment]\n") == []
    assert oversize("def f():\n" + "    pass\n" * (FUNCTION_LINES_MAX - 1)) == []

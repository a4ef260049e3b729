"""Goal: one word for one thing, as ARCHITECTURE.md lists them, is what the code's names say.

Method: the table of words and the list of former ones are read from the page, and every source
file is parsed. A word must be in a public name of the module beside it; a former word may be in no
public name but the exceptions below, each with its reason. The rules are tried on bad names first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "tallow"
PAGE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")

WORDS = re.findall(r"^\| ([a-z ]+) \| [^|]+ \| `([\w/]+\.py)` \|$", PAGE, re.MULTILINE)
FORMER = re.search(r"^No longer names: ([a-z,\s]+)\.$", PAGE, re.MULTILINE)

EXCEPTIONS: Mapping[str, frozenset[str]] = {
    # Others import it.
    "migrate/rollout/plan.py": frozenset({"Places"}),
    # `Store.ledger.held()` is in users' programs.
    "data/store/ledger.py": frozenset({"held"}),
    "data/store/postgres_ledger.py": frozenset({"held"}),
    # Delta Lake's own word for a file of its log.
    "core/limits.py": frozenset({"STORE_CHECKPOINT_VERSIONS"}),
    "data/store/commits.py": frozenset(
        {"NO_CHECKPOINT", "make_checkpoint", "drop_broken_checkpoint"}
    ),
    # SQLite's own word for moving its log into the file.
    "data/store/tail.py": frozenset({"checkpoint"}),
    # Another name would be another text of the kernels that call it, and ask for a new version.
    "data/kernels/tick_order.py": frozenset({"place_of"}),
}
PARTICIPLE = re.compile(
    r"_?([A-Z][a-z]*[^e]ed|Found|Given|Gone|Held|Kept|Known|Made|Said|Seen|Told)"
)
NO_PARTICIPLES = {
    # What `len` is to `collections.abc.Sized`: something that has a size.
    "Sized",
}


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case: of ``CachedBars`` and of ``cached_bars``."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def public_names(text: str) -> Iterator[str]:
    """Yield the names of a module's classes, functions, parameters, attributes and constants."""
    tree = ast.parse(text)
    found = (name for node in ast.walk(tree) for name in names_of(node))
    yield from (name for name in [*found, *constants(tree)] if not name.startswith("_"))


def names_of(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
            if (not name.startswith("_") or name == "__init__") and not is_kernel(node):
                yield from (each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg))
        case ast.ClassDef(name=name):
            yield name
            yield from constants(node)
        case ast.Attribute(attr=name, ctx=ast.Store()):
            yield name


def is_kernel(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Say whether a function is a kernel: its parameters' names are a part of its version."""
    return any(ast.unparse(each).startswith("kernel") for each in function.decorator_list)


def constants(node: ast.Module | ast.ClassDef) -> Iterator[str]:
    """Yield the names that a module or a class gives values, or declares as fields."""
    for statement in node.body:
        match statement:
            case ast.Assign(targets=targets):
                yield from (each.id for each in targets if isinstance(each, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def has_word(word: str, names: Iterable[str]) -> bool:
    """Say whether a name has all words of a glossary's word, the last one perhaps in plural."""
    *others, last = word.split()
    ways = [[*others, last], [*others, f"{last}s"], [*others, f"{last[:-1]}ies"]]
    return any(
        way == words_of(name)[i : i + len(way)]
        for name in names
        for way in ways
        for i in range(len(words_of(name)))
    )


def former_words(names: Iterable[str], former: Iterable[str]) -> set[str]:
    """Return the names that have a former word, as it is or with an ending."""
    pattern = re.compile(rf"({'|'.join(former)})(s|es|d|ed|ing)?")
    return {name for name in names if any(map(pattern.fullmatch, words_of(name)))}


def former() -> list[str]:
    assert FORMER is not None
    return re.split(r",\s+", FORMER[1])


def module_names(path: Path) -> set[str]:
    """Return the public names of a module, its own one with its folders' among them."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return {*public_names(path.read_text("utf-8")), *parts}


def test_every_word_is_in_a_public_name_of_its_module() -> None:
    assert len(WORDS) >= 30
    assert len({word for word, _ in WORDS}) == len(WORDS), "a word stands twice"
    missing = [
        f"{word}: in no public name of {module}"
        for word, module in WORDS
        if not has_word(word, module_names(PACKAGE / module))
    ]
    assert not missing, "\n".join(missing)


def test_no_public_name_has_a_former_word() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in sorted(PACKAGE.rglob("[!_]*.py"))
        for name in sorted(former_words(module_names(path), former()))
        if name not in EXCEPTIONS.get(path.relative_to(PACKAGE).as_posix(), ())
    ]
    assert not found, "\n".join(found)


def test_an_exception_that_is_not_needed_is_taken_off_the_list() -> None:
    for module, names in EXCEPTIONS.items():
        found = former_words(module_names(PACKAGE / module), former())
        assert names == found, f"{module}: {sorted(names - found)}"


def test_the_name_of_a_type_is_a_noun() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}: {node.name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and is_participle(node.name)
    ]
    assert not found, "\n".join(found)


def is_participle(name: str) -> bool:
    return name not in NO_PARTICIPLES and PARTICIPLE.fullmatch(name) is not None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("class Lane: ...", "Lane"),
        ("class A:\n    lanes: int", "lanes"),
        ("class A:\n    def f(self):\n        self.places = 1", "places"),
        ("def f():\n    def settle_lanes(): ...", "settle_lanes"),
        ("def f(a, *, place): ...", "place"),
        ("def f(*told): ...", "told"),
        ("class A:\n    def __init__(self, aside): ...", "aside"),
        ("async def mending(): ...", "mending"),
        ("HELD_SCHEMA = {}", "HELD_SCHEMA"),
        ("class RunCheckpoints: ...", "RunCheckpoints"),
    ],
)
def test_a_former_word_is_found(text: str, name: str) -> None:
    assert former_words(public_names(text), former()) == {name}


@pytest.mark.parametrize(
    "text",
    ["class Plane: ...", "def replacing(): ...", "def _told(place): ...", "def f():\n    held = 1"],
)
def test_other_names_pass(text: str) -> None:
    assert not former_words(public_names(text), former())


def test_a_word_is_found_in_names_of_every_form() -> None:
    assert has_word("repair table", ["read_repair_tables"])
    assert has_word("snapshot", ["RunSnapshots"])
    assert has_word("entry", ["ledger_entries"])
    assert not has_word("repair table", ["repairs", "table", "table_repair"])
    assert not has_word("tail", ["details"])


def test_a_participle_is_found() -> None:
    assert [*map(is_participle, ("Joined", "_Seen", "Compacted"))] == [True] * 3
    assert not any(map(is_participle, ("Feed", "Need", "JoinedCandles", "Sized", "Seed")))

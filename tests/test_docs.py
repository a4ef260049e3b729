"""Goal: what the documents say is derived from the code, or checked against it.

Method: the reference page is generated again and compared; commands named in the README exist.
"""

from __future__ import annotations

import re
from pathlib import Path

import tallow
from tallow.data.reading.shapes import markdown as shapes_page
from tallow.serve.api_page import markdown as api_page
from tallow.serve.reference import markdown

ROOT = Path(__file__).resolve().parent.parent


def test_reference_page_is_what_the_declarations_say() -> None:
    page = (ROOT / "docs" / "indicators.md").read_text("utf-8")
    assert page == markdown(), "run `make docs`"


def test_the_page_of_the_interface_is_what_the_docstrings_say() -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert page == api_page(), "run `make docs`"
    # Every name, its methods, and every section of their docstrings are there.
    for name in tallow.__all__:
        kind = getattr(tallow, name)
        methods = [each for each in vars(kind) if each[0] != "_"] if isinstance(kind, type) else []
        for each in [name] if isinstance(kind, type) or callable(kind) else []:
            assert re.search(rf"^## {each}$", page, re.MULTILINE), each
        for each in methods:
            if callable(getattr(kind, each)):
                assert f"### {name}.{each}\n" in page, each
    assert all(name in page for name in tallow.__all__)
    assert not re.search(r"0x[0-9a-f]{6}|^-{3,}$", page, re.MULTILINE)


def test_the_page_of_shapes_is_what_the_table_says() -> None:
    page = (ROOT / "docs" / "shapes.md").read_text("utf-8")
    assert page == shapes_page()


def test_documents_name_only_targets_and_files_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"):
        text = (ROOT / name).read_text("utf-8")
        assert set(re.findall(r"`make ([a-z]+)`", text)) <= targets, name
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert link.startswith("https://") or (ROOT / link).exists(), f"{name}: {link}"


def test_modules_that_pages_name_exist() -> None:
    package = ROOT / "src" / "tallow"
    bare = {path.name for path in package.rglob("*.py")}
    pages = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for name in re.findall(r"`([\w/]+\.py)`", page.read_text("utf-8")):
            found = name in bare if "/" not in name else (package / name).exists()
            # What a reader is to write has capitals; a path of the repository begins at its root.
            assert found or "NAME" in name or (ROOT / name).exists(), f"{page.name}: {name}"


def test_each_law_names_tests_that_exist() -> None:
    laws = (ROOT / "docs" / "laws.md").read_text("utf-8").split("\n## ")[1:]
    assert [law[:2] for law in laws] == [f"{number}." for number in range(1, 8)]
    for law in laws:
        named = re.findall(r"`((?:tests|benchmarks|src)/[\w/.]+)`", law)
        assert any(each.startswith("tests/") for each in named), law
        assert [each for each in named if not (ROOT / each).exists()] == []

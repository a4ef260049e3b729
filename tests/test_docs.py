"""Goal: what the documents say is derived from the code, or checked against it.

Method: the reference page is generated again and compared; commands named in the README exist.
"""

from __future__ import annotations

import re
from pathlib import Path

from tallow.data.reading.shapes import markdown as shapes_page
from tallow.serve.reference import markdown

ROOT = Path(__file__).resolve().parent.parent


def test_reference_page_is_what_the_declarations_say() -> None:
    page = (ROOT / "docs" / "indicators.md").read_text("utf-8")
    assert page == markdown(), "run `make docs`"


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

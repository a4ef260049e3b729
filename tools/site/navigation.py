"""The pages of the site, as `docs/navigation.toml` names them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START = "docs/index.md"
"""The page at the site's root: it stands in no part."""

DECISIONS = "docs/adr/"
GENERATED = ("docs/commands.md",)
"""Pages that are written while the site is built, and lie nowhere else."""

_TITLED = re.compile(r"(.+) <(.+)>")


class SiteError(Exception):
    """The site cannot be built: says what, where, and what to do."""


@dataclass(frozen=True)
class Entry:
    """A page in the navigation: its file in the repository, and another name than its own."""

    source: str
    title: str | None = None


def read_navigation(root: Path = ROOT) -> dict[str, list[Entry]]:
    """Return the parts and their pages, in their order."""
    text = (root / "docs" / "navigation.toml").read_text("utf-8")
    parts: Mapping[str, list[str]] = tomllib.loads(text)
    return {part: [_entry(each) for each in entries] for part, entries in parts.items()}


def _entry(text: str) -> Entry:
    titled = _TITLED.fullmatch(text)
    return Entry(titled[2], titled[1]) if titled else Entry(text)


def check_navigation(parts: Mapping[str, Iterable[Entry]], root: Path = ROOT) -> None:
    """Raise `SiteError` unless the parts name every page of docs/ once, and none that is not."""
    named = [entry.source for entries in parts.values() for entry in entries]
    pages = {path.relative_to(root).as_posix() for path in (root / "docs").glob("*.md")}
    wrong = [
        f"{each} is not named; add it to the part it belongs to"
        for each in sorted(pages - {*named, START})
    ]
    wrong += [
        f"{each} is named twice; leave one" for each in sorted(set(named)) if named.count(each) > 1
    ]
    wrong += [
        f"{each} is named, and there is no such file; take it away, or correct its name"
        for each in named
        if each not in GENERATED and not (root / each).exists()
    ]
    if wrong:
        raise SiteError("\n".join(f"docs/navigation.toml: {each}" for each in wrong))


def sources(root: Path = ROOT) -> dict[str, str]:
    """Return all pages of the repository that the site shows, and the name of each there."""
    found = {
        entry.source: page_name(entry.source)
        for entries in read_navigation(root).values()
        for entry in entries
    }
    decisions = sorted((root / DECISIONS).glob("*.md"))
    names = [path.relative_to(root).as_posix() for path in decisions]
    return {START: "index.md"} | found | {name: page_name(name) for name in names}


def page_name(source: str) -> str:
    """Return the name that a page, or a folder's list, has on the site."""
    if source == "README.md":
        return "overview.md"
    if source.endswith("/"):
        return f"{source.removeprefix('docs/')}index.md"
    return source.removeprefix("docs/") if source.startswith("docs/") else source.lower()

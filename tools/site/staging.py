"""Lay the pages of the repository side by side, as the site has them, with their links kept."""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path

from tools.site.navigation import DECISIONS, ROOT, Entry, SiteError, read_navigation, sources

_FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_BARE = re.compile(
    r"^( *)```\n(?= *(?:tallow|make|curl|pip|python|docker|sudo|systemctl|\.) )", re.MULTILINE
)
"""A block whose first word is a program: the commands of a shell."""

ORPHAN = "---\norphan: true\n---\n"
"""Begins a page that the navigation leaves out."""

_HEADING = re.compile(r"^# (.+)$", re.MULTILINE)


def stage(target: Path, root: Path = ROOT) -> None:
    """Write all pages, and what they show, into an empty folder, with a table of contents."""
    names = sources(root)
    for source, name in names.items():
        path = root / source
        if path.is_dir():
            path = path / "README.md"
        if not path.exists():
            continue
        text = with_links(path.read_text("utf-8"), path.relative_to(root).as_posix(), names, root)
        page = target / name
        page.parent.mkdir(parents=True, exist_ok=True)
        if source.startswith(DECISIONS):
            # Its own list leads to it: the navigation of every page would have all of them.
            text = f"{ORPHAN}{text}"
        page.write_text(_BARE.sub(r"\1```bash\n", text), "utf-8")
    for picture in (*root.glob("docs/*.svg"), *root.glob("docs/*.png")):
        shutil.copy(picture, target)
    (target / "adr" / "index.md").write_text(_decisions(names, root), "utf-8")
    with (target / "index.md").open("a", encoding="utf-8") as start:
        start.write(_contents(read_navigation(root)))


def with_links(text: str, source: str, names: dict[str, str], root: Path) -> str:
    """Return a page's text whose links lead to the same pages on the site."""
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts += [_linked(text[end : fence.start()], source, names, root), fence[0]]
        end = fence.end()
    return "".join([*parts, _linked(text[end:], source, names, root)])


def _linked(text: str, source: str, names: dict[str, str], root: Path) -> str:
    return _LINK.sub(lambda link: f"{link[1]}{_place(link[2], source, names, root)}{link[3]}", text)


def _place(link: str, source: str, names: dict[str, str], root: Path) -> str:
    """Return a link as it must be on the page of the site that is made of a source."""
    path, mark, anchor = link.partition("#")
    if not path or re.match(r"[a-z]+:", path):
        return link
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    name = names.get(wanted) or names.get(f"{wanted}/")
    if name is None and (root / wanted).suffix in {".svg", ".png"} and (root / wanted).exists():
        name = wanted.removeprefix("docs/")
    if name is None:
        raise SiteError(
            f"{source}: ({link}); the site has no such page; name a page of docs/navigation.toml, "
            "or write the path as code"
        )
    own = names.get(source) or names[f"{posixpath.dirname(source)}/"]
    return posixpath.relpath(name, posixpath.dirname(own) or ".") + mark + anchor


def title_of(text: str) -> str:
    """Return the first heading of a page."""
    found = _HEADING.search(text)
    return found[1] if found else ""


def _decisions(names: dict[str, str], root: Path) -> str:
    """Return the page that lists the decisions, each by its title."""
    lines = [
        "# Decisions",
        "",
        "Decisions that outlive a change, each with its reasons.",
        "",
    ]
    pages = sorted(name for name in names if name.startswith(DECISIONS) and name.endswith(".md"))
    titles = [title_of((root / name).read_text("utf-8")) for name in pages]
    lines += [f"- [{title}]({Path(name).name})" for title, name in zip(titles, pages, strict=True)]
    return "\n".join([*lines, ""])


def _contents(parts: dict[str, list[Entry]]) -> str:
    """Return the tables of contents that the navigation is made of."""
    names, trees = sources(), []
    for part, entries in parts.items():
        pages = [(names[each.source].removesuffix(".md"), each.title) for each in entries]
        trees.append(_tree(part, [f"{title} <{page}>" if title else page for page, title in pages]))
    return "\n" + "\n\n".join(trees) + "\n"


def _tree(caption: str, pages: list[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"])

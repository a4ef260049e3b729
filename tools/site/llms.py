"""The site for programs that read text: `llms.txt`, `llms-full.txt`, and each page as Markdown.

The format is that of https://llmstxt.org: a title, a summary, and lists of links with a line each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tallow.core.operator import Indicator
from tools.site.navigation import Entry, sources
from tools.site.staging import ORPHAN, title_of

HISTORY = ("changelog.md", "adr/index.md", "findings.md", "findings/index.md")
"""Pages that `llms-full.txt` leaves out: they say what was."""

_CONTENTS = re.compile(r"^```\{toctree\}\n.*?^```\n*", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_SHORT = 160


def write_texts(
    pages: Path, html: Path, parts: Mapping[str, list[Entry]], indicators: list[Indicator]
) -> None:
    """Write the texts beside the HTML that was made of the same pages."""
    texts = {path.relative_to(pages).as_posix(): _plain(path) for path in pages.rglob("*.md")}
    for name, text in texts.items():
        (html / name).write_text(text, "utf-8")
    lists = "\n".join(_lists(texts, parts, indicators))
    (html / "llms.txt").write_text(f"{_head(texts['index.md'])}\n{lists}\n", "utf-8")
    names = [name for name in _order(parts) if name not in HISTORY]
    names += [f"indicators/{each.name}.md" for each in indicators]
    full = "\n\n".join(f"<!-- {name} -->\n\n{texts[name].strip()}" for name in names)
    (html / "llms-full.txt").write_text(f"{full}\n", "utf-8")


def _plain(path: Path) -> str:
    """Return a page without what only the generator reads."""
    return _CONTENTS.sub("", path.read_text("utf-8").removeprefix(ORPHAN)).strip() + "\n"


def _head(start: str) -> str:
    """Return the title and the summary: the start page's first paragraph."""
    title, summary, *_ = re.split(r"\n\n+", start)
    said = " ".join(summary.replace("**", "").split())
    return f"{title}\n\n> {said}\n\nAll pages in one file: [llms-full.txt](llms-full.txt).\n"


def _order(parts: Mapping[str, list[Entry]]) -> Iterator[str]:
    names = sources()
    yield "index.md"
    yield from (names[each.source] for entries in parts.values() for each in entries)


def _lists(
    texts: Mapping[str, str], parts: Mapping[str, list[Entry]], indicators: list[Indicator]
) -> Iterator[str]:
    names = sources()
    for part, entries in parts.items():
        yield f"## {part}\n"
        for entry in entries:
            name = names[entry.source]
            title = entry.title or title_of(texts[name])
            yield f"- [{title}]({name}){_described(texts[name])}"
        yield ""
    yield "## Indicators\n"
    yield from (f"- [{each.name}](indicators/{each.name}.md): {each.title}" for each in indicators)
    yield "\n## Optional\n"
    decisions = sorted(name for name in texts if re.match(r"adr/\d", name))
    yield from (f"- [{title_of(texts[name])}]({name})" for name in decisions)


def _described(text: str) -> str:
    """Return the first sentence after a page's title, to stand behind its link."""
    paragraphs = [each for each in re.split(r"\n\n+", text) if re.match(r"[\w`*\[]", each)]
    if not paragraphs:
        return ""
    plain = " ".join(_LINK.sub(r"\1", paragraphs[0]).replace("**", "").split())
    sentence = re.split(r"(?<=[.:]) (?=[A-Z`])", plain)[0].rstrip(":")
    return (
        f": {sentence}"
        if len(sentence) <= _SHORT
        else f": {sentence[:_SHORT].rpartition(' ')[0]} ..."
    )

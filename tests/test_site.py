"""Goal: the site has every page, and every link on it and in the repository leads somewhere.

Method: links, anchors and pictures of all pages are followed in the repository, as whoever reads
the files does; the site is built once, as `make site` builds it, its HTML is followed, too, and a
browser that is served the folder below a path searches it. A page that nobody named is made up.
"""

from __future__ import annotations

import functools
import os
import posixpath
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from tallow.core.registry import registry
from tests.devtools import browsing
from tools.site.navigation import (
    GENERATED,
    Entry,
    SiteError,
    check_navigation,
    read_navigation,
    sources,
)
from tools.site.staging import with_links

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("findings/*.md")})
FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Return what an address may name of a page, as those who show Markdown make it of headings."""
    text = FENCE.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+?) *$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", each) for each in headings]
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_in_the_repository_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            assert link.startswith(("https://", "http://127.0.0.1")), link
            continue
        path, _, anchor = link.partition("#")
        to = (page.parent / path).resolve() if path else page
        made = to.relative_to(ROOT).as_posix() in GENERATED
        assert to.exists() or made, f"({link}): there is no such file"
        if anchor and not made:
            assert anchor in anchors(to), f"({link}): the page has no such heading"


def test_all_pages_stand_in_the_navigation() -> None:
    check_navigation(read_navigation())


def test_a_page_that_is_not_named_and_a_name_without_a_page_are_told(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("index.md", "new.md", "known.md"):
        (tmp_path / "docs" / name).write_text("# Title\n")
    entries = [Entry("docs/known.md"), Entry("docs/known.md"), Entry("docs/gone.md")]
    with pytest.raises(SiteError) as told:
        check_navigation({"Start": entries}, tmp_path)
    rules = (
        "docs/new.md is not named; add it to the part it belongs to",
        "docs/known.md is named twice; leave one",
        "docs/gone.md is named, and there is no such file; take it away, or correct its name",
    )
    assert str(told.value).splitlines() == [f"docs/navigation.toml: {rule}" for rule in rules]


def test_links_lead_to_the_same_pages_of_the_site() -> None:
    names = sources()
    text = "[a](../README.md#serve) [b](adr/) ![c](chart.svg)\n```\n[d](nowhere.md)\n```\n"
    assert with_links(text, "docs/keys.md", names, ROOT) == (
        "[a](overview.md#serve) [b](adr/index.md) ![c](chart.svg)\n```\n[d](nowhere.md)\n```\n"
    )
    assert with_links("[a](docs/keys.md)", "README.md", names, ROOT) == "[a](keys.md)"
    assert with_links("[a](../keys.md)", "docs/adr/0033-keys.md", names, ROOT) == "[a](../keys.md)"
    with pytest.raises(SiteError, match=r"docs/keys\.md: \(\.\./Makefile\); the site has no such"):
        with_links("[a](../Makefile)", "docs/keys.md", names, ROOT)


class Document(HTMLParser):
    """What a page links to and loads, and what can be linked to on it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if "src" in found:
            self.loaded.append(found["src"])
        if "href" in found and tag in {"a", "link"}:
            (self.links if tag == "a" else self.loaded).append(found["href"])


def check_links(site: Path) -> int:
    """Follow each link of each page of a site; return how many there are."""
    documents = {path: Document(path) for path in site.rglob("*.html")}
    count = 0
    for path, document in documents.items():
        for link in (*document.links, *document.loaded):
            if re.match(r"[a-z]+:", link):
                # Only somebody's click leads away.
                assert link not in document.loaded or link.startswith("data:"), f"{path}: {link}"
                continue
            file, _, anchor = link.partition("#")
            file = unquote(file.partition("?")[0])
            to = Path(posixpath.normpath(path.parent / file)) if file else path
            assert to.is_file(), f"{path.relative_to(site)}: {link}"
            if anchor and to.suffix == ".html":
                known = documents[to].ids
                assert unquote(anchor) in known or anchor == "", f"{path.relative_to(site)}: {link}"
            count += 1
    for style in site.rglob("*.css"):
        loads = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")]+)", style.read_text("utf-8"))
        assert not [each for each in loads if re.match(r"(https?:)?//", each)], style
    return count


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Give the address of a web server that shows a folder."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


SEARCHES = {
    "bollinger": "indicators/bollinger.html",
    "supertrend": "indicators/supertrend.html",
    "backup": "commands.html",
}
"""What is typed, and a page that must be the first one found."""

FOUND = "[...document.querySelectorAll('#search-results li a')].map(each => each.href)"


def check_search(site: Path, folder: Path) -> None:
    """Search the site in a browser, from a server below a path, and as files."""
    with served(site.parent) as address, browsing(folder) as page:
        for place in (f"{address}/{site.name}", site.as_uri()):
            for typed, wanted in SEARCHES.items():
                page.open(f"{place}/search.html?q={typed}")
                first = page.see(f"{FOUND}.length && {FOUND}[0]")
                assert first.startswith(f"{place}/{wanted}"), f"{typed}: {first}"
            # Without a server the texts below what is found cannot be fetched, and that is said.
            assert page.console == [] or place.startswith("file:")


def check_texts(site: Path) -> None:
    """Look at what is there for programs that read text."""
    listed = (site / "llms.txt").read_text("utf-8")
    assert listed.startswith("# Tallow\n\n> Candle analytics for trading backends, in Python. One")
    links = LINK.findall(listed)
    assert links
    assert [each for each in links if not (site / each).is_file()] == []
    names = {name for name in sources().values() if name not in {"index.md", "adr/index.md"}}
    assert names <= set(links)
    full = (site / "llms-full.txt").read_text("utf-8")
    for indicator in registry().by_name.values():
        if indicator.family is None:
            name = indicator.name
            assert f"\n- [{name}](indicators/{name}.md): {indicator.title}\n" in listed
            assert indicator.formula.replace("|", "\\|").replace("*", "\\*") in full, name
    assert not re.search(r"toctree|orphan: true", listed + full)


def test_the_site_is_whole_and_can_be_searched(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="sphinx is not installed: no site to look at")
    site = tmp_path / "below" / "site"
    # What it runs of Tallow is measured where it is tested by itself.
    own = {name: text for name, text in os.environ.items() if not name.startswith("COV")}
    words = [sys.executable, "-m", "tools.site", str(site)]
    done = subprocess.run(words, cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert check_links(site) > 5_000
    check_texts(site)
    if shutil.which("chromium"):
        check_search(site, tmp_path)

"""From the pages and the declarations to a folder that any web server shows."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from sphinx.cmd.build import build_main

from tools.site.generated import shown_indicators, write_commands, write_indicators
from tools.site.llms import write_texts
from tools.site.navigation import ROOT, SiteError, check_navigation, read_navigation
from tools.site.staging import stage

HERE = Path(__file__).resolve().parent
MARK = ".tallow-site"
"""Lies in a folder that was built: no other one is replaced."""


def build(target: Path, root: Path = ROOT) -> None:
    """Build the site into a folder; one that was built before is replaced.

    `SiteError` where the navigation leaves a page out, a link or an anchor leads nowhere, or the
    folder holds something else.
    """
    if target.exists() and any(target.iterdir()) and not (target / MARK).exists():
        raise SiteError(f"{target}: holds something else than a site; name an empty folder")
    parts = read_navigation(root)
    check_navigation(parts, root)
    with tempfile.TemporaryDirectory() as folder:
        pages, html = Path(folder, "pages"), Path(folder, "html")
        pages.mkdir()
        stage(pages, root)
        write_commands(pages)
        write_indicators(pages)
        _run_sphinx(pages, html)
        write_texts(pages, html, parts, shown_indicators())
        (html / MARK).touch()
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(html, target)


def _run_sphinx(pages: Path, html: Path) -> None:
    """Write the HTML of all pages; whatever it warns of is an error, and all of it is said."""
    words = ["-b", "html", "-c", str(HERE), "-d", str(pages.parent / "trees"), "-q", "-W", "-n"]
    if build_main([*words, "--keep-going", str(pages), str(html)]):
        raise SiteError("the site is not built: mend what is said above")
    for left in ("objects.inv", ".buildinfo"):
        (html / left).unlink(missing_ok=True)

"""The pages: NiceGUI frames them, scripts of their own fill them; see ADR 37.

What a page shows and does goes through ``/v1`` with the key of whoever looks at it. The frame knows
no data and has no rights, so that neither its socket nor its memory can give any away.
"""

from __future__ import annotations

import base64
from functools import cache
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from nicegui import ui
from starlette.staticfiles import StaticFiles

from tallow.plots.page import LIBRARY, LIBRARY_SHA256

TITLES = {"": "Market", "chart": "Chart", "migration": "Migration", "operations": "Operations"}
"""Pages by their path below the desk, in the order of the navigation."""

_HERE = Path(str(files("tallow.service.desk")))
_PLOTS = Path(str(files("tallow.plots")))


def make_pages() -> FastAPI:
    """Return the application of the pages: their files, and NiceGUI behind them."""
    app = FastAPI(openapi_url=None)
    app.mount("/static", StaticFiles(directory=_HERE / "static"))
    app.mount("/plots", StaticFiles(directory=_PLOTS))
    for path, title in TITLES.items():
        _add_page(path, title)
    ui.run_with(
        app,
        title="Tallow",
        dark=None,
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=15.0,
        show_welcome_message=False,
        favicon=_HERE / "static" / "tallow.svg",
    )
    return app


def _add_page(path: str, title: str) -> None:
    name = path or "market"

    @ui.page(f"/{path}", title=f"{title} - Tallow", response_timeout=30)
    def page() -> None:
        ui.add_head_html(_head(name))
        _frame(path)
        ui.html(_part(name), sanitize=False).classes("desk-page")
        if name in _CHARTED:
            # Its script gives it what it shows, and puts it where there is room.
            ui.echart({"series": []}).props("data-part=echart")
        ui.html(_part("sign_in"), sanitize=False)


_CHARTED = frozenset({"migration", "operations"})
_PARTS = {
    "market": ("cells", "grid", "stream"),
    "chart": ("chart_live", "chart_view", "explain", "legends", "picker", "stream"),
    "migration": ("tables",),
    "operations": ("quarantine", "stream", "tables"),
}
"""Modules that a page's script imports: they are loaded beside it, and not after it."""

_LIBRARIES = {"chart": (f"vendor/{LIBRARY}", "parts.js")}


def _head(name: str) -> str:
    """Return what a page loads: its styles, its script, and the library of charts, by its hash."""
    digest = base64.b64encode(bytes.fromhex(LIBRARY_SHA256)).decode("ascii")
    lines = ['<link rel="stylesheet" href="/desk/static/desk.css">']
    for each in _LIBRARIES.get(name, ()):
        known = f' integrity="sha256-{digest}"' if each.endswith(LIBRARY) else ""
        lines.append(f'<script defer src="/desk/plots/{each}"{known}></script>')
    modules = ("desk", *_PARTS[name])
    lines += [f'<link rel="modulepreload" href="/desk/static/{each}.js">' for each in modules]
    lines.append(f'<script type="module" src="/desk/static/{name}.js"></script>')
    return "\n".join(lines)


def _frame(path: str) -> None:
    """Make the head of a page: where one is, where one may go, and how the service is."""
    with ui.header().classes("desk-head"):
        ui.html('<a class="brand" href="/desk/">Tallow</a>', sanitize=False)
        links = (
            f'<a href="/desk/{each}"{_current(each == path)}>{title}</a>'
            for each, title in TITLES.items()
        )
        ui.html("".join(links), sanitize=False, tag="nav").props('aria-label="Pages"')
        ui.html(_part("head"), sanitize=False).classes("desk-tools")


def _current(is_it: bool) -> str:
    return ' aria-current="page"' if is_it else ""


@cache
def _part(name: str) -> str:
    """Return a part of a page, as HTML."""
    return (_HERE / "static" / f"{name}.html").read_text("utf-8")

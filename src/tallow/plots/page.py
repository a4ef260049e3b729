"""A drawing as one web page, which loads nothing: library, data and styles are in it."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from tallow.core.arrays import Flags, Floats
from tallow.core.text import printable
from tallow.plots.drawing import VOLUME, Curve, Drawing, MadeCandles, Mark
from tallow.plots.look import DARK, DARK_LINES, LIGHT, LIGHT_LINES

LIBRARY = "lightweight-charts.standalone.production.js"
LIBRARY_SHA256 = "e21cc5caa0226ef30bd8549c50b9ef926615f2a4ee6b4e486353477a55f598cf"
"""The library's production build, as its makers published it; `vendor/NOTICE.txt` is about it."""

_TEMPLATE, _PARTS, _SCRIPT, _STYLE = "page.html", "parts.js", "page.js", "page.css"


def render(drawing: Drawing) -> str:
    """Return the page.

    Its policy lets no script run but those it holds, known by their hashes, and no request be
    made: what came with the candles could not, even if it was not escaped.
    """
    scripts = (_text("vendor", LIBRARY), _text(_PARTS), _text(_SCRIPT))
    parts = {
        "TITLE": escape(_shown(f"{drawing.title} {drawing.subtitle}")),
        "POLICY": " ".join(f"'sha256-{_hash(each)}'" for each in scripts),
        "STYLE": _variables() + _text(_STYLE),
        "NAME": escape(_shown(drawing.title)),
        "SUBTITLE": escape(_shown(drawing.subtitle)),
        "ZONE": escape(drawing.zone),
        "NOTICE": escape(_text("vendor", "NOTICE.txt").partition("\n\n")[0]),
        "DATA": data_text(drawing),
        **dict(zip(("LIBRARY", "PARTS", "SCRIPT"), scripts, strict=True)),
    }
    pieces = _text(_TEMPLATE).split("@@")
    return "".join(parts[piece] if k % 2 else piece for k, piece in enumerate(pieces))


def data_of(drawing: Drawing) -> dict[str, Any]:
    """Return what a page's script reads, as JSON has it.

    Numbers are the bytes of their float64 in base64, so that they arrive bit for bit.
    """
    return {
        "title": _shown(drawing.title),
        "isIntraday": drawing.is_intraday,
        "points": drawing.points,
        "times": _bytes(drawing.times.astype(np.float64)),
        "clock": _bytes(drawing.clock.astype(np.float64)),
        "starts": _rows(drawing.starts),
        "forming": _rows(drawing.forming),
        "candles": {name: _bytes(each) for name, each in drawing.candles.items()},
        "volume": _bytes(drawing.volume),
        "panes": [
            {
                "isVolume": pane.name == VOLUME,
                "style": pane.numbers.style,
                "decimals": pane.numbers.decimals,
                "scale": pane.numbers.scale,
                "curves": [_curve(each) for each in pane.curves],
                "candles": pane.candles and _candles(pane.candles),
            }
            for pane in drawing.panes
        ],
        "marks": [_mark(each) for each in drawing.marks],
        "themes": {
            "light": {**LIGHT, "lines": LIGHT_LINES},
            "dark": {**DARK, "lines": DARK_LINES},
        },
    }


def data_text(drawing: Drawing) -> str:
    """Return what the page's script reads, as JSON that no tag can end."""
    text = json.dumps(data_of(drawing), separators=(",", ":"), allow_nan=False)
    # "<" and "&" end or begin nothing then; other signs that matter are escaped by ASCII alone.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _variables() -> str:
    """Return the colours of the page around the chart."""
    light, dark = (
        " ".join(f"--{name}: {colours[name]};" for name in ("background", "text", "quiet"))
        for colours in (LIGHT, DARK)
    )
    in_the_dark = "@media (prefers-color-scheme: dark)"
    return f":root {{ {light} }}\n{in_the_dark} {{ :root {{ {dark} }} }}\n"


def _curve(curve: Curve) -> dict[str, Any]:
    return {
        "label": curve.label,
        "kind": curve.kind,
        "values": _bytes(curve.values),
        "ends": _rows(curve.ends),
        "signs": None if curve.signs is None else _bytes(curve.signs),
    }


def _candles(candles: MadeCandles) -> dict[str, Any]:
    values = {name: _bytes(each) for name, each in candles.values.items()}
    return {"label": _shown(candles.label), "values": values}


def _mark(mark: Mark) -> dict[str, Any]:
    return {"row": mark.row, "kind": mark.kind, "side": mark.side, "text": _shown(mark.text)}


def _bytes(values: Floats) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f8").tobytes()).decode("ascii")


def _rows(flags: Flags) -> list[int]:
    found: list[int] = np.flatnonzero(flags).tolist()
    return found


def _shown(text: str) -> str:
    """Return a text of others as it may stand on the page."""
    return printable(text).encode("utf-8", "replace").decode("utf-8")


@cache
def _text(*path: str) -> str:
    return files("tallow.plots").joinpath(*path).read_text("utf-8")


@cache
def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")

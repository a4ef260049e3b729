"""A drawing as a picture, by matplotlib: the same content as the page, at one size."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.disk import replacing
from tallow.core.errors import OutputError
from tallow.core.text import printable
from tallow.plots.drawing import PRICE, VOLUME, Curve, Drawing, Pane
from tallow.plots.look import LIGHT as COLOURS
from tallow.plots.look import LIGHT_LINES as LINES
from tallow.plots.numbers import number_text
from tallow.plots.ticks import ticks

WIDTH, PRICE_HEIGHT, PANE_HEIGHT, EDGE = 14.0, 5.0, 1.25, 1.3
"""Inches, of 100 pixels each."""

BARS_MOST = 1_300
"""More bars than the picture has columns for are drawn several as one: what its pixels can show."""

LABELS_MOST = 24
TICKS_MOST = 12
_STYLE: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "tallow",
    "axes.edgecolor": COLOURS["edge"],
    "axes.labelcolor": COLOURS["text"],
    "text.color": COLOURS["text"],
    "xtick.color": COLOURS["quiet"],
    "ytick.color": COLOURS["quiet"],
}
_LOCK = threading.Lock()
"""matplotlib's settings are those of the whole process while it draws."""


def write_picture(drawing: Drawing, target: Path) -> None:
    """Write a ``.png`` or ``.svg`` file, which appears whole or not at all.

    `OutputError` if matplotlib is not installed, or the file cannot be written.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise OutputError(
            f"output: {target}; needs matplotlib; install it with: pip install 'tallow[plot]', or "
            "write .html, which needs nothing"
        ) from error
    kind = target.suffix.lower().removeprefix(".")
    with _LOCK, matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # A name may have letters that the font has not: it is drawn without them.
        warnings.filterwarnings("ignore", message="Glyph")
        figure = Figure(
            figsize=(WIDTH, sum(_heights(drawing)) + EDGE), dpi=100, facecolor=COLOURS["background"]
        )
        _draw(figure, drawing)
        try:
            with replacing(target) as temporary:
                extra: dict[str, Any] = {"metadata": {"Date": None}} if kind == "svg" else {}
                figure.savefig(temporary, format=kind, **extra)
        except OSError as error:
            raise OutputError(f"output: {target}; could not be written; {error}") from error


def _shapes() -> Any:
    """Return matplotlib's shapes: its types are narrower than what these take, which is arrays."""
    import matplotlib.collections

    return matplotlib.collections


def _heights(drawing: Drawing) -> list[float]:
    """Return the inches of each pane; made candles are as large as others of three panes."""
    below = (3 * PANE_HEIGHT if pane.candles else PANE_HEIGHT for pane in drawing.panes[1:])
    return [PRICE_HEIGHT, *below]


def _draw(figure: Any, drawing: Drawing) -> None:
    ratios = _heights(drawing)
    height = sum(ratios) + EDGE
    grid = {"height_ratios": ratios, "hspace": 0.06}
    edges = {"left": 0.015, "right": 0.93, "top": 1 - 0.8 / height, "bottom": 0.45 / height}
    axes = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, gridspec_kw=grid | edges)[
        :, 0
    ]
    figure.text(0.015, 1 - 0.34 / height, printable(drawing.title), fontsize=15, weight="bold")
    groups = _groups(drawing.bars)
    about = f"{drawing.subtitle}, {drawing.zone}"
    if len(groups) > 1 and groups[1] > 1:
        about += f"; {groups[1]} bars drawn as one"
    figure.text(0.015, 1 - 0.58 / height, about, color=COLOURS["quiet"])
    _candles(axes[0], drawing.candles, drawing.forming, groups)
    for number, (ax, pane) in enumerate(zip(axes, drawing.panes, strict=True)):
        _dress(ax, drawing, pane)
        if pane.name == VOLUME:
            _volume(ax, drawing, groups)
        if pane.candles is not None:
            _candles(ax, pane.candles.values, drawing.forming, groups, pane.candles.label)
        _curves(ax, pane, groups, drawing.points)
        _legend(ax, pane, drawing, is_first=number == 0)
    _marks(axes[0], drawing)
    rows, texts = ticks(drawing, TICKS_MOST)
    axes[-1].tick_params(labelbottom=True)
    axes[-1].set_xticks(rows, texts)
    axes[-1].set_xlim(-1, drawing.points + 1)


def _groups(bars: int) -> Ints:
    """Return the first bar of each group that is drawn as one."""
    return np.arange(0, bars, max(1, -(-bars // BARS_MOST)))


def _dress(ax: Any, drawing: Drawing, pane: Pane) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set_facecolor(COLOURS["background"])
    for name in ("left", "right", "top"):
        ax.spines[name].set_visible(False)
    whole = pane.numbers.decimals == 0
    ax.yaxis.set_major_locator(MaxNLocator(6 if pane.name == PRICE else 3, integer=whole))
    ax.margins(y=0.1)
    ax.yaxis.tick_right()
    ax.grid(axis="y", color=COLOURS["grid"], linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelbottom=False)
    ax.yaxis.set_major_formatter(lambda value, _: number_text(value, pane.numbers))
    starts = np.flatnonzero(drawing.starts)[1:]
    if drawing.is_intraday and 0 < len(starts) <= 60:
        for row in starts.tolist():
            ax.axvline(row - 0.5, color=COLOURS["edge"], linewidth=0.6, zorder=0.5)


def _candles(
    ax: Any, prices: Mapping[str, Floats], forming: Flags, groups: Ints, label: str = "candles"
) -> None:
    """Draw a wick and a body for each group; a bar that is forming has an empty body."""
    opened, closed = (
        _first(prices["open"], groups),
        _last(prices["close"], groups),
    )
    with np.errstate(invalid="ignore"):
        high = np.fmax.reduceat(prices["high"], groups)
        low = np.fmin.reduceat(prices["low"], groups)
    known = np.isfinite(opened + closed + high + low)
    at = _middles(groups, len(forming))[known]
    opened, closed, high, low = opened[known], closed[known], high[known], low[known]
    rises = closed >= opened
    colours = np.where(rises, COLOURS["up"], COLOURS["down"])
    is_forming = np.logical_or.reduceat(forming, groups)[known]
    faces = np.where(is_forming, COLOURS["background"], colours)
    wicks = _shapes().LineCollection(
        np.stack([np.stack([at, low], 1), np.stack([at, high], 1)], 1), colors=colours,
        linewidths=0.9, gid="wicks", zorder=2,
    )  # fmt: skip
    half = 0.36 * (groups[1] - groups[0] if len(groups) > 1 else 1)
    bottom, top = np.minimum(opened, closed), np.maximum(opened, closed)
    bodies = _shapes().PolyCollection(
        _boxes(at, half, bottom, top), facecolors=faces, edgecolors=colours, linewidths=0.9,
        gid=label, zorder=2.1,
    )  # fmt: skip
    ax.add_collection(wicks)
    ax.add_collection(bodies)
    ax.autoscale_view()


def _boxes(at: Floats, half: float, bottom: Floats, top: Floats) -> Floats:
    corners = [(at - half, bottom), (at - half, top), (at + half, top), (at + half, bottom)]
    boxes: Floats = np.stack([np.stack(corner, 1) for corner in corners], 1)
    return boxes


def _middles(groups: Ints, bars: int) -> Floats:
    ends = np.append(groups[1:], bars)
    middles: Floats = (groups + ends - 1) / 2.0
    return middles


def _first(values: Floats, groups: Ints) -> Floats:
    return values[groups]


def _last(values: Floats, groups: Ints) -> Floats:
    last: Floats = values[np.append(groups[1:], len(values)) - 1]
    return last


def _volume(ax: Any, drawing: Drawing, groups: Ints) -> None:
    sums = np.add.reduceat(np.nan_to_num(drawing.volume), groups)
    rises = _last(drawing.candles["close"], groups) >= _first(drawing.candles["open"], groups)
    colours = np.where(rises, f"{COLOURS['up']}99", f"{COLOURS['down']}99")
    half = 0.4 * (groups[1] - groups[0] if len(groups) > 1 else 1)
    boxes = _boxes(_middles(groups, drawing.bars), half, np.zeros(len(sums)), sums)
    ax.add_collection(_shapes().PolyCollection(boxes, facecolors=colours, gid="volume"))
    ax.autoscale_view()
    ax.set_ylim(bottom=0)


def _curves(ax: Any, pane: Pane, groups: Ints, points: int) -> None:
    for number, curve in enumerate(pane.curves):
        colour = _colour(number)
        if curve.kind == "histogram":
            _histogram(ax, curve)
        elif curve.kind == "corners":
            known = np.flatnonzero(np.isfinite(curve.values))
            ax.plot(known, curve.values[known], color=colour, linewidth=1.1, gid=curve.label)
        elif curve.signs is None:
            _line(ax, curve, np.ones(points, dtype=np.bool_), colour, curve.label)
        else:
            _line(ax, curve, ~(curve.signs < 0), COLOURS["up"], curve.label)
            _line(ax, curve, curve.signs < 0, COLOURS["down"], f"{curve.label} down")
    ax.autoscale_view()


def _line(ax: Any, curve: Curve, which: Flags, colour: str, gid: str) -> None:
    """Draw a line through some points; it ends where the next one is of another period."""
    shown = np.where(which, curve.values, np.nan)
    cuts = np.flatnonzero(curve.ends) + 1
    at = np.insert(np.arange(len(shown), dtype=np.float64), cuts, np.nan)
    values = np.insert(shown, cuts, np.nan)
    style = "steps-post" if curve.kind == "steps" else "default"
    ax.plot(at, values, color=colour, linewidth=1.1, drawstyle=style, gid=gid)


def _histogram(ax: Any, curve: Curve) -> None:
    known = np.flatnonzero(np.isfinite(curve.values))
    values = curve.values[known]
    foot, head = np.stack([known, np.zeros(len(known))], 1), np.stack([known, values], 1)
    colours = np.where(values >= 0, COLOURS["up"], COLOURS["down"])
    width = max(0.6, 500.0 / max(len(curve.values), 1))
    ax.add_collection(
        _shapes().LineCollection(
            np.stack([foot, head], 1), colors=colours, linewidths=width, alpha=0.7
        )
    )


def _legend(ax: Any, pane: Pane, drawing: Drawing, *, is_first: bool) -> None:
    """Write what is drawn, each in its colour, with its newest value."""
    from matplotlib.lines import Line2D

    texts, colours = [], []
    if pane.name == VOLUME:
        texts.append(f"volume {number_text(drawing.volume[-1], pane.numbers)}")
        colours.append(COLOURS["text"])
    if pane.candles is not None:
        texts.append(pane.candles.label)
        colours.append(COLOURS["text"])
    for number, curve in enumerate(pane.curves):
        value = curve.values[drawing.bars - 1]
        shown = number_text(value, pane.numbers)
        texts.append(f"{curve.label} {shown}" if np.isfinite(value) else curve.label)
        colours.append(_newest_colour(curve, number, drawing.bars - 1))
    if is_first and drawing.forming[-1]:
        texts.append("last bar forming")
        colours.append(COLOURS["quiet"])
    if not texts:
        return
    handles = [Line2D([], [], linestyle="none") for _ in texts]
    legend = ax.legend(
        handles, [printable(text) for text in texts], loc="upper left", ncols=8, fontsize=8.5,
        handlelength=0, handletextpad=0, columnspacing=1.2, borderaxespad=0.2, labelcolor=colours,
        frameon=True, framealpha=0.75, edgecolor="none", facecolor=COLOURS["background"],
    )  # fmt: skip
    legend.set_zorder(5)


def _marks(ax: Any, drawing: Drawing) -> None:
    """Draw marks below and above their bars, those of one bar one after the other."""
    patterns = [mark for mark in drawing.marks if mark.kind == "pattern"]
    taken: dict[tuple[int, bool], int] = {}
    for mark in drawing.marks:
        above = mark.side < 0
        price = drawing.candles["high" if above else "low"][mark.row]
        if not np.isfinite(price):
            continue
        step = taken[mark.row, above] = taken.get((mark.row, above), 0) + 1
        offset = (0, (6 + 9 * (step - 1)) * (1 if above else -1))
        text = mark.text if mark.kind == "pattern" and len(patterns) <= LABELS_MOST else ""
        shape = "\u25cf" if mark.kind == "match" else "\u25bc" if above else "\u25b2"
        size = 5 if mark.kind == "extreme" else 7
        ax.annotate(
            f"{shape} {printable(text)}".strip(), (mark.row, price), offset, ha="center",
            textcoords="offset points", va="bottom" if above else "top", fontsize=size,
            color=_mark_colour(mark.kind, mark.side), gid=f"mark {mark.kind}", zorder=4,
        )  # fmt: skip


def _mark_colour(kind: str, side: int) -> str:
    if kind == "match":
        return COLOURS["match"]
    if kind == "extreme":
        return COLOURS["quiet"]
    return COLOURS[{1: "up", -1: "down", 0: "neutral"}[side]]


def _newest_colour(curve: Curve, number: int, row: int) -> str:
    """Return the colour that a curve has at a point."""
    signs = curve.values if curve.kind == "histogram" else curve.signs
    if signs is None or not np.isfinite(signs[row]):
        return _colour(number)
    return str(COLOURS["down" if signs[row] < 0 else "up"])


def _colour(number: int) -> str:
    return LINES[number % len(LINES)]

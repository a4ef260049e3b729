"""The geometry of a chart: both sides around a row that differs, with the close below.

Numbers and points only; the page's template draws them, and escapes all names from users.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from tallow.core.arrays import Floats
from tallow.core.time import from_us
from tallow.migrate.compare.counts import WorstRow
from tallow.migrate.compare.words import value_text

WIDTH, HEIGHT = 420, 236
LEFT, RIGHT = 62, 10
VALUES_TOP, VALUES_BOTTOM = 10, 138
CLOSE_TOP, CLOSE_BOTTOM = 162, 208


@dataclass(frozen=True)
class ChartBar:
    """One bar's strip, over which a pointer shows its values."""

    x: float
    width: float
    text: str


@dataclass(frozen=True)
class ChartLabel:
    """A label and its position."""

    x: float
    y: float
    text: str
    anchor: str = "end"


@dataclass(frozen=True)
class Chart:
    """One chart; paths are those of SVG, in its units."""

    series: str
    instrument: str
    time: str
    control_value: str
    candidate_value: str
    causes: tuple[str, ...]
    control: str
    candidate: str
    close: str
    marker: float
    dots: tuple[ChartLabel, ...]
    bars: tuple[ChartBar, ...]
    labels: tuple[ChartLabel, ...]


def make_chart(row: WorstRow, zone: str) -> Chart:
    """Return the chart around a row, with times of a time zone."""
    count = len(row.timestamps)
    x = np.linspace(LEFT, WIDTH - RIGHT, max(count, 2))[:count]
    low, high = _limits(row.control, row.candidate)
    values = [
        _y_of(side, low, high, VALUES_TOP, VALUES_BOTTOM) for side in (row.control, row.candidate)
    ]
    least, most = _limits(row.close)
    close = _y_of(row.close, least, most, CLOSE_TOP, CLOSE_BOTTOM)
    times = [from_us(int(each)).astimezone(ZoneInfo(zone)) for each in row.timestamps]
    texts = [value_text(value) for value in row.values()]
    return Chart(
        series=row.series,
        instrument=row.instrument,
        time=f"{times[row.at]:%Y-%m-%d %H:%M}",
        control_value=texts[0],
        candidate_value=texts[1],
        causes=row.causes,
        control=_path(x, values[0]),
        candidate=_path(x, values[1]),
        close=_path(x, close),
        marker=float(x[row.at]),
        dots=tuple(_dots(x[row.at], values, row.at)),
        bars=tuple(_bars(row, x, times)),
        labels=(
            *_value_labels(low, high, VALUES_TOP, VALUES_BOTTOM),
            *_value_labels(least, most, CLOSE_TOP, CLOSE_BOTTOM),
            ChartLabel(LEFT, HEIGHT - 8, f"{times[0]:%d %b %H:%M}", "start"),
            ChartLabel(float(x[-1]), HEIGHT - 8, f"{times[-1]:%d %b %H:%M}"),
        ),
    )


def _limits(*columns: Floats) -> tuple[float, float]:
    values = np.concatenate(columns)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    # A flat line is drawn in the middle.
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _y_of(values: Floats, low: float, high: float, top: int, bottom: int) -> Floats:
    finite = np.where(np.isfinite(values), values, np.nan)
    scaled: Floats = bottom - (finite - low) / (high - low) * (bottom - top)
    return scaled


def _path(x: Floats, y: Floats) -> str:
    """Return a line through the points; it breaks at missing ones, and a single one is a dot."""
    steps, present = [], ~np.isnan(y)
    for row in np.flatnonzero(present):
        continues = row > 0 and present[row - 1]
        steps.append(f"{'L' if continues else 'M'}{x[row]:.1f} {y[row]:.1f}")
        if not continues and not (row + 1 < len(y) and present[row + 1]):
            steps.append("h0.1")
    return "".join(steps)


def _dots(x: float, values: list[Floats], at: int) -> Iterator[ChartLabel]:
    for name, y in zip(("control", "candidate"), values, strict=True):
        if np.isfinite(y[at]):
            yield ChartLabel(float(x), float(y[at]), name)


def _bars(row: WorstRow, x: Floats, times: list[datetime]) -> Iterator[ChartBar]:
    width = (WIDTH - LEFT - RIGHT) / max(len(x) - 1, 1)
    columns = zip(x, times, row.control, row.candidate, row.close, strict=True)
    for left, time, control, candidate, close in columns:
        values = (
            None if np.isnan(value) else float(value) for value in (control, candidate, close)
        )
        texts = [value_text(value) for value in values]
        text = f"{time:%Y-%m-%d %H:%M}\ncontrol {texts[0]}\ncandidate {texts[1]}\nclose {texts[2]}"
        yield ChartBar(float(left) - width / 2, width, text)


def _value_labels(low: float, high: float, top: int, bottom: int) -> tuple[ChartLabel, ChartLabel]:
    return (
        ChartLabel(LEFT - 6, top + 4, value_text(float(f"{high:.6g}"))),
        ChartLabel(LEFT - 6, bottom + 4, value_text(float(f"{low:.6g}"))),
    )

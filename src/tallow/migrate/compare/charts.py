"""The geometry of a chart: both sides around a row that differs, with the close below.

Numbers and points only; the page's template draws them, and escapes whatever a user named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from tallow.migrate.compare.comparison import moment
from tallow.migrate.compare.counts import Place

WIDTH, HEIGHT = 420, 236
LEFT, RIGHT = 62, 10
VALUES_TOP, VALUES_BOTTOM = 10, 138
CLOSE_TOP, CLOSE_BOTTOM = 162, 208

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bar:
    """One bar's strip, where a pointer finds its values."""

    x: float
    width: float
    text: str


@dataclass(frozen=True)
class Tick:
    """A label at a place."""

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
    dots: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]


def make_chart(place: Place, zone: str) -> Chart:
    """Return the chart of a place; times are those of a time zone."""
    x = _x(len(place.timestamps))
    low, high = _span(place.control, place.candidate)
    values = [
        _y(side, low, high, VALUES_TOP, VALUES_BOTTOM) for side in (place.control, place.candidate)
    ]
    least, most = _span(place.close)
    close = _y(place.close, least, most, CLOSE_TOP, CLOSE_BOTTOM)
    times = [moment(int(each)).astimezone(ZoneInfo(zone)) for each in place.timestamps]
    shown = [value_text(value) for value in place.values()]
    return Chart(
        series=place.series,
        instrument=place.instrument,
        time=f"{times[place.at]:%Y-%m-%d %H:%M}",
        control_value=shown[0],
        candidate_value=shown[1],
        causes=place.causes,
        control=_path(x, values[0]),
        candidate=_path(x, values[1]),
        close=_path(x, close),
        marker=float(x[place.at]),
        dots=tuple(_dots(x[place.at], values, place.at)),
        bars=tuple(_bars(place, x, times)),
        ticks=(
            *_value_ticks(low, high, VALUES_TOP, VALUES_BOTTOM),
            *_value_ticks(least, most, CLOSE_TOP, CLOSE_BOTTOM),
            Tick(LEFT, HEIGHT - 8, f"{times[0]:%d %b %H:%M}", "start"),
            Tick(float(x[-1]), HEIGHT - 8, f"{times[-1]:%d %b %H:%M}"),
        ),
    )


def value_text(value: float | None) -> str:
    """Write a value with as many digits as a reader can use.

    Examples
    --------
    >>> value_text(702.25), value_text(0.000123456789), value_text(1250000.0), value_text(None)
    ('702.25', '0.00012346', '1,250,000', 'none')
    """
    if value is None:
        return "none"
    if value and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.6g}"
    digits = 4 if abs(value) >= 1.0 else 8
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")


def _x(rows: int) -> Floats:
    return np.linspace(LEFT, WIDTH - RIGHT, max(rows, 2))[:rows]


def _span(*columns: Floats) -> tuple[float, float]:
    there = np.concatenate(columns)
    there = there[np.isfinite(there)]
    if not len(there):
        return 0.0, 1.0
    low, high = float(there.min()), float(there.max())
    # A flat line lies in the middle.
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _y(values: Floats, low: float, high: float, top: int, bottom: int) -> Floats:
    finite = np.where(np.isfinite(values), values, np.nan)
    scaled: Floats = bottom - (finite - low) / (high - low) * (bottom - top)
    return scaled


def _path(x: Floats, y: Floats) -> str:
    """Return a line through the points; it breaks where there is none, and one alone is a dot."""
    steps, there = [], ~np.isnan(y)
    for row in np.flatnonzero(there):
        goes_on = row > 0 and there[row - 1]
        steps.append(f"{'L' if goes_on else 'M'}{x[row]:.1f} {y[row]:.1f}")
        if not goes_on and not (row + 1 < len(y) and there[row + 1]):
            steps.append("h0.1")
    return "".join(steps)


def _dots(x: float, values: list[Floats], at: int) -> Iterator[Tick]:
    for name, y in zip(("control", "candidate"), values, strict=True):
        if np.isfinite(y[at]):
            yield Tick(float(x), float(y[at]), name)


def _bars(place: Place, x: Floats, times: list[datetime]) -> Iterator[Bar]:
    width = (WIDTH - LEFT - RIGHT) / max(len(x) - 1, 1)
    columns = zip(x, times, place.control, place.candidate, place.close, strict=True)
    for left, time, control, candidate, close in columns:
        values = (
            None if np.isnan(value) else float(value) for value in (control, candidate, close)
        )
        told = [value_text(value) for value in values]
        text = f"{time:%Y-%m-%d %H:%M}\ncontrol {told[0]}\ncandidate {told[1]}\nclose {told[2]}"
        yield Bar(float(left) - width / 2, width, text)


def _value_ticks(low: float, high: float, top: int, bottom: int) -> tuple[Tick, Tick]:
    return (
        Tick(LEFT - 6, top + 4, value_text(float(f"{high:.6g}"))),
        Tick(LEFT - 6, bottom + 4, value_text(float(f"{low:.6g}"))),
    )

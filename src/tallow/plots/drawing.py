"""What is drawn of an instrument's bars, as arrays: the page and the picture draw the same.

The axis counts bars: a bar is at its number, whatever the time to the one before, so that nights
take no room. Points after the last bar are for values that charts draw later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.plots.numbers import Numbers

PRICE, VOLUME = "price", "volume"


@dataclass(frozen=True)
class Curve:
    """One output in a pane.

    Attributes
    ----------
    label
        Its column.
    kind
        ``line``, ``steps``, ``histogram``, or ``corners``: a line from each value to the next one.
    values
        float64 of each point, NaN where there is none; already where it is drawn.
    ends
        Whether a line ends at a point, as the next one is of another session or period.
    signs
        What the direction beside it is at each point, by which it is coloured; None without one.
    """

    label: str
    kind: str
    values: Floats
    ends: Flags
    signs: Floats | None = None


@dataclass(frozen=True)
class MadeCandles:
    """Candles that an indicator makes of others: open, high, low, close, each as of a `Curve`."""

    label: str
    values: dict[str, Floats]


@dataclass(frozen=True)
class Pane:
    """Curves over one scale; the first pane has the candles, and one named `VOLUME` the volume."""

    name: str
    curves: tuple[Curve, ...]
    numbers: Numbers
    candles: MadeCandles | None = None


@dataclass(frozen=True)
class Mark:
    """A sign at a bar: of a candle pattern, an extreme, or a match of a screen.

    `side` is 1 below the bar, as of what is bullish, -1 above it, 0 below and of no direction.
    """

    row: int
    kind: str
    side: int
    text: str


@dataclass(frozen=True)
class Drawing:
    """An instrument's bars, and what is drawn over and below them.

    Attributes
    ----------
    times
        int64 microseconds of each bar's open, ascending.
    clock
        int64 seconds, each bar's open by the clocks of `zone`, as if these were UTC.
    starts
        Whether a bar is the first one of its session.
    candles
        open, high, low, close: float64 of each bar, NaN where it has no price.
    forming
        Whether a bar is not final yet.
    points
        Places on the axis: as many as bars, and those behind them.
    """

    title: str
    subtitle: str
    zone: str
    is_intraday: bool
    times: Times
    clock: Ints
    starts: Flags
    candles: dict[str, Floats]
    volume: Floats
    forming: Flags
    points: int
    panes: tuple[Pane, ...]
    marks: tuple[Mark, ...]

    def without_first(self, count: int) -> Drawing:
        """Return what is drawn from a bar on: values of earlier bars that are drawn later, too."""
        if not count:
            return self
        panes = (replace(pane, **_later(pane, count)) for pane in self.panes)
        marks = (replace(each, row=each.row - count) for each in self.marks if each.row >= count)
        return replace(
            self,
            times=self.times[count:],
            clock=self.clock[count:],
            starts=self.starts[count:],
            candles={name: each[count:] for name, each in self.candles.items()},
            volume=self.volume[count:],
            forming=self.forming[count:],
            points=self.points - count,
            panes=tuple(panes),
            marks=tuple(marks),
        )

    @property
    def bars(self) -> int:
        """How many bars there are."""
        return len(self.times)


def _later(pane: Pane, count: int) -> dict[str, Any]:
    """Return what a pane has from a point on."""
    curves = (
        replace(
            each,
            values=each.values[count:],
            ends=each.ends[count:],
            signs=None if each.signs is None else each.signs[count:],
        )
        for each in pane.curves
    )
    made = pane.candles
    if made is not None:
        values = {name: each[count:] for name, each in made.values.items()}
        made = MadeCandles(made.label, values)
    return {"curves": tuple(curves), "candles": made}

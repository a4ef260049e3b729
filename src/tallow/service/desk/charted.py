"""An instrument's bars as the page of charts wants them: placed, thinned, corrections marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from tallow.core.arrays import Times
from tallow.core.errors import without_empty_warnings
from tallow.core.spec import parse_specs
from tallow.core.timeframe import parse_timeframe
from tallow.data.reading.schema import time_view
from tallow.data.store.log import Selection
from tallow.plots.build import draw
from tallow.plots.page import data_of
from tallow.plots.placing import placings
from tallow.runtime.ranges import Range
from tallow.runtime.results import ProcessingResult
from tallow.service.desk.thinning import thin
from tallow.service.http.questions import BarsQuestion, Text, require_bounded
from tallow.service.service import Service

USUAL_PIXELS = 6
"""How wide a candle is where nobody asks for a range."""


class ChartQuestion(BaseModel):
    """What is drawn, and in how many places."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeframe: Text = "5m"
    indicators: Text = ""
    since: int | None = Field(None, description="Bars that open then, in microseconds, or later.")
    until: int | None = Field(None, description="Bars that open then, in microseconds, or before.")
    pixels: int = Field(1_000, ge=16, le=8_192, description="Width: candles that have room.")


def chart_of(service: Service, instrument: str, asked: ChartQuestion) -> bytes:
    """Return a drawing as JSON, as a chart's page has it, and what is said of its window.

    The window is what is asked for and as much on both sides as fits into twice the places, each
    of which has `per` bars. `earlier` and `later` are bars before and after it, `corrected` places
    with a corrected candle, `columns` the indicators' columns, and `fixed` those of them that
    charts draw at another bar, or as marks.

    Raises `TallowError` as a query does.
    """
    engine = service.engine
    words = asked.model_dump(include={"timeframe", "indicators"})
    wanted = Range.of(None, None, [instrument], None).checked(engine.calendars)
    require_bounded(engine, BarsQuestion(**words), wanted, service.store.state(), 1)
    with without_empty_warnings():
        result: ProcessingResult = engine.query(instrument, **words)
    if not len(result.frame):
        return orjson.dumps({"bars": 0, "why_empty": result.report.why_empty})
    first, last, per = _window(asked, time_view(result.frame))
    frame, recipe = result.frame[first:last], result.recipe
    calendar = recipe.calendars.calendars[int(recipe.calendars.indices([instrument])[0])]
    specs = parse_specs(recipe.plan.specs, recipe.plan.convention)
    size = parse_timeframe(recipe.timeframe)
    drawing = draw(frame, specs, size, calendar, calendar.timezone, {}, instrument)
    thinned = thin(drawing, per)
    revised = _revised_at(service, instrument, drawing.times)
    corrected = np.unique(np.searchsorted(thinned.times, revised, "right") - 1)
    data = data_of(thinned) | {
        "per": per,
        "bars": drawing.bars,
        "earlier": first,
        "later": len(result.frame) - last,
        "zone": drawing.zone,
        "columns": list(recipe.plan.outputs),
        "fixed": [each.column for each in placings(specs) if each.shift or each.mark],
        "corrected": corrected.tolist(),
        "failures": dict(result.report.failures),
        "newest": _newest(frame),
    }
    return orjson.dumps(data)


def _window(asked: ChartQuestion, times: Times) -> tuple[int, int, int]:
    """Return the first bar of the window, the one after its last, and how many share a place."""
    count = len(times)
    last = count if asked.until is None else int(np.searchsorted(times, asked.until, "right"))
    if asked.since is None:
        first = max(last - asked.pixels // USUAL_PIXELS, 0)
    else:
        first = min(int(np.searchsorted(times, asked.since)), last)
    per = max(1, -(-(last - first) // asked.pixels))
    room = min(2 * asked.pixels * per, count)
    begin = min(max((first + last - room) // 2, 0), count - room)
    return begin, begin + room, per


def _newest(frame: pl.DataFrame) -> dict[str, Any]:
    """Return the newest bar as it is, for whoever goes on from it."""
    names = ("open", "high", "low", "close", "volume", "is_final")
    (bar,) = frame.tail(1).select(names).to_dicts()
    return bar | {"timestamp": int(time_view(frame)[-1])}


def _revised_at(service: Service, instrument: str, times: Times) -> Times:
    """Return when candles opened that were corrected, int64 microseconds, from the first bar on."""
    selection = Selection.of([instrument], "1m", "raw", int(times[0]), None, None)
    rows = service.store.view().scan(selection, ["instrument", "timestamp", "revision"])
    return time_view(rows.filter(pl.col("revision") > 1))

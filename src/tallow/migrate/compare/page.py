"""The comparison as one web page, which loads nothing: no script, picture or font."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tallow.core.errors import ComparisonError
from tallow.core.text import printable
from tallow.migrate.compare.charts import (
    CLOSE_BOTTOM,
    CLOSE_TOP,
    HEIGHT,
    VALUES_TOP,
    WIDTH,
    Chart,
    make_chart,
)
from tallow.migrate.compare.comparison import Comparison
from tallow.migrate.compare.counts import ValueCounts, add_up
from tallow.migrate.compare.words import (
    MARKS,
    cause_rows,
    decimals_text,
    local_text,
    percent_text,
    span_text,
    value_text,
)

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = "report.html.j2"

CHARTS_PER_SERIES = 3
INSTRUMENTS_SHOWN = 50
ERRORS_SHOWN = 20
"""The page shows the worst; `Comparison.to_dict` has everything."""

PARTS = ("equal", "rounded", "tolerated", "explained", "unexplained")


@dataclass(frozen=True)
class CountsRow:
    """A series or an instrument in a table; `parts` are percentages of the values compared."""

    name: str
    counts: ValueCounts
    parts: tuple[tuple[str, float], ...]
    decimals: str = ""

    @classmethod
    def of(cls, name: str, counts: ValueCounts, decimals: str = "") -> CountsRow:
        """Return the row of a name."""
        whole = counts.compared or 1
        parts = tuple((part, 100.0 * getattr(counts, part) / whole) for part in PARTS)
        return cls(name, counts, parts, decimals)


def render(comparison: Comparison, reword: Callable[[str], str] = str) -> str:
    """Return the page; `reword` puts an error into the words of its reader.

    `ComparisonError` if Jinja2 is not installed.
    """
    return page_template().render(view(comparison) | {"reword": reword})


def page_template() -> Template:
    """Return the template; `ComparisonError` if Jinja2 is not installed."""
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError as error:
        raise ComparisonError(
            "compare: html: needs jinja2; install it with: pip install 'tallow[compare]'"
        ) from error
    # Names come with the candles, from anybody, so everything is escaped.
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Nor may names change the direction of the text beside them.
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters |= {"count": "{:,}".format, "percent": percent_text, "value": value_text}
    text = files("tallow.migrate.compare").joinpath(TEMPLATE).read_text("utf-8")
    return environment.from_string(text)


def view(comparison: Comparison) -> dict[str, Any]:
    """Return the template's variables."""
    values, zone = comparison.values, comparison.zone
    by_series = values.series()
    return {
        "comparison": comparison,
        "total": CountsRow.of("all series", values.total()),
        "series": [
            CountsRow.of(name, counts, decimals_text(values.decimals[name]))
            for name, counts in by_series.items()
        ],
        "causes": list(cause_rows(by_series)),
        "flips": list(values.flips.values()),
        "charts": _charts(comparison, zone),
        "instruments": _worst_instruments(comparison),
        "instruments_shown": INSTRUMENTS_SHOWN,
        "errors_shown": ERRORS_SHOWN,
        "marks": MARKS,
        "span": span_text(values, zone),
        "zone": zone,
        "when": lambda microseconds: local_text(microseconds, zone),
        "box": {
            "width": WIDTH,
            "height": HEIGHT,
            "top": VALUES_TOP,
            "close_top": CLOSE_TOP,
            "close_bottom": CLOSE_BOTTOM,
        },
    }


def _charts(comparison: Comparison, zone: str) -> list[Chart]:
    """Return charts, series by series: those with the worst rows first."""
    worst = {name: rows for name, rows in comparison.values.worst.items() if rows}
    order = sorted(worst, key=lambda name: -worst[name][0].weight)
    return [make_chart(row, zone) for name in order for row in worst[name][:CHARTS_PER_SERIES]]


def _worst_instruments(comparison: Comparison) -> list[CountsRow]:
    totals = {
        name: add_up(by_series.values())
        for name, by_series in comparison.values.instruments.items()
    }
    order = sorted(totals, key=lambda name: (-totals[name].unexplained, -totals[name].differing))
    return [CountsRow.of(name, totals[name]) for name in order[:INSTRUMENTS_SHOWN]]

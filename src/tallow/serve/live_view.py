"""The screen of `tallow live`: a head of facts, the universe as a table, and what was corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from tallow.core.calendars import Calendar
from tallow.core.text import counted, printable
from tallow.core.time import SECOND_US, from_us
from tallow.core.timeframe import parse_timeframe
from tallow.runtime.live.live_engine import LiveEngine
from tallow.runtime.live.tally import LiveStatistics
from tallow.serve.console import ASSUMED, BAD, GOOD, QUIET, WARN, compact, make_table, number
from tallow.serve.wording import in_options

DAY = "1d"
"""Always among the engine's timeframes: its bar has the session's open and volume."""

FIRST = ("vwap", "ema_9", "rsi_14", "atr_14")
"""Indicator columns that are shown first, where the engine has them."""

BESIDE = 46
"""Columns of the terminal that the table needs beside instruments and indicators."""

EVENTS_SHOWN = 3
HEIGHT_MIN = 16
"""Lines of the terminal below which nothing but head and table is shown."""

_FORMING = "*"
_GAP = "   "


class LiveView:
    """Draws what a live engine knows.

    `size` is the timeframe whose bars are shown; `feed` and `store` are what to call them. In a
    replay, `is_replay`, the session's clock is that of the candles. Times are by the clocks of
    `output_zone`, or the calendar's.
    """

    def __init__(
        self,
        engine: LiveEngine,
        size: str,
        *,
        feed: str,
        store: str,
        instruments: Sequence[str] | None,
        is_replay: bool,
        output_zone: str | None = None,
    ) -> None:
        self._engine, self._size, self._instruments = engine, size, instruments
        self._feed, self._store, self._is_replay = feed, store, is_replay
        self._calendar: Calendar = engine.calendars.calendars[0]
        self.zone = ZoneInfo(output_zone or self._calendar.timezone)
        self._revision = 0

    def render(self, statistics: LiveStatistics, console: Console) -> RenderableType:
        """Return the whole screen, as wide and as high as the console."""
        width, height = console.size
        head = self._head(statistics, width)
        events = self._events(statistics, width) if height >= HEIGHT_MIN else []
        rows = self._rows()
        # A title with its rule and headings, an empty line, and what is left out.
        room = max(1, height - len(head) - len(events) - 5)
        shown = rows.head(room)
        more = f"and {len(rows) - len(shown):,} more; " if len(rows) > len(shown) else ""
        assumed = f"{ASSUMED} provisional: the session is assumed; " * any(shown["assumed"])
        marks = f"{more}{_FORMING} still forming; {assumed}"
        foot = _cut(Text(f"{marks}times in {self.zone}; Ctrl-C ends the session", QUIET), width)
        table = self._table(shown, len(rows), statistics, width)
        self._revision = max([self._revision, *rows["revision"]])
        return Group(*head, Text(), table, *events, foot)

    # The head

    def _head(self, statistics: LiveStatistics, width: int) -> list[Text]:
        health, now = statistics.health, statistics.now
        state = Text("connected", GOOD) if health.connected else Text("not connected", BAD)
        if self._is_replay:
            state = Text("replaying", GOOD) if health.connected else Text("ended", QUIET)
        first = [Text("tallow live", "bold"), state, Text(f"{self._feed} into {self._store}")]
        clock = Text("waiting for the first row", WARN)
        if now is not None:
            clock = Text(f"{_local(now, self.zone):%a %Y-%m-%d %H:%M:%S}")
        second = [clock, market(self._calendar, now, self.zone)]
        # A night is not a lag.
        if now is not None and trades_until(self._calendar, now) is not None:
            second += _lag(statistics, self._is_replay)
        second.append(Text(f"{compact(statistics.rows_per_second)} rows/s"))
        if statistics.update_ms is not None:
            second.append(
                Text("updates {:.0f} ms (99%: {:.0f})".format(*statistics.update_ms), QUIET)
            )
        if statistics.saved_at is not None:
            saved = _local(statistics.saved_at, self.zone)
            second.append(Text(f"saved {saved:%H:%M:%S}", QUIET))
        lines = [
            _fitting(first, width),
            _fitting(second, width),
            _fitting(_counts(statistics), width),
        ]
        error = statistics.error or (None if health.connected else health.error)
        if error:
            lines.append(_cut(Text(in_options(error, "live"), BAD), width))
        return lines

    # The universe

    def _rows(self) -> pl.DataFrame:
        """Return each instrument's last bar and its session's, what moved last and most on top."""
        bars = self._engine.latest(self._size, self._instruments)
        days = self._engine.latest(DAY, self._instruments).select(
            "instrument",
            change=(pl.col("close") / pl.col("open") - 1.0) * 100.0,
            day_volume=pl.col("volume"),
        )
        assumed = self._engine.provisional(bars, self._size).select("instrument", assumed=True)
        joined = bars.join(days, on="instrument", how="left", maintain_order="left").join(
            assumed, on="instrument", how="left", maintain_order="left"
        )
        return joined.sort(
            "timestamp",
            pl.col("change").abs(),
            descending=True,
            nulls_last=True,
            maintain_order=True,
        )

    def _table(
        self, rows: pl.DataFrame, count: int, statistics: LiveStatistics, width: int
    ) -> Table:
        names = [printable(name.rpartition("|")[2]) for name in rows["instrument"]]
        longest = min(max(map(len, names), default=10), 20)
        known = rows.columns[rows.columns.index("revision") + 1 : -3]
        order = [*(name for name in FIRST if name in known)]
        order += [name for name in known if name not in FIRST]
        indicators, left = [], width - BESIDE - longest
        for name in order:
            left -= max(len(name), 8) + 2
            if left < 0:
                break
            indicators.append(name)
        heading = f"Bars of {self._size}, {counted(count, 'instrument')}"
        headings = ("bar", "close", "change", "volume", *indicators, "age")
        table = make_table(
            Column("instrument", no_wrap=True, max_width=20, min_width=longest),
            *map(number, headings),
            title=heading,
        )
        for name, row in zip(names, rows.iter_rows(named=True), strict=True):
            is_new = row["revision"] > self._revision > 0
            table.add_row(
                Text(name, "bold" if is_new else ""),
                self._bar(row, statistics.now),
                price(row["close"]),
                _change(row["change"]),
                "-" if row["day_volume"] is None else compact(row["day_volume"]),
                *(price(row[each]) for each in indicators),
                _age(statistics, row["instrument"]),
            )
        return table

    def _bar(self, row: Mapping[str, Any], now: int | None) -> str:
        """Return when a bar opens, and its marks; with its date if not the day of the clock."""
        local = row["timestamp"].astimezone(self.zone)
        marks = _FORMING * (not row["is_final"]) + ASSUMED * bool(row["assumed"])
        if parse_timeframe(self._size).unit != "minute":
            return f"{local:%Y-%m-%d}{marks}"
        is_today = now is not None and _local(now, self.zone).date() == local.date()
        return (f"{local:%H:%M}" if is_today else f"{local:%m-%d %H:%M}") + marks

    # What was corrected and quarantined

    def _events(self, statistics: LiveStatistics, width: int) -> list[Text]:
        """Return the last corrections, and rows that were not taken, a line each."""
        lines = [
            Text.assemble(
                ("corrected   ", WARN),
                f"{each.timestamp.astimezone(self.zone):%m-%d %H:%M} {each.instrument}",
                (f"  {each.bars:,} bar{'s' * (each.bars > 1)} changed", QUIET),
            )
            for each in statistics.corrections[-EVENTS_SHOWN:]
        ]
        for refusal in statistics.refusals[-EVENTS_SHOWN:]:
            when = refusal.timestamp
            local = f"{when.astimezone(self.zone):%m-%d %H:%M} " if when else ""
            what = f"{local}{refusal.instrument or 'a batch'}"
            why = in_options(refusal.reason, "live")
            lines.append(Text.assemble(("quarantined ", BAD), what, (f"  {why}", QUIET)))
        for each in statistics.health.rejections[-EVENTS_SHOWN:]:
            why = in_options(each.reason, "live")
            lines.append(Text.assemble(("unread      ", BAD), why, (f"  {each.text}", QUIET)))
        return [_cut(each, width) for each in ([Text(), *lines] if lines else [])]


def line(statistics: LiveStatistics, zone: ZoneInfo) -> str:
    """Return the session in one line, for where there is no screen."""
    now = statistics.now
    parts = [
        "waiting" if now is None else f"{_local(now, zone):%Y-%m-%d %H:%M:%S}",
        "connected" if statistics.health.connected else "not connected",
        f"{counted(statistics.rows_in, 'row')}, {compact(statistics.rows_per_second)}/s",
        f"{counted(statistics.instruments, 'instrument')}",
    ]
    if statistics.lag_seconds is not None:
        parts.append(f"lag {duration(statistics.lag_seconds)}")
    for count, name in _troubles(statistics):
        parts.append(f"{count:,} {name}")
    error = statistics.error or statistics.health.error
    return "  ".join([*parts, error] if error else parts)


def trades_until(calendar: Calendar, now: int) -> int | None:
    """Return when the trading of now ends, or None where there is none."""
    table = calendar.sessions()
    place = int(np.searchsorted(table.segment_open, now, "right")) - 1
    closes = int(table.segment_close[place]) if place >= 0 else now
    return closes if now < closes else None


def market(calendar: Calendar, now: int | None, zone: ZoneInfo | None = None) -> Text:
    """Say whether a venue trades, and until or from when: by its own clocks, or a zone's."""
    if now is None:
        return Text(str(calendar.name), QUIET)
    table, zone = calendar.sessions(), zone or ZoneInfo(calendar.timezone)
    closes = trades_until(calendar, now)
    if closes is not None:
        # Where trading never ends, midnight says nothing.
        until = "" if calendar.name == "24/7" else f" until {_local(closes, zone):%H:%M}"
        return Text(f"{calendar.name} open{until}{_if_assumed(calendar, now)}", GOOD)
    day = int(np.searchsorted(table.day_open, now, "right")) - 1
    if day >= 0 and now < table.day_close[day] and not table.day_known[day]:
        return Text(f"{calendar.name} trades today, at hours that are not known", WARN)
    place = int(np.searchsorted(table.segment_open, now, "right"))
    if now < table.covered_from or place == len(table.segment_open):
        return Text(f"{calendar.name} closed, as far as is known", WARN)
    opens = _local(int(table.segment_open[place]), zone)
    assumed = _if_assumed(calendar, int(table.segment_open[place]))
    return Text(f"{calendar.name} closed, opens {opens:%a %H:%M}{assumed}", WARN)


def _if_assumed(calendar: Calendar, moment: int) -> str:
    table = calendar.sessions()
    place = int(np.searchsorted(table.segment_open, moment, "right")) - 1
    return ", as is assumed" * bool(table.day_provisional[table.segment_day[place]])


def price(value: float | None) -> str:
    """Write a price or a value.

    Examples
    --------
    >>> price(1234.5), price(0.0123456), price(None)
    ('1,234.50', '0.01235', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.2f}" if abs(value) >= 1 or value == 0 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Write a duration in one unit.

    Examples
    --------
    >>> [duration(s) for s in (0.84, 12.0, 300.0, 7_300.0, 200_000.0)]
    ['0.8s', '12s', '5m', '2h', '2d']
    """
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s" if seconds >= 10 or seconds == 0 else f"{seconds:.1f}s"


def _counts(statistics: LiveStatistics) -> list[Text]:
    parts = [f"{counted(statistics.rows_in, 'row')} in", f"{statistics.appended:,} new"]
    named = [
        Text(f"{count:,} {name}", WARN if count else "") for count, name in _troubles(statistics)
    ]
    kinds = (f"{getattr(statistics, kind):,} {kind}" for kind in ("late", "revised", "deleted"))
    rest = [f"{statistics.repeated:,} repeated", f"corrected: {', '.join(kinds)}"]
    return [*map(Text, parts), *named, *(Text(part, QUIET) for part in rest)]


def _troubles(statistics: LiveStatistics) -> list[tuple[int, str]]:
    """Return what is worth a word where it is not 0; corrected and quarantined rows always are."""
    health = statistics.health
    found = [(statistics.corrected, "corrected"), (statistics.quarantined, "quarantined")]
    others = (
        (health.quarantined, "not understood"),
        (health.reconnects, "reconnects"),
        (health.gaps_open, "gaps open"),
        (statistics.from_store, "from the store"),
        (statistics.left_out, "left out"),
    )
    return found + [(count, name) for count, name in others if count]


def _lag(statistics: LiveStatistics, is_replay: bool) -> list[Text]:
    """Return the lag; a replay's is how late its rows were handed out."""
    seconds = statistics.health.lag_seconds if is_replay else statistics.lag_seconds
    if seconds is None:
        return []
    parts = [Text(f"lag {duration(seconds)}", WARN if seconds >= 60 else "")]
    if statistics.lagging:
        name, worst = statistics.lagging[0]
        if worst >= 60:
            parts.append(Text(f"{name.rpartition('|')[2]} {duration(worst)} behind", QUIET))
    return parts


def _change(percent: float | None) -> Text:
    if percent is None:
        return Text("-")
    return Text(f"{percent:+.2f}%", GOOD if percent > 0 else BAD if percent < 0 else "")


def _age(statistics: LiveStatistics, name: str) -> str:
    complete = statistics.complete.get(name)
    if complete is None or statistics.now is None:
        return "-"
    return duration(max(0.0, (statistics.now - complete) / SECOND_US))


def _local(moment: int, zone: ZoneInfo) -> datetime:
    return from_us(moment).astimezone(zone)


def _fitting(parts: Sequence[Text], width: int) -> Text:
    """Join parts, the most important first; leave out what does not fit, cut what must be there."""
    text = parts[0].copy()
    for part in parts[1:]:
        if text.cell_len + len(_GAP) + part.cell_len <= width:
            text.append(_GAP).append_text(part)
    return _cut(text, width)


def _cut(text: Text, width: int) -> Text:
    cut = text.copy()
    cut.plain = printable(text.plain)
    cut.truncate(width, overflow="ellipsis")
    return cut

"""The old routes of the dashboard of band widths; none of those that ask changes anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from tallow.core.errors import TallowError
from tallow.service.compat.board import Board
from tallow.service.compat.board_rows import reduced, without_empty
from tallow.service.compat.board_rules import BoardRules
from tallow.service.compat.envelopes import line, stamped, to_text, unstamped
from tallow.service.compat.old_api import OldRoute, read
from tallow.service.compat.old_bars import OldRow
from tallow.service.compat.reading import OldRequest, UnreadableError, field
from tallow.service.service import Service

HISTORY_LIMIT, HISTORY_DAYS, RECENT = 50, 7, 5
HOURS = "09:15 - 15:30 IST"
TRENDS = ("contracting", "expanding", "stable")
NO_KEY = "instrument_key parameter is required"

_SETTINGS: dict[str, tuple[tuple[str, str], tuple[type, ...], Any]] = {
    "alert_threshold": (("alert_threshold", "alertThreshold"), (float, int), 0),
    "contracting_lookback": (("contracting_lookback", "contractingLookback"), (int,), 0),
    "enable_alerts": (("enable_alerts", "enableAlerts"), (bool,), False),
}
"""What may be set: its spellings, the second that of the front end; kinds; what absent is."""


def make_routes(service: Service, board: Board) -> list[OldRoute]:
    """Return the routes of the dashboard."""
    shown = _Dashboard(service, board)
    return [
        _route("GET", "/dashboard-data", shown.rows),
        _route("GET", "/stocks", shown.stock),
        _route("GET", "/stats", shown.stats),
        _route("GET", "/statistics", shown.statistics),
        _route("GET", "/alerts/active", shown.active),
        _route("GET", "/alerts/history", shown.events),
        _route("DELETE", "/alerts/history", shown.clear),
        _route("POST", "/alerts/configure", shown.configure),
        _route(
            *("GET", "/stocks/{symbol}/history", shown.history), "Failed to get stock BBW history"
        ),
        _route(
            *("GET", "/latest-day-data", shown.latest_day),
            "Failed to get latest available day data",
        ),
        _route("GET", "/market-status", shown.market),
    ]


def _route(methods: str, path: str, answer: Any, fail: str = "Internal server error") -> OldRoute:
    return OldRoute(methods, f"/bbw{path}", answer, lambda _why: line(fail, 500))


class _Dashboard:
    """Answers of a board, in the envelopes of the dashboard."""

    def __init__(self, service: Service, board: Board) -> None:
        self._service, self._board = service, board

    async def _rows(self) -> list[OldRow]:
        return (await read(self._service, self._board.state)).rows

    def _stamped(self, **fields: Any) -> Response:
        return stamped(self._board.now(), fields)

    async def rows(self, _asked: OldRequest) -> Response:
        rows = await self._rows()
        return self._stamped(data=[*map(without_empty, rows)] or None)

    async def stock(self, asked: OldRequest) -> Response:
        key = asked.query("instrument_key")
        if not key:
            return line(NO_KEY, 400)
        for row in await self._rows():
            if row["instrument_key"] == key:
                return self._stamped(data=without_empty(row))
        return line("Stock not found", 404)

    async def stats(self, _asked: OldRequest) -> Response:
        rows, events = await self._rows(), self._board.events()
        trends = Counter(row["bb_width_trend"] for row in rows)
        return self._stamped(
            data={
                "total_stocks": len(rows),
                "alerted_stocks": sum(row["alert_triggered"] for row in rows),
                **{f"{each}_count": trends[each] for each in TRENDS},
                "total_alerts": len(events),
                **_widths(rows),
                "recent_alerts": events[-RECENT:],
            }
        )

    async def statistics(self, _asked: OldRequest) -> Response:
        rows = await self._rows()
        kinds = Counter(row["alert_type"] for row in rows if row["alert_triggered"])
        trends = Counter(row["bb_width_trend"] for row in rows)
        return self._stamped(
            data={
                "total_stocks": len(rows),
                **_widths(rows),
                "alert_distribution": dict(kinds) if rows else None,
                "trend_distribution": dict(trends) if rows else None,
                "market_volatility": "medium",
                "squeeze_opportunities": len(kinds),
            }
        )

    async def active(self, _asked: OldRequest) -> Response:
        some = [without_empty(row) for row in await self._rows() if row["alert_triggered"]]
        return self._stamped(data=some or None, count=len(some))

    async def events(self, asked: OldRequest) -> Response:
        events = self._board.events()
        kind, symbol = asked.query("alert_type"), asked.query("symbol")
        found = [
            each
            for each in events
            if kind in ("", each["AlertType"]) and symbol in ("", each["Symbol"])
        ][: asked.count("limit", HISTORY_LIMIT)]
        return self._stamped(data=found or None, count=len(found), total=len(events))

    async def clear(self, _asked: OldRequest) -> Response:
        self._board.clear()
        return self._stamped(message="Alert history cleared successfully", status="success")

    async def configure(self, asked: OldRequest) -> Response:
        try:
            said = await asked.body()
            config = {name: _setting(said, *each) for name, each in _SETTINGS.items()}
        except UnreadableError:
            return line("Invalid request body", 400)
        now = self._board.rules
        within, falls = config["alert_threshold"], config["contracting_lookback"]
        chosen = BoardRules(
            within if within > 0 else now.within, falls if falls > 0 else now.contracting
        )
        if chosen != now:
            self._board.configure(chosen)
        text = "Alert configuration updated successfully"
        return self._stamped(message=text, config=config, status="success")

    async def history(self, asked: OldRequest) -> Response:
        key, days = asked.query("instrument_key"), asked.count("days", HISTORY_DAYS)
        if not key:
            return line(NO_KEY, 400)

        def work() -> Response:
            found = self._board.history(key, days)
            said = _listed(found, "Stock BBW history retrieved successfully")
            return unstamped(said | {"instrument_key": key, "days": days})

        return await read(self._service, work)

    async def latest_day(self, _asked: OldRequest) -> Response:
        since = self._board.now() - timedelta(days=1)
        found = [
            row for row in await self._rows() if datetime.fromisoformat(row["timestamp"]) >= since
        ]
        return unstamped(_listed(found, "Latest available day data retrieved successfully"))

    async def market(self, _asked: OldRequest) -> Response:
        is_open, last = await read(self._service, self._market)
        now = self._board.now()
        data = {
            "market_open": is_open,
            "current_time": f"{now:%Y-%m-%d %H:%M:%S}",
            "current_time_ist": f"{now:%H:%M:%S}",
            "market_hours": HOURS,
            "last_data_timestamp": last and to_text(last.astimezone(self._board.zone)),
            "last_data_age_minutes": -1 if last is None else (now - last) // timedelta(minutes=1),
        }
        return unstamped({"data": data, "message": "Market status retrieved successfully"})

    def _market(self) -> tuple[bool, datetime | None]:
        """Return whether the venue trades, and the newest bar; what fails is not said here."""
        is_open, last = False, None
        with suppress(TallowError):
            is_open = self._board.is_open()
            last = self._board.state().last
        return is_open, last


def _setting(
    said: dict[str, Any], spellings: Sequence[str], kinds: tuple[type, ...], absent: Any
) -> Any:
    found = [field(said, each, kinds) for each in spellings]
    return next((each for each in found if each is not None), absent)


def _listed(rows: list[OldRow], message: str) -> OldRow:
    return {"data": [*map(reduced, rows)] or None, "count": len(rows), "message": message}


def _widths(rows: list[OldRow]) -> OldRow:
    widths = [row["current_bb_width"] for row in rows]
    mean = sum(widths) / len(widths) if widths else 0.0
    least, most = min(widths, default=0.0), max(widths, default=0.0)
    return {"avg_bb_width": mean, "min_bb_width": least, "max_bb_width": most}

"""All routes of the old API, as one application."""

from __future__ import annotations

from tallow.service.compat import candles, dashboard, filters
from tallow.service.compat.board import Board
from tallow.service.compat.old_api import OldApi
from tallow.service.service import Service


def make_old_api(service: Service, board: Board) -> OldApi:
    """Return the application that answers as the old one did."""
    routes = [
        *candles.make_routes(service),
        *filters.make_routes(service, board.members),
        *dashboard.make_routes(service, board),
    ]
    return OldApi(service, routes)

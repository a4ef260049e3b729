"""Opening a store for tools: it is left as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tallow.engine import AnalyticsEngine
from tallow.service.agents.tools import Tools
from tallow.service.agents.unchanged import UnchangedStore


def open_tools(
    location: str, calendar: str, convention: str = "tradingview", folder: Path | None = None
) -> Tools:
    """Return the tools over a store.

    `StoreError` if there is none; `TallowError` if the calendar or the convention is unknown.
    """
    options: Any = {"calendar": calendar, "convention": convention}
    return Tools(AnalyticsEngine(store=UnchangedStore(location), **options), calendar, folder)

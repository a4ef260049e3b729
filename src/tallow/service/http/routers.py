"""The routers of all subjects."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from tallow.service.http import candles
from tallow.service.service import Service

HTTP_ROUTERS: tuple[Callable[[Service], APIRouter], ...] = (candles.make_router,)
"""Functions that take the service, and return a router of a subject."""

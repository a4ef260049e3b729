"""The routers of all subjects."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from tallow.service.http import (
    alerts,
    candles,
    comparison,
    explained,
    live,
    reference,
    rollout,
    screens,
    sequences,
    stored,
)
from tallow.service.service import Service

HTTP_ROUTERS: tuple[Callable[[Service], APIRouter], ...] = (
    alerts.make_router,
    candles.make_router,
    live.make_router,
    screens.make_router,
    sequences.make_router,
    explained.make_router,
    stored.make_router,
    reference.make_router,
    rollout.make_router,
    comparison.make_router,
)
"""Functions that take the service, and return a router of a subject."""

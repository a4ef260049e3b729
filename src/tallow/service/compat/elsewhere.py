"""The old API's routes that are no part of analytics: they are known, and answered nowhere here."""

from __future__ import annotations

NOWHERE = (
    "POST /stocks/universe/ingest",
    "PATCH /stocks/universe/{symbol}/toggle-selection",
    "GET DELETE /stocks/universe/{symbol}",
    "GET /stocks/universe",
    "GET /stocks/selected/enriched",
    "GET /stocks/selected",
    "GET /stocks/security/{security}",
    "PATCH /stocks/{id}/toggle-selection",
    "GET PUT DELETE /stocks/{id}",
    "POST GET /stocks",
    "GET /parameters/stock/{stock}",
    "POST /parameters",
    "DELETE /parameters/{id}",
    "GET /plans",
    "GET DELETE /plans/{id}",
    "GET POST /plans/stock/{stock}",
    "POST /execute/stock/{stock}",
    "POST /execute/all",
    "GET /executions/{id}",
    "GET /executions/plan/{plan}",
    "GET /fibonacci/calculate",
    "POST /orders",
    "PUT DELETE /orders/{order}",
    "GET /trades",
    "GET /trades/history",
    "GET /upstox/login",
    "GET /upstox/callback",
    "GET /upstox/historical/{instrument}/{interval}/{to}/{from}",
    "POST /market/quotes",
    "POST /market/intraday-quotes",
    "POST GET /groups",
    "GET PUT DELETE /groups/{id}",
    "POST /groups/{id}/execute",
)
"""Methods and path: stocks, plans, orders, groups, and what asks the broker."""

BROKER = (
    "POST /stocks/universe/daily-candles",
    "POST /master-data/process/start",
    "GET /master-data/process/{process}/status",
    "GET /master-data/process/history",
)
"""Jobs that fetch candles from the broker."""

PREFLIGHTS = ("/orders", "/orders/{order}", "/trades", "/trades/history")
"""Where the old server answered OPTIONS."""

NOWHERE_HINT = "is no part of analytics; let the proxy send it to the old server"
BROKER_HINT = (
    "loads candles from the broker; here they come by the feed of tallow serve, tallow ingest, or "
    "POST /v1/candles"
)

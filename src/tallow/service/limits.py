"""Numbers that bound what one service takes; each says what it bounds."""

from __future__ import annotations

READS_MAX = 4
"""Reads of the store or the live engine that run at once, in threads."""

READS_WAITING_MAX = 64
"""Reads that wait for a thread; more are refused."""

WORKERS_MAX = 2
"""Processes for what takes long."""

COMPUTES_WAITING_MAX = 32
"""Questions that wait for a worker; more are refused."""

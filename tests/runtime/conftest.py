"""What tests of runs over files share: an engine, and blocks of a few rows."""

from __future__ import annotations

import functools

import pytest

from tallow import AnalyticsEngine
from tallow.data.reading import candle_files
from tallow.data.spill import Spill
from tallow.runtime import outputs, stream
from tests.runtime.files import BLOCK


@pytest.fixture
def small_blocks(monkeypatch):
    """Make blocks so small that instruments, keys and files straddle them."""
    monkeypatch.setattr(stream, "BLOCK_ROWS", BLOCK)
    monkeypatch.setattr(candle_files, "BLOCK_ROWS", BLOCK)
    monkeypatch.setattr(outputs, "Spill", functools.partial(Spill, rows=25))


@pytest.fixture(scope="session")
def engine():
    return AnalyticsEngine("XNSE", threads=2)

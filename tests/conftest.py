"""What all tests share: the reference data's folder, Ctrl-C, how hard hypothesis tries."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# Fixed examples by default: a run that failed fails again, and one change's run is no worse luck
# than another's. No deadline: a kernel's first call compiles for seconds.
settings.register_profile("ci", derandomize=True, database=None, max_examples=60, deadline=None)
settings.register_profile("nightly", max_examples=1_000, deadline=None, print_blob=True)
settings.load_profile("ci")

# A shell that runs tests in the background has them ignore Ctrl-C, and the programs they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def reference() -> Path:
    """Return the folder of real candles and of published values; skip where there is none."""
    folder = os.environ.get("TALLOW_REFERENCE_DATA")
    if not folder:
        pytest.skip("TALLOW_REFERENCE_DATA is not set: no reference data to compare with")
    return Path(folder)

"""What all tests share: reference data, Ctrl-C, how hard hypothesis tries, what coverage counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

# Fixed examples by default: a run that failed fails again, and one change's run is no worse luck
# than another's. No deadline: a kernel's first call compiles for seconds.
settings.register_profile("ci", derandomize=True, database=None, max_examples=40, deadline=None)
settings.register_profile("nightly", max_examples=1_000, deadline=None, print_blob=True)
settings.load_profile("ci")

# Tests that ask each thing of every indicator, and tests that only read the code.
ASKED_OF_ALL = ("contract", "test_glossary.py", "test_layers.py", "test_one_place.py")
NOT_COUNTED = [Path(__file__).with_name(each) for each in ASKED_OF_ALL]
IS_COMPILED = os.environ.get("NUMBA_DISABLE_JIT") != "1"


# A shell that runs tests in the background has them ignore Ctrl-C, and the programs they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def reference() -> Path:
    """Return the folder of real candles and of published values; skip where there is none."""
    folder = os.environ.get("TALLOW_REFERENCE_DATA")
    if not folder:
        pytest.skip("TALLOW_REFERENCE_DATA is not set: no reference data to compare with")
    return Path(folder)


@pytest.fixture(scope="session")
def bucket_options() -> Iterator[dict[str, str]]:
    """Start a server of S3's protocol with one bucket; return how to reach it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.data.store.bucket"],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield {
        "aws_endpoint_url": process.stdout.readline().strip(),
        "aws_access_key_id": "key",
        "aws_secret_access_key": "secret",
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
    }
    process.communicate()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let coverage count what examples reach by name: it slows Python to half its speed.

    A line that only drawn values reach has no test that says what it is for. The second pass, of
    the kernels' bodies as plain Python, counts all.
    """
    for item in items if IS_COMPILED else ():
        is_drawn = is_hypothesis_test(getattr(item, "obj", None))
        if is_drawn or any(item.path.is_relative_to(each) for each in NOT_COUNTED):
            item.add_marker(pytest.mark.no_cover)

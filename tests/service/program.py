"""The program `tallow serve` on a free port of this machine, for tests."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS_TO_START = 60


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@contextmanager
def served(*options: str) -> Iterator[str]:
    """Run `tallow serve` with options; give its URL; stop it as an operator would."""
    with running(*options) as (program, url):
        yield url
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 0, program.communicate()[1]


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `tallow serve` with options; give the process and its URL; kill it at the end."""
    port = free_port()
    command = [sys.executable, "-m", "tallow", "serve", "--port", str(port), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(program, url)
            yield program, url
        finally:
            program.kill()


def _wait(program: subprocess.Popen[str], url: str) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and program.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=5).close()
        except urllib.error.URLError:
            time.sleep(0.05)
        else:
            return
    program.kill()
    raise AssertionError(f"it did not start: {program.communicate()[1]}")

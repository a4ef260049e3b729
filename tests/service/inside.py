"""A service and its server inside the test, which so may change the live engine; and waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tallow.serve.service import make_server
from tallow.service.service import Service
from tallow.service.settings import ServiceSettings
from tests.service.program import free_port

SECONDS_TO_START, SECONDS_TO_BE_SO = 30, 30


@contextmanager
def serving(settings: ServiceSettings, *, desk: bool = False) -> Iterator[tuple[Service, str]]:
    """Run a service and its server; give the service, and its address without a scheme."""
    settings = settings.model_copy(update={"port": free_port()})
    with Service(settings) as service:
        server = make_server(service, desk=desk)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            until = time.monotonic() + SECONDS_TO_START
            while not server.started and thread.is_alive() and time.monotonic() < until:
                time.sleep(0.01)
            assert server.started
            yield service, f"127.0.0.1:{settings.port}"
        finally:
            server.should_exit = True
            thread.join()


def wait_until(is_so: Callable[[], bool]) -> None:
    """Look again and again whether something is so; fail where it does not become so in time."""
    until = time.monotonic() + SECONDS_TO_BE_SO
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)

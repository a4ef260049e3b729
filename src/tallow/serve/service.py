"""`tallow serve`: a service with its server, until it is asked to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

import tallow
from tallow.core.text import without_secrets
from tallow.serve.live import asked_to_stop, compile_session
from tallow.serve.serve_demo import say_what_to_try, with_market
from tallow.serve.verbs import take_interrupts_back
from tallow.serve.wording import in_options, say
from tallow.service.app import make_app
from tallow.service.configuration import check_configuration
from tallow.service.desk import add_desk
from tallow.service.garbage import look_for_garbage
from tallow.service.keys.binding import require_keys
from tallow.service.limits import STOP_SECONDS, STREAM_REQUEST_BYTES
from tallow.service.logs import configure_logs, log_event
from tallow.service.read_settings import read_settings
from tallow.service.request_log import RequestLog
from tallow.service.service import Service
from tallow.service.settings import ServiceSettings
from tallow.service.stream.server import StreamProtocol

TURN_SECONDS = 0.001
"""After which time a thread that computes lets another one have its turn."""

OnListening = Callable[[str], None]
"""Is told the URL."""


def run_service(*, config: Path | None, demo: bool, check: bool, **given: Any) -> int:
    """Serve until SIGINT or SIGTERM, and return the exit code; `TallowError` on wrong settings."""
    if check:
        return _check(config, timeframes=given.pop("timeframe"), **given)
    take_interrupts_back()
    settings = read_settings(config, timeframes=given.pop("timeframe"), **given)
    require_keys(settings)
    configure_logs(settings.log)
    with with_market(settings) if demo else nullcontext(settings) as chosen:
        _serve(chosen, say_what_to_try if demo else None)
    return 0


def _check(config: Path | None, **given: Any) -> int:
    """Say what is wrong with a configuration, a line each, and return the exit code."""
    report = check_configuration(config, **given)
    for text in report.notes:
        say(f"note: {in_options(text)}")
    for text in report.wrong:
        say(f"wrong: {in_options(text)}")
    if not report.wrong:
        store = without_secrets(report.settings.store)
        say(f"ok: the configuration is right; store={store}")
    return 1 if report.wrong else 0


def _serve(settings: ServiceSettings, on_listening: OnListening | None) -> None:
    began = time.monotonic()
    _say_started(settings)
    options = {name: getattr(settings, name) for name in ("indicators", "calendar", "convention")}
    # Before anybody is told that the service listens: the first candle must not wait for it.
    compile_session(options, shown=settings.log == "text")
    # The server takes both signals, and raises them again when it has ended.
    with Service(settings) as service, asked_to_stop():
        server = make_server(service, on_listening, desk=settings.desk)
        settle()
        server.run()
    log_event("stopped", seconds=round(time.monotonic() - began, 1))


def make_server(
    service: Service, on_listening: OnListening | None = None, *, desk: bool = False
) -> uvicorn.Server:
    """Return the server of a service, with bounds on what clients send and leave unread.

    With `desk` its pages are at ``/``: one server of a process may have them.
    """
    settings, app = service.settings, make_app(service)
    if desk:
        add_desk(app, service)
    options = uvicorn.Config(
        RequestLog(app, service.measures, settings.slow_seconds),
        settings.host,
        settings.port,
        log_config=None,
        ws=StreamProtocol,
        ws_max_size=STREAM_REQUEST_BYTES,
        ws_per_message_deflate=False,
        # Without it, one client that leaves its answer unread would keep the service from ending.
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return _Server(options, service, on_listening)


def settle() -> None:
    """Let no candle wait for the interpreter: for a look at all that is there, or for a turn.

    What is there before the server runs stays; to look through it for garbage takes a fifth of a
    second, each time.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(TURN_SECONDS)


class _Server(uvicorn.Server):
    """A server that says where it listens, and ends the service before its connections."""

    def __init__(
        self, config: uvicorn.Config, service: Service, on_listening: OnListening | None
    ) -> None:
        super().__init__(config)
        self._service, self._on_listening = service, on_listening
        self._looking: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._looking = asyncio.create_task(look_for_garbage())
        for each in (one for server in self.servers for one in server.sockets):
            host, port = each.getsockname()[:2]
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            log_event("listening", url=url)
            if self._on_listening is not None:
                self._on_listening(url)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        self._service.is_stopping = True
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, let the service tell what had come, then close what is open."""
        for server in self.servers:
            server.close()
        if self._looking is not None:
            self._looking.cancel()
        await self._service.stop()
        await super().shutdown(sockets)


def _say_started(settings: ServiceSettings) -> None:
    feed = settings.feed and without_secrets(settings.feed)
    store = without_secrets(settings.store)
    log_event("started", version=tallow.__version__, pid=os.getpid(), store=store, feed=feed)

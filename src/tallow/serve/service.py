"""`tallow serve`: a service with its server, until it is asked to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import uvicorn

from tallow.serve.live import asked_to_stop
from tallow.serve.verbs import take_interrupts_back
from tallow.service.app import make_app
from tallow.service.read_settings import read_settings
from tallow.service.service import Service


def run_service(*, config: Path | None, **given: Any) -> int:
    """Serve until SIGINT or SIGTERM, and return the exit code; `TallowError` on wrong settings."""
    take_interrupts_back()
    settings = read_settings(config, timeframes=given.pop("timeframe"), **given)
    with Service(settings) as service:
        options = uvicorn.Config(
            make_app(service), settings.host, settings.port, log_level="warning", ws="none"
        )
        # The server takes both signals, and raises them again when it has ended.
        with asked_to_stop():
            uvicorn.Server(options).run()
    return 0

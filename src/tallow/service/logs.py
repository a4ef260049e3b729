"""The log of a service: few kinds of events, as lines of text or JSON, each with its facts.

Whatever is logged by others, as the HTTP server's own messages, becomes an event of the same kinds.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, Literal, get_args

import orjson
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor

from tallow.core.text import hide_secrets, printable

Event = Literal[
    "started",
    "listening",
    "feed",
    "store",
    "client",
    "slow",
    "alert",
    "error",
    "server",
    "stopped",
]
"""What happens: the service began; it takes connections; its feed, or what is written, changed; a
client of the stream came or was dropped; a request took long; a cause of alerts began or
is over; something failed; the HTTP server
says something; the service has ended."""

EVENTS: tuple[str, ...] = get_args(Event)

_LEVELS: dict[str, int] = {
    "alert": logging.WARNING,
    "slow": logging.WARNING,
    "error": logging.ERROR,
}

REPEATS_MAX, REPEATS_SECONDS = 20, 60.0
"""So many events of a kind are written in this time; the next one says how many were not."""

_FIRST = ("timestamp", "level", "event")


def log_event(event: Event, **facts: Any) -> None:
    """Write an event to the log.

    Parameters
    ----------
    facts
        What is to be known of it, by name; ``kind`` tells apart what repeats on its own. Secrets in
        texts are hidden. ``exc_info`` as for Python's loggers.
    """
    structlog.get_logger("tallow").log(_LEVELS.get(event, logging.INFO), event, **facts)


def configure_logs(form: Literal["text", "json"]) -> None:
    """Write all logs of this process to stderr, in one form."""
    repeats = Repeats()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _without_secrets,
    ]
    structlog.configure(
        processors=[*shared, repeats, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[_of_others, *shared],
            processors=[ProcessorFormatter.remove_processors_meta, _FORMS[form]],
        )
    )
    handler.addFilter(repeats.filter)
    root = logging.getLogger()
    root.handlers, root.level = [handler], logging.WARNING
    logging.getLogger("tallow").setLevel(logging.INFO)


class Repeats:
    """Says which events repeat too often, and counts them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def admit(self, event: str, kind: str) -> tuple[bool, int]:
        """Return whether one more is written, and how many were left out before it."""
        now = self._clock()
        began, count = self._seen.get((event, kind), (now, 0))
        left_out = 0
        if now - began >= REPEATS_SECONDS:
            left_out = max(0, count - REPEATS_MAX)
            began, count = now, 0
        self._seen[event, kind] = (began, count + 1)
        return count < REPEATS_MAX, left_out

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        """Return the event, or drop it: as one of structlog's processors."""
        is_written, left_out = self.admit(event["event"], str(event.get("kind", "")))
        if not is_written:
            raise structlog.DropEvent
        return {**event, "left_out": left_out} if left_out else event

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether another library's line is written: as a filter of Python's logging."""
        return isinstance(record.msg, dict) or self.admit("server", record.name)[0]


def _of_others(_logger: Any, method: str, event: EventDict) -> EventDict:
    """Make an event of what another library logs."""
    event["text"], event["logger"] = event["event"], event["_record"].name
    event["event"] = "error" if method in {"error", "critical", "exception"} else "server"
    return event


def _without_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {
        name: hide_secrets(value) if isinstance(value, str) else value
        for name, value in event.items()
    }


def _as_json(_logger: Any, _method: str, event: EventDict) -> str:
    ordered = {name: event[name] for name in _FIRST} | dict(event)
    return orjson.dumps(ordered, default=str).decode()


def _as_text(_logger: Any, _method: str, event: EventDict) -> str:
    facts = dict(event)
    trace = facts.pop("exception", None)
    first = f"{facts.pop('timestamp')} {facts.pop('level'):<7} {facts.pop('event')}"
    line = printable(" ".join([first, *(f"{name}={_quoted(facts[name])}" for name in facts)]))
    return line if trace is None else f"{line}\n{printable(trace)}"


def _quoted(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return orjson.dumps(text).decode() if not text or set(text) & set(' "\n=') else text


_FORMS: dict[str, Processor] = {"text": _as_text, "json": _as_json}

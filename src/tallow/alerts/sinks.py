"""Sinks: whoever listens to alerts; a log of JSON lines."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Protocol

from tallow.alerts.alert import Alert
from tallow.core.disk import append_to_file
from tallow.core.errors import AlertError
from tallow.core.given import file_path, require_new_file
from tallow.core.text import printable_json


class UnsentError(Exception):
    """An alert was not sent, and why; `is_unknown` where it may have arrived all the same."""

    def __init__(self, why: str, *, is_unknown: bool = False) -> None:
        super().__init__(why)
        self.is_unknown = is_unknown


def digest_of(url: str) -> str:
    """Return some digits that tell one address from another, and say nothing else of it."""
    return hashlib.sha256(url.encode()).hexdigest()[:6]


class AlertSink(Protocol):
    """Takes alerts one by one, in a thread of its own.

    Attributes
    ----------
    name
        What it is called in counts and in the record; of two sinks of a watch not the same.
    """

    name: str

    def send(self, alert: Alert) -> None:
        """Send an alert; it is not given again, whatever happens.

        `UnsentError` if it was not sent, or may not have been.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds; a `send` that waits ends soon."""
        ...


class LogSink:
    """Alerts as lines of JSON, appended to a file, each on disk when it is sent; or to stderr.

    Parameters
    ----------
    path
        The file; None is stderr.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._path = None if path is None else file_path("log", path, AlertError)
        if self._path is not None:
            require_new_file("log", self._path, AlertError)
        self.name = "log" if self._path is None else f"log {self._path}"

    def send(self, alert: Alert) -> None:
        """Append a line."""
        line = printable_json(json.dumps(alert.to_dict(), ensure_ascii=False)) + "\n"
        try:
            if self._path is None:
                sys.stderr.write(line)
                sys.stderr.flush()
            else:
                append_to_file(self._path, line.encode())
        except OSError as error:
            raise UnsentError(f"{self.name}: {error.strerror or error}") from error

    def close(self) -> None:
        """Do nothing: the file is closed after each line."""

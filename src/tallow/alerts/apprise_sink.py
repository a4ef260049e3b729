"""Alerts to what people use: chats, mail, phones; Apprise knows how each is sent to."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from typing import Any

from tallow.alerts.alert import OVER, Alert
from tallow.alerts.sinks import UnsentError, digest_of
from tallow.core.deadlines import within
from tallow.core.errors import AlertError

APPRISE_SECONDS = 30.0
"""How long a notification may take."""

_STATUS = re.compile(r"error=(\d{3})\b")


class AppriseSink:
    """Sends alerts by an address of Apprise, such as ``tgram://TOKEN/CHAT``.

    It is sent once, and not tried again. The address is a secret: of it, the scheme alone is shown.

    Parameters
    ----------
    url
        As Apprise's own pages list them, by service.
    deadline
        Seconds for each alert.

    Raises
    ------
    AlertError
        If Apprise does not take it for an address, or is not installed.
    """

    def __init__(self, url: str, deadline: float = APPRISE_SECONDS) -> None:
        try:
            import apprise
        except ModuleNotFoundError as error:
            raise AlertError(
                "apprise: is not installed; alerts to chats, mail and phones need it; install it "
                "with: pip install 'tallow[alerts]'"
            ) from error
        self._statuses = _Statuses()
        scheme = url.partition("://")[0] if "://" in url else ""
        known = scheme if re.fullmatch(r"[a-z][a-z0-9+]*", scheme) else "..."
        with self._statuses, warnings.catch_warnings():
            # Its plugins are imported here, some by ways that Python will give up.
            warnings.simplefilter("ignore", DeprecationWarning)
            # Apprise takes what has a scheme only, and says why not in its log, with the address.
            plugin: Any = apprise.Apprise.instantiate(url) if scheme else None
        if plugin is None:
            raise AlertError(
                f"apprise: {known}://...; is no address that Apprise reads; write it as its list "
                "of services says"
            )
        self._plugin, self._deadline = plugin, deadline
        self._kinds = {"began": apprise.NotifyType.WARNING, OVER: apprise.NotifyType.SUCCESS}
        self.name = f"apprise {known}:// ({digest_of(url)})"

    def send(self, alert: Alert) -> None:
        """Send an alert."""
        title = f"Tallow: {alert.rule}{' is over' if alert.state == OVER else ''}"

        def notify() -> bool:
            self._statuses.thread = threading.get_ident()
            return bool(
                self._plugin.notify(
                    body=alert.text, title=title, notify_type=self._kinds[alert.state]
                )
            )

        with self._statuses as statuses:
            try:
                was_sent = within(self._deadline, notify)
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                # What a plugin raises may have its address in it.
                why = type(error).__name__
                raise UnsentError(f"{why}; it may have arrived", is_unknown=True) from None
        if was_sent:
            return
        if statuses.last:
            raise UnsentError(f"status {statuses.last}; is its address still right?")
        raise UnsentError("no answer, or a no; it may have arrived", is_unknown=True)

    def close(self) -> None:
        """Do nothing: each alert has its own connection."""


class _Statuses(logging.Handler):
    """Reads the status out of what Apprise logs, and lets nothing else of it through.

    Its lines may have an address in them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last, self.thread = "", threading.get_ident()
        logger = logging.getLogger("apprise")
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the status of a line."""
        found = _STATUS.search(record.getMessage())
        if found is not None and record.thread == self.thread:
            self.last = found[1]

    def __enter__(self) -> _Statuses:
        self.last = ""
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)

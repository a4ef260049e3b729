"""A webhook: alerts as JSON to an address, each at most once, with deadlines."""

from __future__ import annotations

import base64
import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Event
from urllib.parse import urlsplit

from tallow.alerts.alert import Alert
from tallow.alerts.sinks import UnsentError, digest_of
from tallow.core.deadlines import Sockets, within
from tallow.core.errors import AlertError
from tallow.core.limits import (
    ALERT_WEBHOOK_PAUSE_SECONDS,
    ALERT_WEBHOOK_SECONDS,
    ALERT_WEBHOOK_TRIES,
)
from tallow.core.text import (
    HIDDEN,
    counted,
    hide_secrets,
    require_escaped_user,
    without_secrets,
    without_user,
)

_LATER = {429, 503}
"""Answers that say: not taken, try again."""


class WebhookSink:
    """Sends alerts as JSON by HTTP POST.

    It is tried again only where the server surely has not taken it: no connection was made, or it
    answered 429 or 503. Where an answer is missing, the alert may have arrived, and is not sent
    again. A redirect is not followed. The cause is the header ``Idempotency-Key``.

    Parameters
    ----------
    url
        Where to: ``https://host/path``; of it, messages show the host alone.
    deadline
        Seconds for each try, from the name's lookup to the answer's first line.

    Raises
    ------
    AlertError
        If it is no such address.
    """

    def __init__(self, url: str, deadline: float = ALERT_WEBHOOK_SECONDS) -> None:
        self._url, self._deadline, self._stop = url, deadline, Event()
        require_escaped_user("webhook", url, AlertError)
        plain, user, password = without_user(url)
        shown = f"{urlsplit(without_secrets(url)).scheme}://..."
        try:
            parts = urlsplit(plain)
            self._port = parts.port
        except ValueError as error:
            raise AlertError(
                f"webhook: {shown}; cannot be read as an address; correct it"
            ) from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise AlertError(f"webhook: {shown}; must be http://... or https://... with a host")
        if not 0 < deadline <= 10 * ALERT_WEBHOOK_SECONDS:
            most = 10 * ALERT_WEBHOOK_SECONDS
            raise AlertError(
                f"webhook: deadline={deadline}; must be above 0, and at most {most:g} s"
            )
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host = parts.hostname
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if any(sign <= " " or sign > "~" for sign in self._target):
            raise AlertError(
                f"webhook: {shown}; has a sign that must be escaped, as %20 for a blank"
            )
        self._headers = {"Content-Type": "application/json", "User-Agent": "tallow"}
        if user is not None:
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"
        # Of many services, the path is the secret.
        self.name = f"webhook {parts.scheme}://{parts.netloc} ({digest_of(url)})"

    def send(self, alert: Alert) -> None:
        """Post an alert, perhaps several times; see the class."""
        tries = 1
        while (problem := self._post(alert)) is not None:
            pause = tries * ALERT_WEBHOOK_PAUSE_SECONDS
            if tries == ALERT_WEBHOOK_TRIES or self._stop.wait(pause):
                raise UnsentError(f"{problem}; tried {counted(tries, 'time')}")
            tries += 1

    def close(self) -> None:
        """Try nothing again from now on."""
        self._stop.set()

    def _post(self, alert: Alert) -> str | None:
        """Post once; return why the server has surely not taken it, None where it has.

        `UnsentError` where another try is wrong.
        """
        body = json.dumps(alert.to_dict()).encode()
        headers = self._headers | {"Idempotency-Key": alert.cause}
        sockets, connected = Sockets(), Event()

        def exchange() -> int:
            connection = self._kind(self._host, self._port, timeout=self._deadline)
            try:
                connection.connect()
                sockets.hold(connection.sock)
                connected.set()
                connection.request("POST", self._target, body, headers)
                return connection.getresponse().status
            finally:
                connection.close()

        try:
            status = within(self._deadline, exchange)
        except (OSError, HTTPException, ValueError) as error:
            said = hide_secrets(str(error) or type(error).__name__, self._url)
            why = said.replace(self._target, HIDDEN) if len(self._target) > 1 else said
            if not connected.is_set():
                return f"no connection: {why}"
            raise UnsentError(f"no answer: {why}; it may have arrived", is_unknown=True) from error
        finally:
            sockets.shut()
        if status in _LATER:
            return f"status {status}"
        if not 200 <= status < 300:
            hint = "; a redirect is not followed: give the address itself" * (300 <= status < 400)
            raise UnsentError(f"status {status}{hint}")
        return None

"""Whoever is told of a service's alerts, by its settings."""

from __future__ import annotations

from collections.abc import Sequence

from tallow.alerts import AlertSink, AppriseSink, LogSink, WebhookSink
from tallow.core.errors import AlertError
from tallow.service.settings import ServiceSettings


def sinks_of(settings: ServiceSettings) -> list[AlertSink]:
    """Return the sinks of settings; `AlertError` if one is wrong."""
    found: list[AlertSink] = []
    if settings.alerts_log is not None:
        found.append(LogSink(settings.alerts_log))
    if settings.alerts_webhook is not None:
        found.append(WebhookSink(settings.alerts_webhook.get_secret_value()))
    found += [AppriseSink(each.get_secret_value()) for each in settings.alerts_apprise]
    return found


def require_sinks(sinks: Sequence[AlertSink]) -> Sequence[AlertSink]:
    """Return sinks; `AlertError` where there is none."""
    if not sinks:
        raise AlertError(
            "alerts: no sink; nobody is told; name one in the settings alerts_webhook, "
            "alerts_apprise or alerts_log"
        )
    return sinks

"""Alerts: rules over a live engine's closed bars, each cause told once to whoever listens.

The way of an alert: `rules` say what is a cause; `watch` judges the bars that an update closed,
`arming` whether a rule may fire; `record` claims each cause on disk; `sending` hands it to sinks.
"""

from tallow.alerts.alert import Alert
from tallow.alerts.record import AlertRecord
from tallow.alerts.rules import AlertRule, indicators_of, pattern, read_rules, release, threshold
from tallow.alerts.sinks import AlertSink, LogSink, UnsentError
from tallow.alerts.watch import Watch, WatchStatistics
from tallow.alerts.webhook import WebhookSink

__all__ = [
    "Alert",
    "AlertRecord",
    "AlertRule",
    "AlertSink",
    "LogSink",
    "UnsentError",
    "Watch",
    "WatchStatistics",
    "WebhookSink",
    "indicators_of",
    "pattern",
    "read_rules",
    "release",
    "threshold",
]

"""Alerts: rules over a live engine's closed bars, each cause told once to whoever listens.

The way of an alert: `rules` say what is a cause; `watch` judges the bars that an update closed,
`arming` whether a rule may fire; `outbox` claims each cause in a `record` on disk, holds it in
`quiet` hours, and gives it to `sending`, which hands it to sinks.
"""

from tallow.alerts.alert import Alert
from tallow.alerts.apprise_sink import AppriseSink
from tallow.alerts.outbox import Outbox
from tallow.alerts.quiet import QuietHours
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
    "AppriseSink",
    "LogSink",
    "Outbox",
    "QuietHours",
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

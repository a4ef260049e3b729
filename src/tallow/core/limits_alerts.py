"""The limits of alerts. `tallow.core.limits` has them all."""

from __future__ import annotations

ALERT_RULES_MAX = 200
"""Most rules of a watch."""

ALERT_COOLDOWN_SECONDS_MAX = 604_800.0
"""Longest cooldown of a rule: a week."""

ALERT_QUEUE = 1_000
"""Most alerts that wait for a sink; those beyond are dropped, and counted."""

ALERTS_KEPT = 100_000
"""Alerts that a record remembers as told."""

ALERT_LOCK_SECONDS = 2.0
"""How long a watch waits for a record that another one has."""

ALERT_CLOSE_SECONDS = 10.0
"""How long a watch waits at its end for what its sinks still have to send."""

ALERT_WEBHOOK_SECONDS = 5.0
"""How long a webhook may take for an alert, in each try."""

ALERT_WEBHOOK_TRIES = 3
"""How often an alert is tried that a webhook has surely not taken."""

ALERT_WEBHOOK_PAUSE_SECONDS = 1.0
"""Pause before the second try of a webhook; before the third, twice as long."""

ALERT_PROBLEMS_KEPT = 20
"""Sentences on what went wrong that a watch keeps."""

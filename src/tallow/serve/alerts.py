"""`tallow alerts`: a test of whoever is told of a service's alerts."""

from __future__ import annotations

from pathlib import Path

from tallow.alerts.outbox import trial_alert, try_sinks
from tallow.serve.console import print_json
from tallow.serve.verbs import EXIT_INCOMPLETE
from tallow.serve.wording import say
from tallow.service.alert_sinks import require_sinks, sinks_of
from tallow.service.read_settings import read_settings


def send_test(config: Path | None, json: bool) -> int:
    """Send a test to the sinks of the settings, print what became of it; return the exit code."""
    found = try_sinks(require_sinks(sinks_of(read_settings(config))), trial_alert())
    if json:
        print_json(found)
    else:
        for each in found:
            why = f"; {each['why']}" if each["why"] else ""
            say(f"{each['sink']}: {each['outcome']}{why}")
    return 0 if all(each["outcome"] == "sent" for each in found) else EXIT_INCOMPLETE

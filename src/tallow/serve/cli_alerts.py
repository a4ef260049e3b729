"""The verbs of ``tallow alerts``."""

from __future__ import annotations

from functools import partial

from tallow.serve import options
from tallow.serve.cli_serve import ConfigOption
from tallow.serve.verbs import add_verb, make_app

HELP = """See to it that alerts of tallow serve arrive."""

EPILOG = """\b
Examples:
  tallow alerts test --config serve.toml
  TALLOW_ALERTS_WEBHOOK=https://host/path tallow alerts test
"""

TEST_EPILOG = """\b
Examples:
  tallow alerts test --config serve.toml
  tallow alerts test --config serve.toml --json | jq -r '.[] | .outcome'

\b
Exit codes:
  0    each sink took it
  1    a sink did not, or may not have; the line says why
  2    a wrong setting, or no sink; the message says what to change
"""

alerts_app = make_app("alerts", HELP, EPILOG)
_verb = partial(add_verb, alerts_app)


@_verb("test", "alerts:send_test", TEST_EPILOG, extra="serve")
def send_test(config: ConfigOption = None, json: options.JsonOption = False) -> None:
    """Send a test to each sink of the settings, at any hour.

    Sinks are the settings alerts_webhook, alerts_apprise and alerts_log of tallow serve, of its
    file and the environment. The service need not run, and goes on if it does.
    """

"""The verbs ``tallow serve`` and ``tallow config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from tallow.serve import options
from tallow.serve.options import BARS, INPUT, OUTPUT, option
from tallow.serve.verbs import VerbCommand

EPILOG = """\b
Examples:
  tallow serve --demo
  tallow serve --store candles --feed ws://localhost:8765
  tallow serve --config serve.toml --port 9000
  tallow serve --config serve.toml --check

\b
Exit codes:
  0    Ctrl-C or SIGTERM ended it; what was acknowledged is in the store
  1    --check found something wrong
  2    a wrong option or setting; the message says what to change
  3    it cannot listen there, as where the port is in use; the log says why

\b
Next:
  tallow config    each setting, its value, and where that was said
"""

CONFIG_EPILOG = """\b
Examples:
  tallow config
  tallow config --config serve.toml --port 9000
  TALLOW_PORT=9000 tallow config --json | jq -r '.[] | select(.origin != "default")'

\b
Exit codes:
  0    the settings are right
  2    a wrong option or setting; the message says what to change
"""

SETTINGS = "Settings, as TALLOW_ and a name in the environment or name = value in the file"


class ServeCommand(VerbCommand):
    """The verb whose help lists the settings, too; these are imported for that page alone."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, and then the settings."""
        super().format_options(ctx, formatter)
        with formatter.section(SETTINGS):
            formatter.write_dl(_setting_lines())


def _setting_lines() -> list[tuple[str, str]]:
    try:
        from tallow.service.settings import ServiceSettings
    except ModuleNotFoundError:
        return [("none", "without the extra: pip install 'tallow[serve]'")]
    fields = ServiceSettings.model_fields.items()
    defaults = {name: _shown(each.get_default(call_default_factory=True)) for name, each in fields}
    return [(name, f"{each.description}  [default: {defaults[name]}]") for name, each in fields]


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


ConfigOption = Annotated[
    Path | None, option("--config FILE", "TOML file of settings.", INPUT, envvar="TALLOW_CONFIG")
]
ServeStoreOption = Annotated[
    str | None, option("--store STORE", "Where candles are kept; made if absent.", INPUT)
]
ServeFeedOption = Annotated[
    str | None, option("--feed FEED", "Where candles or ticks come from.", INPUT)
]
ServeTimeframesOption = Annotated[
    list[str] | None, option("--timeframe -t TF", "Live bars; may be given again.", BARS)
]
ServeIndicatorsOption = Annotated[
    str | None, option("--indicators -i SPECS", "Live indicators.", BARS)
]
DemoOption = Annotated[
    bool,
    option(
        "--demo",
        "Serve a simulated market: a history, and sessions to come at a minute each second.",
        INPUT,
    ),
]
ServeKeysOption = Annotated[
    Path | None, option("--keys FILE", "The file of keys, where clients need one.", INPUT)
]
CompatOption = Annotated[
    str | None, option("--compat SYSTEM", "Another system whose API is answered, too.", OUTPUT)
]
CheckOption = Annotated[
    bool,
    option("--check", "Say all that is wrong with the configuration, and end.", OUTPUT),
]
HostOption = Annotated[str | None, option("--host ADDRESS", "Address to listen on.", OUTPUT)]
PortOption = Annotated[int | None, option("--port N", "Port to listen on.", OUTPUT)]


def serve(
    config: ConfigOption = None,
    store: ServeStoreOption = None,
    feed: ServeFeedOption = None,
    demo: DemoOption = False,
    timeframe: ServeTimeframesOption = None,
    indicators: ServeIndicatorsOption = None,
    keys: ServeKeysOption = None,
    compat: CompatOption = None,
    host: HostOption = None,
    port: PortOption = None,
    check: CheckOption = False,
) -> None:
    """Run the service: candles in, bars over HTTP and WebSocket.

    Settings come from options, from the environment (TALLOW_ and the setting's name), and from a
    file. What is acknowledged is on disk. Ctrl-C or SIGTERM ends it: what had come is written, and
    the state is saved.

    With --check nothing is started, made or changed: settings, keys, store, feed, state, screens,
    rules, rollout and port are looked at, and everything that is wrong is said at once.
    """


def config(
    config: ConfigOption = None,
    store: ServeStoreOption = None,
    feed: ServeFeedOption = None,
    timeframe: ServeTimeframesOption = None,
    indicators: ServeIndicatorsOption = None,
    keys: ServeKeysOption = None,
    compat: CompatOption = None,
    host: HostOption = None,
    port: PortOption = None,
    json: options.JsonOption = False,
) -> None:
    """Show the settings of tallow serve, and who said them.

    It takes the options of tallow serve, reads the same file and environment, and checks them the
    same way. Secrets are hidden.
    """

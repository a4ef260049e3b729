"""The verb ``tallow serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tallow.serve.options import BARS, INPUT, OUTPUT, option

EPILOG = """\b
Examples:
  tallow serve --store candles --feed ws://localhost:8765
  tallow serve --config serve.toml --port 9000

\b
Exit codes:
  0    Ctrl-C or SIGTERM ended it; what was acknowledged is in the store
  2    a wrong option or setting; the message says what to change
"""

ConfigOption = Annotated[
    Path | None, option("--config FILE", "TOML file of settings.", INPUT, envvar="TALLOW_CONFIG")
]
ServeStoreOption = Annotated[
    Path | None, option("--store STORE", "Where candles are kept; made if absent.", INPUT)
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
HostOption = Annotated[str | None, option("--host ADDRESS", "Address to listen on.", OUTPUT)]
PortOption = Annotated[int | None, option("--port N", "Port to listen on.", OUTPUT)]


def serve(
    config: ConfigOption = None,
    store: ServeStoreOption = None,
    feed: ServeFeedOption = None,
    timeframes: ServeTimeframesOption = None,
    indicators: ServeIndicatorsOption = None,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Run the service: candles in, durable; bars and indicators out, over HTTP and WebSocket.

    Settings come from options, from the environment (TALLOW_ and the setting's name), and from a
    file. Ctrl-C or SIGTERM ends it: what had come is written, and the state is saved.
    """

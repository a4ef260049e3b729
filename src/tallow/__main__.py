"""The command line: ``tallow``, and ``python -m tallow``."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is being imported ends it without a traceback."""
    try:
        from tallow.serve.imports import import_at_once

        import_at_once("tallow.serve.cli").main()
    except KeyboardInterrupt:
        sys.stderr.write("cancelled\n")
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()

"""The command line: ``tallow``, and ``python -m tallow``."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is being imported ends it without a traceback."""
    try:
        from tallow.serve.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("cancelled\n")
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()

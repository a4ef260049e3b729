"""Run a command, and print its seconds and its peak memory as one line of JSON.

A process of its own, and a small one: Linux starts a child's peak at the size of its parent, so one
started from the benchmark itself would never be below the benchmark.
"""

from __future__ import annotations

import json
import os
import sys
import time

BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024
"""macOS counts ``ru_maxrss`` in bytes, Linux in KiB."""


def main() -> int:
    """Return the command's exit code."""
    began = time.perf_counter()
    process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_bytes": usage.ru_maxrss * BYTES_PER_UNIT}))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())

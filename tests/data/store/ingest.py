"""A process that works through a history on a store, until it is done or killed.

It prints `ready`, then a line per step that it has acknowledged: the step's number and the store's
last receipt time. With `kill_at` it kills itself just before it enters, for that many-th time, a
function that makes something durable.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from typing import Any

import tallow.data.store.delta_backend  # noqa: F401 - loaded before its limits are lowered
from tallow.data.store.store import open_store
from tests.data.store.campaign import History, lower_limits, say, work

# What lies between two of these leaves no trace on the disk.
DURABLE = {
    "create",
    "create_write_transaction",
    "execute",
    "executemany",
    "executescript",
    "fsync",
    "mkdir",
    "sink_parquet",
    "unlink",
}


@dataclass
class SuicideAt:
    """Looks at every call, and kills this process just before the n-th of those that matter."""

    entries: int

    def __call__(self, _frame: Any, event: str, called: Any) -> None:
        if event != "c_call" or getattr(called, "__name__", "") not in DURABLE:
            return
        self.entries -= 1
        if self.entries == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    asked = json.loads(sys.argv[1])
    history = History(asked["seed"], asked["full_size"])
    if not history.full_size:
        lower_limits()
    steps = history.steps(range(asked["start"], asked["stop"]))
    say("ready")
    if asked["kill_at"] is not None:
        watch = SuicideAt(asked["kill_at"])
        sys.setprofile(watch)
        # What flushes beside the writer is killed as well.
        threading.setprofile(watch)
    with open_store(asked["folder"], create=True) as store:
        for number in work(store, steps):
            say(number, store.last_received())


if __name__ == "__main__":
    main()

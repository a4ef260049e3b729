"""A serving process: answers calls of many instruments in a few threads, until told to stop.

Prints, as it ends, how many wrong answers it gave, and how many of them in calls that began when
the file `reverted` was there.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from tallow.migrate.flags import FileProvider, decide
from tallow.migrate.shadow import Budget, Experiment
from tests.migrate.rollout.sides import candidate, control

INSTRUMENTS = 50
CALLERS = 4


def main(folder: Path) -> None:
    served = Experiment(
        "engine",
        control,
        candidate,
        evidence=folder / "evidence.db",
        decide=decide("engine", FileProvider(folder / "flags.toml")),
        key=lambda _folder, number: f"K{number}",
        # What waits must be done well within an interval.
        budget=Budget(seconds=1.8, deadline_seconds=0.8, queue=8),
    )

    def serve(place: int) -> list[bool]:
        """Return of each wrong answer whether its call began after the revert."""
        wrong = []
        numbers = count(place * INSTRUMENTS // CALLERS)
        while not (folder / "stop").exists():
            is_after, number = (folder / "reverted").exists(), next(numbers) % INSTRUMENTS
            if served(str(folder), number) != number:
                wrong.append(is_after)
        return wrong

    with served, ThreadPoolExecutor(CALLERS) as pool:
        wrong = [is_after for each in pool.map(serve, range(CALLERS)) for is_after in each]
    sys.stdout.write(json.dumps({"wrong": len(wrong), "wrong_after": sum(wrong)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

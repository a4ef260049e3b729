"""A serving process: answers calls of many instruments in turn, until it is told to stop.

Prints, as it ends, how many wrong answers it gave, and how many of them in calls that began when
the file `reverted` was there.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import count
from pathlib import Path

from tallow.migrate.flags import FileProvider, decide
from tallow.migrate.shadow import Budget, Experiment
from tests.migrate.rollout.sides import candidate, control


def main(folder: Path) -> None:
    served = Experiment(
        "engine",
        control,
        candidate,
        evidence=folder / "evidence.db",
        decide=decide("engine", FileProvider(folder / "flags.toml")),
        key=lambda _folder, number: f"K{number}",
        budget=Budget(seconds=1.8, deadline_seconds=1.6),
    )
    wrong = wrong_after = 0
    with served:
        for number in count():
            if (folder / "stop").exists():
                break
            is_after = (folder / "reverted").exists()
            is_wrong = served(str(folder), number % 50) != number % 50
            wrong, wrong_after = wrong + is_wrong, wrong_after + (is_wrong and is_after)
            time.sleep(0.005)
    sys.stdout.write(json.dumps({"wrong": wrong, "wrong_after": wrong_after}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

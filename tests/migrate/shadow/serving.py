"""A program that serves, for tests which kill it: ``python serving.py EVIDENCE CANDIDATE``.

Its functions are in the program's own file. It says the number of its worker, then makes a call for
each line that it reads, and answers it.
"""

from __future__ import annotations

import sys
import time

from tallow.migrate.shadow import Budget, Experiment


def twice(text: str) -> str:
    return 2 * text


def thrice(text: str) -> str:
    return 3 * text


def hangs(text: str) -> str:
    while True:
        time.sleep(3_600.0)


def serve(evidence: str, candidate: str) -> None:
    sides = {"twice": twice, "thrice": thrice, "hangs": hangs}
    budget = Budget(seconds=3_600.0)
    experiment = Experiment("test", twice, sides[candidate], evidence=evidence, budget=budget)
    while not experiment._link.worker:
        time.sleep(0.01)
    sys.stdout.write(f"{experiment._link.worker}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(experiment(line.strip()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(*sys.argv[1:])

#!/usr/bin/env bash
# deltalake 1.6.6: processes that create one table at once, each with mode="error", may all succeed.
# Guess: one wins, and the others get an error that the table exists.
# Seen: in some of the tables, the second creation is retried as version 1, and puts its
# configuration over the first one's. With CommitProperties(max_commit_retries=0) it is refused.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1
cat > "$folder/race.py" <<'PYTHON'
import multiprocessing
import sys
import tempfile
from pathlib import Path

import deltalake
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError


def create(path, number, properties, gate, answers):
    gate.wait()
    try:
        DeltaTable.create(
            path,
            pa.schema([("close", pa.float64())]),
            mode="error",
            configuration={"delta.checkpointInterval": str(number + 10)},
            commit_properties=properties,
        )
        answers.put(True)
    except DeltaError:
        answers.put(False)


def race(properties, tables=60, processes=4):
    """Return in how many tables more than one creator succeeded."""
    context = multiprocessing.get_context("fork")
    several = 0
    for number in range(tables):
        path = str(Path(sys.argv[1]) / f"{properties is None}-{number}")
        gate, answers = context.Barrier(processes), context.Queue()
        racers = [
            context.Process(target=create, args=(path, k, properties, gate, answers))
            for k in range(processes)
        ]
        for racer in racers:
            racer.start()
        several += sum(answers.get(timeout=60) for _ in racers) > 1
        for racer in racers:
            racer.join()
    return several


if __name__ == "__main__":
    usual, strict = race(None), race(CommitProperties(max_commit_retries=0))
    print("deltalake", deltalake.__version__, "tables with several creators:", usual, "of 60;")
    print("without retries:", strict, "of 60")
    assert usual > 0
    assert strict == 0
PYTHON
"$folder/venv/bin/python" "$folder/race.py" "$folder"

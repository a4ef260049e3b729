#!/usr/bin/env bash
# deltalake 1.6.6: the statistics of a file say a largest time that is smaller than its largest time.
# Guess: times of microseconds keep them, or the largest is rounded up, as bounds must be.
# Seen: both ends are cut to milliseconds, so that a reader who passes over files by their
# statistics passes over rows that it was to find.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1
"$folder/venv/bin/python" - "$folder/table" <<'PYTHON'
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import deltalake
import pyarrow as pa

last = datetime(2025, 7, 18, 3, 45, 0, 303_999, tzinfo=UTC)
deltalake.write_deltalake(sys.argv[1], pa.table({"at": pa.array([last], pa.timestamp("us", "UTC"))}))
(commit,) = Path(sys.argv[1], "_delta_log").glob("*0.json")
actions = [json.loads(line) for line in commit.read_text().splitlines()]
(added,) = [action["add"] for action in actions if "add" in action]
told = datetime.fromisoformat(json.loads(added["stats"])["maxValues"]["at"])
print("deltalake", deltalake.__version__, "largest time", last, "told", told)
assert told == last.replace(microsecond=303_000)
PYTHON

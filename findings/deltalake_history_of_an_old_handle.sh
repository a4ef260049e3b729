#!/usr/bin/env bash
# deltalake 1.6.6: a handle that is not up to date numbers the commits of its history wrongly.
# Guess: history() tells the commits that the handle knows; or all that are there, with their numbers.
# Seen: it tells all, and counts down from the handle's own version: another's commit 1 is version 0,
# and version 0 is version -1. history(1) then gives two commits.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1
"$folder/venv/bin/python" - "$folder/table" <<'PYTHON'
import sys

import deltalake
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

rows = pa.table({"close": [1.0]})
write_deltalake(sys.argv[1], rows)
handle = DeltaTable(sys.argv[1])
DeltaTable(sys.argv[1]).delete()
told = [(commit["version"], commit["operation"]) for commit in handle.history(1)]
print("deltalake", deltalake.__version__, "handle at", handle.version(), "history(1)", told)
assert (handle.version(), told) == (0, [(0, "DELETE"), (-1, "WRITE")])
PYTHON

#!/usr/bin/env bash
# deltalake 1.6.6: restore brings back rows and properties of before, and keeps transaction numbers.
# Guess: an application's transaction number goes back with the rows that were written under it.
# Seen: it stays, so that a writer who asks it what is still to be sent sends nothing, and the rows
# that restore took away are gone.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1
"$folder/venv/bin/python" - "$folder/table" <<'PYTHON'
import sys

import deltalake
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

path = sys.argv[1]
for number in (1, 2):
    properties = CommitProperties(app_transactions=[Transaction("feed", number)])
    rows = pa.table({"close": [float(number)]})
    write_deltalake(path, rows, mode="append", commit_properties=properties)
DeltaTable(path).alter.set_table_properties({"delta.appendOnly": "false"})
DeltaTable(path).restore(0)
table = DeltaTable(path)
closes = table.to_pyarrow_table()["close"].to_pylist()
told, properties = table.transaction_version("feed"), table.metadata().configuration
print("deltalake", deltalake.__version__, "closes", closes, "transaction", told, "properties", properties)
assert (closes, told, properties) == ([1.0], 2, {})
PYTHON

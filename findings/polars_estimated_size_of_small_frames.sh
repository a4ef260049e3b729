#!/usr/bin/env bash
# polars 2.1.0: what a cache of many small frames takes, by `DataFrame.estimated_size`.
# Guess: a column of floats has 8 bytes a value, and the estimate is within a few percent of that.
# Seen: the estimate is exactly the values, and the process takes 1.8 times as much: 2,000 frames with
# 20 columns of 100 floats are 32 MB by it and 57 MB resident, some 640 bytes a column more. NumPy's
# arrays of the same numbers take 32. Frames that were made longer ten rows at a time (`vstack`, then
# `rechunk`) take 3.7 times as much, and half of that again only after some seconds. So a cache bounded
# by the estimate outgrows its bound most where its frames are many and short.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0 numpy==2.4.6
cat >"$folder/resident.py" <<'PYTHON'
import gc
import sys

import numpy as np
import polars as pl


def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


def frame(rows):
    return pl.DataFrame({f"c{n}": pl.Series(np.random.rand(rows)) for n in range(20)})


how, count = sys.argv[1], 2_000
frame(100).vstack(frame(10)).rechunk()
before = resident()
if how == "arrays":
    kept = [np.random.rand(20, 100) for _ in range(count)]
elif how == "frames":
    kept = [frame(100) for _ in range(count)]
else:
    kept = [frame(10) for _ in range(count)]
    for _ in range(9):
        kept = [each.vstack(frame(10)).rechunk() for each in kept]
gc.collect()
taken = resident() - before
said = sum(each.nbytes if how == "arrays" else each.estimated_size() for each in kept)
print(f"polars {pl.__version__}, {how}: {said / 1e6:.0f} MB by their size, {taken / 1e6:.0f} resident")
least, most = {"arrays": (0.9, 1.2), "frames": (1.5, 2.2), "grown": (2.5, 6.0)}[how]
assert said == count * 20 * 100 * 8
assert least < taken / said < most
PYTHON
for how in arrays frames grown; do "$folder/venv/bin/python" "$folder/resident.py" "$how"; done

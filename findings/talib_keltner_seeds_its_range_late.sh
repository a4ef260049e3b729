#!/usr/bin/env bash
# TA-Lib 0.8.2: the width of KC(20, 10) is not that of ATR(10), in some hundred rows.
# Guess: the bands are the average of the typical price plus and minus twice ATR(10), row by row.
# Seen: KC begins at row 19, and seeds Wilder's mean of its ranges from rows 10 to 19, so that it
# meets ATR(10), which is seeded from rows 1 to 10, only after a while.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check TA-Lib==0.8.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import talib

random = np.random.default_rng(1)
close = 100.0 + np.cumsum(random.normal(0.0, 1.0, 400))
high, low = close + random.uniform(0.1, 2.0, 400), close - random.uniform(0.1, 2.0, 400)
upper, middle, _ = talib.KC(high, low, close, 20, 10, 2.0)
width, average = (upper - middle) / 2.0, talib.ATR(high, low, close, 10)
ranges = talib.TRANGE(high, low, close)
print("TA-Lib", talib.__version__)
print("row 19: half width", width[19], "ATR", average[19], "mean of ranges 10..19", ranges[10:20].mean())
print("row 399: half width", width[399], "ATR", average[399])
assert abs(width[19] - average[19]) > 1e-3
assert abs(width[19] - ranges[10:20].mean()) < 1e-9
assert abs(width[399] - average[399]) < 1e-9
PYTHON

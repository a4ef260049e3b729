#!/usr/bin/env bash
# ta-lib-takt 0.8.2, TA-Lib 0.8.2 with a faster core: RSI, ATR and ADX of 20,000 rows, three months of
# minutes, take as long as before.
# Guess: twice to three times as fast, as its table says, and the original's time for "a few thousand
# bars" only. EMA is so: four to five times as fast from 20,000 rows on.
# Seen: on 20,000 rows RSI, ATR and ADX take 0.8 to 1.0 of TA-Lib's time; on 500,000 rows a quarter to
# two fifths.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
for package in TA-Lib ta-lib-takt; do
    python3 -m venv "$folder/$package"
    "$folder/$package/bin/pip" install --quiet --disable-pip-version-check "$package==0.8.2" numpy==2.4.6
done
cat > "$folder/times.py" <<'PYTHON'
import time

import numpy as np
import talib


def least(run):
    taken = []
    for _ in range(15):
        began = time.process_time()
        run()
        taken.append(time.process_time() - began)
    return min(taken)


for rows in (20_000, 500_000):
    close = 100.0 + np.random.default_rng(1).normal(0.0, 0.1, rows).cumsum()
    high, low = close + 0.1, close - 0.1
    calls = (
        lambda: talib.RSI(close, 14),
        lambda: talib.ADX(high, low, close, 14),
        lambda: talib.ATR(high, low, close, 14),
        lambda: talib.EMA(close, 9),
    )
    print(*map(least, calls))
PYTHON
for turn in 1 2 3; do
    for package in TA-Lib ta-lib-takt; do
        "$folder/$package/bin/python" "$folder/times.py" >> "$folder/$package.txt"
    done
done
python3 - "$folder" <<'PYTHON'
import sys
from pathlib import Path


def of(package):
    lines = Path(sys.argv[1], f"{package}.txt").read_text().splitlines()
    table = [[float(word) for word in line.split()] for line in lines]
    return [[min(column) for column in zip(*table[size::2])] for size in (0, 1)]


ratios = [
    [round(new / old, 2) for old, new in zip(*rows)] for rows in zip(of("TA-Lib"), of("ta-lib-takt"))
]
print("ta-lib-takt / TA-Lib 0.8.2, RSI ADX ATR EMA: 20,000 rows", ratios[0], "500,000 rows", ratios[1])
assert min(ratios[0][:3]) > 0.7 and ratios[0][3] < 0.5
assert max(ratios[1][:2]) < 0.6
PYTHON

#!/usr/bin/env bash
# wickra 2.0.0: the momentum of TtmSqueeze is a line through closes less one price, the newest row's.
# Guess: as the squeeze momentum that charts show, a line through each close less its own row's base,
# the mean of the middle of highest and lowest and of the moving average.
# Seen: exactly the newest row's base is taken from all closes of the window, so the two differ, and
# at times in their sign.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check wickra==2.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import wickra

draw = np.random.default_rng(3)
close = 100.0 + draw.normal(0.0, 1.0, 400).cumsum()
high, low = close + draw.random(400), close - draw.random(400)
n, places = 20, np.arange(20)
momentum = np.array([*wickra.TtmSqueeze(n, 2.0, 1.5).batch(high, low, close)])[:, 1]


def base(row):
    rows = slice(row - n + 1, row + 1)
    return ((high[rows].max() + low[rows].min()) / 2.0 + close[rows].mean()) / 2.0


def line(values):
    return np.polyval(np.polyfit(places, values, 1), n - 1)


rows = range(2 * n, len(close))
bases = {row: base(row) for row in range(n - 1, len(close))}
windows = {row: np.arange(row - n + 1, row + 1) for row in rows}
own = np.array([line(close[w] - [bases[k] for k in w]) for w in windows.values()])
newest = np.array([line(close[w] - bases[row]) for row, w in windows.items()])
seen = momentum[2 * n :]
signs = int(np.sum(np.sign(seen) != np.sign(own)))
print("wickra", wickra.__version__, "largest gap to one base", np.abs(seen - newest).max())
print("to each row's own base", np.abs(seen - own).max(), "other signs", signs, "of", len(seen))
assert np.abs(seen - newest).max() < 1e-9 and np.abs(seen - own).max() > 0.5 and signs > 10
PYTHON

#!/usr/bin/env bash
# TA-Lib 0.8.2 for Python: set_compatibility(1), Metastock's, has no effect, and says nothing.
# Guess: as in versions before, EMA starts from the first close instead of the mean of the first
# closes; or an error says that the setting is gone.
# Seen: the same values, and get_compatibility() still answers 0.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check TA-Lib==0.8.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import talib

closes = np.array([1.0, 5.0, 2.0, 8.0, 3.0, 9.0, 4.0])
usual = talib.EMA(closes, 3)
talib.set_compatibility(1)
chosen, told = talib.EMA(closes, 3), talib.get_compatibility()
print("TA-Lib", talib.__version__, "usual", usual[2:4], "Metastock's", chosen[2:4], "told", told)
assert told == 0
assert np.array_equal(usual, chosen, equal_nan=True)
PYTHON

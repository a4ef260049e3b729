#!/usr/bin/env bash
# numba 0.68.1: float(flag) of a bool does not compile.
# Guess: it is 1.0 or 0.0, as in Python, where bool is an int; and as int(flag) is 1 or 0 when compiled.
# Seen: int(flag), np.float64(flag), flag + 0.0 and flag * 1.0 compile; float(flag) alone is a
# TypingError, so that a function that runs as plain Python is refused once it is compiled.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6
cat >"$folder/ways.py" <<'PYTHON'
import numba
import numpy as np
from numba.core.errors import TypingError


def by_int(flag):
    return int(flag)


def by_type(flag):
    return np.float64(flag)


def by_sum(flag):
    return flag + 0.0


def by_float(flag):
    return float(flag)


found = [numba.njit(way)(True) for way in (by_int, by_type, by_sum)]
try:
    found.append(numba.njit(by_float)(True))
except TypingError as error:
    found.append(type(error).__name__)
print("numba", numba.__version__, found, "plain Python:", by_float(True))
assert found == [1, 1.0, 1.0, "TypingError"]
PYTHON
"$folder/venv/bin/python" "$folder/ways.py"

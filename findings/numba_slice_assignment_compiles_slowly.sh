#!/usr/bin/env bash
# numba 0.68.1: one assignment to a slice takes seconds to compile, the loops that it stands for a tenth.
# Guess: the shorter source compiles about as fast, as both become the same two loops.
# Seen: some 2.4 against 0.13 seconds of CPU, after Numba itself is warm; the values are the same. In
# a kernel that is compiled when a user first runs it, loops by number are worth their lines.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import time

import numba
import numpy as np


def by_number(target, source):
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[1 + i, 2 + j] = source[i, j]


def by_slice(target, source):
    target[1:, 2:] = source


def compiled(function):
    target = np.zeros((3, 4))
    began = time.process_time()
    numba.njit(function)(target, np.ones((2, 2)))
    return time.process_time() - began, target.tolist()


numba.njit(lambda x: x)(np.zeros((2, 2)))
(loops, one), (assigned, other) = compiled(by_number), compiled(by_slice)
print("numba", numba.__version__, f"loops {loops:.2f} s, slice {assigned:.2f} s")
assert one == other and assigned > 4.0 * loops
PYTHON

#!/usr/bin/env bash
# numba 0.68.1 with scipy 1.17.1: the first compiled function of a process imports scipy.linalg.
# Guess: SciPy is a matter of numpy.linalg in compiled code, and imported where that is used.
# Seen: where SciPy is installed, a function that adds one imports scipy.linalg, 75 modules beyond the
# ten of SciPy's own that `import numba` takes. Without SciPy nothing is imported, and nothing is missing.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
cat >"$folder/adds.py" <<'PYTHON'
import sys

import numba


@numba.njit
def add_one(number):
    return number + 1


def modules():
    return sum(name.partition(".")[0] == "scipy" for name in sys.modules)


before = modules()
assert "scipy.linalg" not in sys.modules
assert add_one(1) == 2
print("numba", numba.__version__, "modules of scipy before:", before, "after:", modules())
assert (modules() - before > 50) == (sys.argv[1] == "with")
assert ("scipy.linalg" in sys.modules) == (sys.argv[1] == "with")
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6
"$folder/venv/bin/python" "$folder/adds.py" without
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1
"$folder/venv/bin/python" "$folder/adds.py" with

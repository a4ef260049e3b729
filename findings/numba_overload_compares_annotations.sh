#!/usr/bin/env bash
# numba 0.68.1: an @overload with type annotations is refused where its implementation has none.
# Guess: annotations are for readers; names and defaults of both functions must agree, and do.
# Seen: "Typing and implementation arguments differ in argument names", with the same names: whole
# parameters are compared, their annotations too. Without annotations it compiles.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numba
from numba.extending import overload


def bare(x): ...


def annotated(x): ...


overload(bare)(lambda x: lambda x: x + 1.0)


@overload(annotated)
def _(x: float):
    return lambda x: x + 1.0


@numba.njit
def call_bare(x):
    return bare(x)


@numba.njit
def call_annotated(x):
    return annotated(x)


assert call_bare(1.0) == 2.0
try:
    call_annotated(1.0)
except numba.errors.TypingError as error:
    seen = "argument names" in str(error)
print("numba", numba.__version__, "refused for its argument names:", seen)
assert seen
PYTHON

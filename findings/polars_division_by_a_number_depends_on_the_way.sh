#!/usr/bin/env bash
# polars 2.1.0: a column of floats divided by a number, such as paise by 100.
# Guess: the quotient is IEEE's, as Python's, in every way that Polars offers: eager or lazy, of one
# row or of many.
# Seen: `Series / 100.0`, and a `select` of a frame with two rows or more, multiply by the inverse: 14
# of 100 whole numbers have another last bit than in Python, and 35659 / 100 is 356.59000000000003. The
# same `select` of a lazy frame, of one row, or by a column of hundreds divides. So what was computed
# eagerly is not found again lazily by `==`, nor a row alone among many.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import polars as pl

RUPEES, OTHER = 356.59, 356.59000000000003
paise = pl.DataFrame({"paise": [35659.0, 35659.0]})
rupees = pl.col("paise") / 100.0
found = {
    "Python": 35659.0 / 100.0,
    "eager, two rows": paise.select(rupees)["paise"][0],
    "eager, one row": paise.head(1).select(rupees)["paise"][0],
    "lazy, two rows": paise.lazy().select(rupees).collect()["paise"][0],
    "a series": (paise["paise"] / 100.0)[0],
    "by a column": paise.select(pl.col("paise") / pl.Series([100.0, 100.0]))["paise"][0],
}
whole = [float(number) for number in range(1, 100_001)]
quotients = (pl.Series(whole) / 100.0).to_list()
differing = sum(found != number / 100.0 for found, number in zip(quotients, whole, strict=True))
print("polars", pl.__version__, found, f"{differing} of 100,000 differ")
other = {name for name, value in found.items() if value == OTHER}
assert other == {"eager, two rows", "a series"}
assert all(value == RUPEES for name, value in found.items() if name not in other)
assert 13_000 < differing < 15_000
PYTHON

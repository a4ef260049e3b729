"""The arrays that pass between functions: a type for each kind of number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Ints = NDArray[np.int64]
"""Numbers of things, places in other arrays, and counts."""

Times = NDArray[np.int64]
"""Microseconds since 1970 UTC."""

Flags = NDArray[np.bool_]

Codes = NDArray[np.int8]
"""Which of a few kinds each row is of."""

Dates = NDArray[np.datetime64]

Smalls = NDArray[np.int8]
"""Whole numbers of 8 bits, of which `SMALL_NULL` is null."""

SMALL_NULL = -128

"""The rows of the table: each file of this folder has some, and is found."""

from __future__ import annotations

import importlib
import pkgutil

from tests.oracles.table import Row

ROWS: tuple[Row, ...] = tuple(
    row
    for module in pkgutil.iter_modules(__path__)
    for row in importlib.import_module(f"{__name__}.{module.name}").ROWS
)

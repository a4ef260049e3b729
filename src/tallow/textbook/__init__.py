"""Every indicator a second time: slow, in plain Python, straight from its definition.

What the kernels compute is compared with these. They share nothing with the package: no NumPy, no
running sums, no tricks; every window is summed anew, exactly, from lists with None for missing.
Each file of this folder is found, and its formulas are known by the names of their indicators.
"""

from __future__ import annotations

import importlib
import pkgutil

from tallow.textbook.parts import ORACLES, PRICE, VOLUME, Column, Oracle, Still

__all__ = ["ORACLES", "PRICE", "VOLUME", "Column", "Oracle", "Still"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

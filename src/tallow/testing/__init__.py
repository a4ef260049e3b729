"""The contract of indicators, for an indicator of your own; and the check that nothing looks ahead.

Examples
--------
>>> from tallow.testing import check_indicator
>>> from tallow.indicators.ema import INDICATOR
>>> check_indicator(INDICATOR)
"""

from tallow.testing.cases import ContractError
from tallow.testing.contract import check_indicator
from tallow.testing.leaks.check import check_leaks
from tallow.testing.leaks.report import ColumnCheck, Leak, LeakReport

__all__ = ["ColumnCheck", "ContractError", "Leak", "LeakReport", "check_indicator", "check_leaks"]

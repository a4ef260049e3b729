"""The contract of indicators, for an indicator of your own.

Examples
--------
>>> from tallow.testing import check_indicator
>>> from tallow.indicators.ema import INDICATOR
>>> check_indicator(INDICATOR)
"""

from tallow.testing.cases import ContractError
from tallow.testing.contract import check_indicator

__all__ = ["ContractError", "check_indicator"]

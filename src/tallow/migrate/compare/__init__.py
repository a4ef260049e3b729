"""Two engines on the same candles: what differs, why, what it decides, and what each costs."""

from tallow.migrate.compare.comparison import Comparison, compare, judge
from tallow.migrate.compare.matching import Tolerance
from tallow.migrate.compare.values import ComparisonRules
from tallow.migrate.compare.verdict import Thresholds
from tallow.migrate.engines import EngineSource

__all__ = [
    "Comparison",
    "ComparisonRules",
    "EngineSource",
    "Thresholds",
    "Tolerance",
    "compare",
    "judge",
]

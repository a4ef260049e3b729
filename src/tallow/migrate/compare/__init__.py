"""Two engines on the same candles: what differs, why, what it decides, and what each costs."""

from tallow.migrate.compare.comparison import Comparison, compare, judge
from tallow.migrate.compare.matching import Tolerance
from tallow.migrate.compare.measuring import Named
from tallow.migrate.compare.values import Rules
from tallow.migrate.compare.verdict import Thresholds

__all__ = ["Comparison", "Named", "Rules", "Thresholds", "Tolerance", "compare", "judge"]

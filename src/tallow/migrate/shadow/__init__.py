"""Run a candidate beside the control of a call: never in the way of it, and with evidence.

Imports nothing heavy: a command line that reads evidence starts fast.
"""

from tallow.migrate.shadow.experiment import Experiment
from tallow.migrate.shadow.judging import judge_values
from tallow.migrate.shadow.messages import Budget
from tallow.migrate.shadow.mismatch import Mismatch, load_mismatch, replay
from tallow.migrate.shadow.store import EvidenceStore

__all__ = [
    "Budget",
    "EvidenceStore",
    "Experiment",
    "Mismatch",
    "judge_values",
    "load_mismatch",
    "replay",
]

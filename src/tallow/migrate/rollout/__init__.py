"""A rollout in stages: a plan, a log, a controller, and a way back that needs none of them.

A person acts through `Rollout` and `revert` (`rollout.py`); `Controller` decides by the evidence
(`controller.py`, `gates.py`). Both use `Journal` (`journal.py`), which keeps the log (`audit.py`)
and the flag file consistent. The log determines the rollout's state (`state.py`).
"""

from tallow.migrate.rollout.controller import Controller
from tallow.migrate.rollout.plan import RolloutPlan, read_plan
from tallow.migrate.rollout.rollout import Rollout, revert
from tallow.migrate.rollout.state import RolloutState

__all__ = ["Controller", "Rollout", "RolloutPlan", "RolloutState", "read_plan", "revert"]

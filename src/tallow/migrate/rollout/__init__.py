"""A rollout in stages: a plan, a log, a controller, and a way back that needs none of them.

A person acts by `Rollout` and `revert` (`rollout.py`); `Controller` decides by the evidence
(`controller.py`, `gates.py`). Both go through `Book` (`book.py`), which keeps the log (`audit.py`)
and the flag file in step. Where a rollout stands is what its log says (`state.py`).
"""

from tallow.migrate.rollout.controller import Controller
from tallow.migrate.rollout.plan import Plan, read_plan
from tallow.migrate.rollout.rollout import Rollout, revert
from tallow.migrate.rollout.state import State

__all__ = ["Controller", "Plan", "Rollout", "State", "read_plan", "revert"]

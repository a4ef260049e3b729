"""A rollout's plan: one TOML file with the stages and their gates."""

from __future__ import annotations

import hashlib
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

from tallow.core.errors import RolloutError, near_matches, shorten
from tallow.core.given import file_path
from tallow.core.limits import (
    ROLLOUT_COUNT_MAX,
    ROLLOUT_INTERVAL_SECONDS_MAX,
    ROLLOUT_STAGES_MAX,
    TOML_BYTES_MAX,
)
from tallow.migrate.flags.setting import OFF, Setting

GATES = {
    "unexplained": "share of the compared values that differ for no accepted cause",
    "flips": "share of the compared values whose decisions differ",
    "errors": "share of the candidate's calls that failed",
    "p99_ratio": "the candidate's 99th percentile over the control's",
    "p99_ms": "the candidate's 99th percentile in milliseconds",
    "staleness_seconds": "age of the newest data in what was served",
}
"""Gates and what they measure; each fails above its threshold."""

SHARES = ("unexplained", "flips", "errors")
"""Gates that are a number of bad things over a number of all."""

EXAMPLE = """\
# A rollout in stages. Paths are relative to this file.
experiment = "new-engine"        # the flag's key, and the experiment's name
flags = "flags.toml"             # read by the serving processes; made if missing
evidence = "evidence.db"         # written by the serving processes
log = "rollout.log"              # who changed what, when, from, to, and on which evidence

# An analysis looks at one interval. It is a success, a failure or, with too few calls or a figure
# between a gate's two thresholds, inconclusive.
interval_seconds = 60            # at least twice as long as any call may take
calls = 100                      # fewer calls of the candidate in an interval: inconclusive
successes = 5                    # as many successes: the next stage
failures = 0                     # as many are tolerated; one more: off at once
inconclusive = 30                # as many are tolerated; one more: pause

[gates]                          # a failure above; or { fail_above = 0.01, pass_below = 0.005 }
unexplained = 0.001              # of the compared values
errors = 0.01                    # of the candidate's calls
# flips = 0.001                  # of the compared values; those with a known cause count, too
# staleness_seconds = 120        # of the served answers, if the experiment has `newest`

[[stages]]
stage = "shadow"                 # the candidate runs in the background; nobody sees its answers

[[stages]]
stage = 10                       # percent of the instruments; the others are shadowed
# Times are those in the serving processes. Not in shadow: in the background the candidate runs at
# the lowest priority, and seems slow on a busy host. Two thresholds: a p99 of few calls is rough.
gates.p99_ratio = { fail_above = 3.0, pass_below = 1.5 }

[[stages]]
stage = 50
gates.p99_ratio = { fail_above = 3.0, pass_below = 1.5 }

[[stages]]
stage = 100                      # now the control runs in the background: its p99 seems too long
gates.p99_ratio = { fail_above = 3.0, pass_below = 1.5 }
# gates.p99_ms = 250             # the candidate's own
"""

_PATHS = ("experiment", "flags", "evidence", "log")
_HINT = "`tallow rollout plan` prints an example"
_WHOLE = {"calls": 1, "successes": 1, "failures": 0, "inconclusive": 0}
_RULES = {"interval_seconds": 60.0, "calls": 100, "successes": 5, "failures": 0, "inconclusive": 30}
_DEFAULT_GATES = {"unexplained": 0.001, "errors": 0.01}
_SERVING_GATES = {"p99_ratio": {"fail_above": 3.0, "pass_below": 1.5}}


@dataclass(frozen=True)
class Gate:
    """A threshold: above `fail_above` is a failure, up to `pass_below` a success."""

    name: str
    fail_above: float
    pass_below: float


@dataclass(frozen=True)
class Stage:
    """A stage, and the rules of its analyses.

    With fewer `calls` of the candidate in an interval an analysis is inconclusive. So many
    `successes` lead to the next stage. So many `failures` and `inconclusive` ones are tolerated;
    one more ends the rollout, or pauses it.
    """

    name: str
    setting: Setting
    interval_seconds: float = 60.0
    calls: int = 100
    successes: int = 5
    failures: int = 0
    inconclusive: int = 30
    gates: tuple[Gate, ...] = ()


@dataclass(frozen=True)
class Places:
    """A rollout's experiment, and the paths of its files."""

    path: Path
    experiment: str
    flags: Path
    evidence: Path
    log: Path


@dataclass(frozen=True)
class RolloutPlan:
    """A rollout's paths and stages; the first stage is off."""

    paths: Places
    stages: tuple[Stage, ...]
    digest: str

    def stage(self, name: str) -> Stage:
        """Return a stage by its name; `RolloutError` if there is none: the plan was changed."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        known = ", ".join(stage.name for stage in self.stages)
        raise RolloutError(
            f"{self.paths.path}: stage={name!r}, where the rollout is, is not in the plan any "
            f"more ({known}); put it back, or revert"
        )

    def after(self, name: str) -> Stage | None:
        """Return the stage after another; None after the last."""
        number = self.stages.index(self.stage(name)) + 1
        return self.stages[number] if number < len(self.stages) else None


def read_paths(path: Path) -> Places:
    """Return a plan's experiment and paths; the rest of it may be wrong.

    `RolloutError` if the file cannot be read, or lacks them.
    """
    return _paths(path, _read(path)[0])


def read_plan(path: Path) -> RolloutPlan:
    """Read a plan; `RolloutError` if it cannot be read or is wrong: what, where, and what to do."""
    table, digest = _read(path)
    _check_names(path.name, table, {*_PATHS, *_RULES, "gates", "stages"})
    rules = _read_rules(path.name, table, _RULES)
    gates = _read_gates(f"{path.name}: gates", table.get("gates", _DEFAULT_GATES), {})
    tables = table.get("stages", _default_stages(table.get("gates", {})))
    if not isinstance(tables, list) or not 1 <= len(tables) <= ROLLOUT_STAGES_MAX:
        raise RolloutError(f"{path.name}: stages; must be 1..{ROLLOUT_STAGES_MAX} tables; {_HINT}")
    stages = [
        _read_stage(f"{path.name}: stages[{number}]", each, rules, gates)
        for number, each in enumerate(tables, 1)
    ]
    if stages[0].setting != OFF:
        stages.insert(0, replace(stages[0], name="off", setting=OFF))
    _check_order(path.name, stages)
    return RolloutPlan(_paths(path, table), tuple(stages), digest)


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        with path.open("rb") as file:
            content = file.read(TOML_BYTES_MAX + 1)
        table = _parsed(content)
    except OSError as error:
        raise RolloutError(f"plan: file={path}; {error.strerror}; {_HINT}") from error
    except (ValueError, RecursionError) as error:
        why = shorten(error)
        raise RolloutError(f"plan: file={path}; is not TOML: {why}; {_HINT}") from error
    return table, hashlib.blake2b(content, digest_size=16).hexdigest()


def _parsed(content: bytes) -> dict[str, Any]:
    if len(content) > TOML_BYTES_MAX:
        raise ValueError(f"it has more than {TOML_BYTES_MAX:,} bytes")
    return tomllib.loads(content.decode())


def _paths(path: Path, table: Mapping[str, Any]) -> Places:
    names = {"evidence": "evidence.db", "log": "rollout.log"} | dict(table)
    for name in _PATHS:
        value = names.get(name)
        if not isinstance(value, str) or not value:
            raise RolloutError(f"{path.name}: {name}={value!r}; must be a text; {_HINT}")
    folder = path.absolute().parent
    flags, evidence, log = (
        folder / file_path(f"{path.name}: {name}", names[name], RolloutError) for name in _PATHS[1:]
    )
    return Places(path.absolute(), names["experiment"], flags, evidence, log)


def _check_names(where: str, table: Any, names: set[str]) -> None:
    if not isinstance(table, dict):
        raise RolloutError(f"{where}={table!r}; must be a table; {_HINT}")
    for name in sorted(set(table) - names):
        raise RolloutError(f"{where}: {name}: unknown; {near_matches(name, names)}")


def _read_rules(where: str, table: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    rules = {name: table.get(name, value) for name, value in usual.items()}
    seconds = rules["interval_seconds"]
    if not _is_number(seconds) or not 0 < seconds <= ROLLOUT_INTERVAL_SECONDS_MAX:
        raise RolloutError(
            f"{where}: interval_seconds={seconds!r}; must be over 0 and at most "
            f"{ROLLOUT_INTERVAL_SECONDS_MAX:g}"
        )
    for name, least in _WHOLE.items():
        if type(rules[name]) is not int or not least <= rules[name] <= ROLLOUT_COUNT_MAX:
            raise RolloutError(
                f"{where}: {name}={rules[name]!r}; must be a whole number, {least} up"
            )
    return rules


def _read_gates(where: str, table: Any, usual: Mapping[str, Gate]) -> dict[str, Gate]:
    """Return gates by name; ``false`` removes one."""
    _check_names(where, table, set(GATES))
    gates = dict(usual)
    for name, value in table.items():
        if value is False:
            gates.pop(name, None)
            continue
        both = value if isinstance(value, dict) else {"fail_above": value}
        _check_names(f"{where}.{name}", both, {"fail_above", "pass_below"})
        fail = both.get("fail_above")
        low = both.get("pass_below", fail)
        if not (_is_number(fail) and _is_number(low) and 0 <= low <= fail):
            raise RolloutError(
                f"{where}.{name}={value!r}; must be a number or {{ fail_above = 0.01, pass_below = "
                "0.005 }, 0 or more, pass_below not over fail_above; false takes it away"
            )
        gates[name] = Gate(name, float(fail), float(low))
    return gates


def _read_stage(
    where: str, table: Any, usual: Mapping[str, Any], gates: Mapping[str, Gate]
) -> Stage:
    _check_names(where, table, {"stage", "gates", *_RULES})
    value = table.get("stage")
    setting = (
        {"off": OFF, "shadow": Setting("shadow")}.get(value) if isinstance(value, str) else None
    )
    if _is_number(value) and 0 < value <= 100:
        setting = Setting("shadow", float(value))
    if setting is None:
        raise RolloutError(
            f"{where}: stage={value!r}; must be shadow, or percent over 0 and up to 100; {_HINT}"
        )
    own = _read_gates(f"{where}.gates", table.get("gates", {}), gates)
    name = f"{value:g}%" if setting.share else str(value)
    return Stage(name, setting, **_read_rules(where, table, usual), gates=tuple(own.values()))


def _default_stages(gates: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the stages of a plan without any; `gates` are those that it sets for all of them."""
    own = {name: gate for name, gate in _SERVING_GATES.items() if name not in gates}
    return [{"stage": "shadow"}, *({"stage": share, "gates": own} for share in (10, 50, 100))]


def _check_order(where: str, stages: list[Stage]) -> None:
    order = [(stage.setting.rest == "shadow", stage.setting.share) for stage in stages]
    if order != sorted(set(order)):
        names = ", ".join(stage.name for stage in stages)
        raise RolloutError(f"{where}: stages={names}; each must be more than the one before")


def _is_number(value: Any) -> TypeGuard[float]:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max

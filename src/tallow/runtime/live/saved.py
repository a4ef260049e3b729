"""A live engine's whole state as named arrays, and what it must fit to be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import StateError
from tallow.core.kernel import kernel_digest
from tallow.data import aggregate as bars
from tallow.data.state_file import Arrays, read_state, write_state
from tallow.data.store.log import LogPoint
from tallow.runtime.checkpoints import calendar_digest
from tallow.runtime.live.core import LiveState
from tallow.runtime.live.follower import Follower
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.lane import Lane
from tallow.runtime.live.source import goes_on
from tallow.runtime.live.ticking import TickIntake

_LANE = ("before", "touched", "shown", "final", "revision")
_TICKS = "ticks/"
_MEMORY = ("candles", "first", "next", "told_from")


def identity(state: LiveState, calendars: CalendarAssignment, no_trade: str) -> dict[str, Any]:
    """Return, by the name of each, all that a state's numbers depend on besides the candles."""
    plan = state.lanes[0].plan
    operations = [
        f"{o.indicator.name} {o.indicator.version} {sorted(o.values.items())}"
        for o in plan.operations
    ]
    return {
        "kernels": kernel_digest(),
        "bars": bars.BARS_VERSION,
        "timeframes": [lane.timeframe.text for lane in state.lanes],
        "indicators": operations,
        "columns": list(plan.columns),
        "convention": plan.convention,
        "calendars": [calendar_digest(each).hex() for each in calendars.calendars],
        "no_trade": no_trade,
        "grace": state.lanes[0].grace_us,
        "keep": state.memory.capacity,
    }


@dataclass(frozen=True)
class Parts:
    """What a live engine is made of, and what its numbers depend on besides candles."""

    state: LiveState
    intake: Intake
    ticks: TickIntake
    made_with: dict[str, Any]


def save_state(path: Path, parts: Parts) -> None:
    """Write an engine's whole state to a file."""
    follower = parts.intake.follower
    header = {
        "made_with": parts.made_with,
        "names": parts.intake.names,
        "now": parts.state.now,
        "position": parts.state.position,
        "revision": parts.state.revision,
        "interest": parts.intake.saw_interest,
        "failed": [
            [
                {name: sorted(held) for name, held in lane.failed.items()},
                list(lane.failures.items()),
            ]
            for lane in parts.state.lanes
        ],
        "waiting": [
            [numbers.tolist(), rows.tobytes().hex(), closed.tolist()]
            for numbers, rows, closed in parts.ticks.waiting
        ],
        "store": None if follower is None else follower.place(),
    }
    ticks = {f"{_TICKS}{name}": held for name, held in parts.ticks.builder.arrays().items()}
    write_state(path, header, to_arrays(parts.state) | ticks)


def load_state(path: Path, parts: Parts) -> None:
    """Put a saved state into a new engine.

    Raises
    ------
    StateError
        If it is damaged, or of another engine or store; with the reason. Nothing has changed then.
    """
    header, arrays = read_state(path)
    saved, mine = header["made_with"], parts.made_with
    others = [name for name in mine if saved.get(name) != mine[name]]
    if others:
        raise StateError(f"state: file={path}; made with other {', '.join(others)}; rebuild it")
    follower = parts.intake.follower
    if follower is not None:
        _require_store(path, follower, header["store"])
    parts.intake.register(header["names"])
    from_arrays(parts.state, arrays)
    parts.ticks.builder.restore(
        {name.removeprefix(_TICKS): arrays[name] for name in arrays if name.startswith(_TICKS)}
    )
    for lane, (failed, failures) in zip(parts.state.lanes, header["failed"], strict=True):
        lane.failed = {name: set(held) for name, held in failed.items()}
        lane.failures = dict(failures)
    parts.ticks.waiting = [
        (
            np.array(numbers, dtype=np.int64),
            np.frombuffer(bytes.fromhex(rows)).reshape(len(numbers), -1),
            np.array(closed, dtype=np.bool_),
        )
        for numbers, rows, closed in header["waiting"]
    ]
    parts.state.position = header.get("position")
    parts.state.now = header["now"]
    parts.state.revision = max(parts.state.revision, header["revision"])
    if follower is not None:
        follower.go_to(header["store"])
    parts.intake.saw_interest = bool(header["interest"])


def _require_store(path: Path, follower: Follower, place: dict[str, Any] | None) -> None:
    """Raise `StateError` unless the store has all rows that the state was made of."""
    seen = LogPoint(*place["point"]) if place is not None else LogPoint("", 0)
    now = follower.source.point
    if seen.epoch != now.epoch:
        raise StateError(
            f"state: file={path}; made with another store or none, or its history was changed "
            "since, as by pruning or restoring; rebuild it"
        )
    if not goes_on(follower.source.store, seen, now):
        newest = datetime.fromtimestamp(seen.received / 1e6, UTC).isoformat()
        raise StateError(
            f"state: file={path}; made with rows, received at {newest}, which the store does not "
            "have: another store, or a backup of before was put back; rebuild it"
        )


def to_arrays(state: LiveState) -> Arrays:
    """Return the state of all instruments, without a copy."""
    arrays = {f"memory/{name}": getattr(state.memory, name) for name in _MEMORY}
    arrays |= {f"memory/states/{k}": each for k, each in enumerate(state.memory.states)}
    for lane, place in _lanes(state):
        arrays |= {f"{place}/{name}": getattr(lane, name) for name in _LANE}
        arrays |= {f"{place}/now/{k}": each for k, each in enumerate(lane.now)}
        arrays |= {f"{place}/forming/{k}": each for k, each in enumerate(lane.forming)}
    return arrays


def from_arrays(state: LiveState, arrays: Arrays) -> None:
    """Put a state back; the instruments' calendars are the caller's to set."""
    for name in _MEMORY:
        setattr(state.memory, name, arrays[f"memory/{name}"])
    state.memory.states = _listed(arrays, "memory/states")
    for lane, place in _lanes(state):
        for name in _LANE:
            setattr(lane, name, arrays[f"{place}/{name}"])
        lane.now = _listed(arrays, f"{place}/now")
        lane.forming = _listed(arrays, f"{place}/forming")


def _lanes(state: LiveState) -> list[tuple[Lane, str]]:
    return [(lane, f"lane/{k}") for k, lane in enumerate(state.lanes)]


def _listed(arrays: Arrays, place: str) -> list[np.ndarray[Any, Any]]:
    count = sum(name.startswith(f"{place}/") for name in arrays)
    return [arrays[f"{place}/{k}"] for k in range(count)]

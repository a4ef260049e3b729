"""A live engine's whole state in a file, and what must fit for it to be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError, StateError
from tallow.core.time import SECOND_US, from_us
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.live_rows import UPDATES_VERSION
from tallow.data.kernels.rows import RULES_VERSION
from tallow.data.kernels.tick_order import TICKS_VERSION
from tallow.data.state_file import Arrays, read_state, write_state
from tallow.data.store.backend import LogPoint
from tallow.runtime.live.comparing import Comparing
from tallow.runtime.live.follower import Follower
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.live_store import is_continuation
from tallow.runtime.live.state_checks import TICKS, require_arrays, require_header, require_ticks
from tallow.runtime.live.tick_intake import TickIntake
from tallow.runtime.run_snapshots import calendar_digest, operation_texts


def identity(state: LiveState, calendars: CalendarAssignment, no_trade: str) -> dict[str, Any]:
    """Return all that a state's numbers depend on besides the candles, by name."""
    plan = state.timeframes[0].plan
    later = [[each.identity for each in phase.operations] for phase in plan.phases]
    return ({"phases": later} if later else {}) | {
        "bars": [bars.BARS_VERSION, bars.STATE_SIZE],
        "candles": RULES_VERSION,
        "ticks": TICKS_VERSION,
        "updates": UPDATES_VERSION,
        "timeframes": [each.size.text for each in state.timeframes],
        "indicators": operation_texts(plan),
        "columns": list(plan.columns),
        "convention": plan.convention,
        "calendars": [calendar_digest(each).hex() for each in calendars.calendars],
        "no_trade": no_trade,
        "grace": state.timeframes[0].grace_us,
        "keep": state.memory.capacity,
    }


@dataclass(frozen=True)
class Parts:
    """The parts of a live engine, and what its numbers depend on besides candles."""

    state: LiveState
    intake: Intake
    ticks: TickIntake
    made_with: dict[str, Any]
    comparing: Comparing | None


def save_state(path: Path, parts: Parts) -> None:
    """Write an engine's whole state to a file."""
    follower = parts.intake.follower
    header = {
        "made_with": parts.made_with,
        "asked": _asked(parts.state),
        "names": parts.intake.names,
        "now": parts.state.now,
        "position": parts.state.position,
        "revision": parts.state.revision,
        "interest": parts.intake.saw_interest,
        "failed": [
            [
                {name: sorted(numbers) for name, numbers in each.failed.items()},
                list(each.failures.items()),
            ]
            for each in parts.state.timeframes
        ],
        "waiting": [
            [numbers.tolist(), rows.tobytes().hex(), closed.tolist()]
            for numbers, rows, closed in parts.ticks.waiting
        ],
        "store": None if follower is None else follower.position(),
    }
    ticks = {f"{TICKS}{name}": array for name, array in parts.ticks.builder.arrays().items()}
    compared = {} if parts.comparing is None else parts.comparing.arrays()
    write_state(path, header, parts.state.arrays() | ticks | compared)


def _asked(state: LiveState) -> dict[str, Any]:
    """Return what an engine was asked to compute, and to keep, as `LiveEngine` takes it."""
    first, memory = state.timeframes[0], state.memory
    return {
        "timeframes": [each.size.text for each in state.timeframes],
        "indicators": list(first.plan.specs),
        "convention": first.plan.convention,
        "grace": first.grace_us / SECOND_US,
        "keep": memory.capacity - memory.stride,
    }


def asked_of(path: Path) -> dict[str, Any]:
    """Return the arguments of the engine that saved a state; `StateError` if it has none."""
    found = read_state(path)[0].get("asked")
    if not isinstance(found, dict):
        raise StateError(
            f"state: file={path}; was saved by an earlier version, and does not say what of; save "
            "it again with tallow live"
        )
    return found


def load_state(path: Path, parts: Parts) -> None:
    """Put a saved state into a new engine.

    Raises
    ------
    StateError
        If it is damaged, or of another engine or store; with the reason. Then nothing has changed.
    """
    header, arrays = read_state(path)
    _require_fit(path, header, arrays, parts)
    follower, ticks = parts.intake.follower, len(TICKS)
    try:
        parts.ticks.builder.restore(
            {name[ticks:]: array for name, array in arrays.items() if name.startswith(TICKS)}
        )
        parts.intake.register(header["names"])
    except ParameterError as error:
        raise StateError(f"state: file={path}; {error}; rebuild it") from error
    parts.state.restore(arrays)
    for each, (failed, failures) in zip(parts.state.timeframes, header["failed"], strict=True):
        each.failed = {name: set(numbers) for name, numbers in failed.items()}
        each.failures = dict(failures)
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
        follower.resume(header["store"])
    parts.intake.saw_interest = bool(header["interest"])
    if parts.comparing is not None:
        parts.comparing.restore(arrays)


def _require_fit(path: Path, header: dict[str, Any], arrays: Arrays, parts: Parts) -> None:
    """Raise `StateError` unless a state is complete, and of such an engine and store."""
    saved, mine = header.get("made_with"), parts.made_with
    known = saved if isinstance(saved, dict) else {}
    others = [name for name in mine if known.get(name) != mine[name]]
    if others:
        raise StateError(f"state: file={path}; made with other {', '.join(others)}; rebuild it")
    require_header(path, header, parts.state)
    if parts.intake.follower is not None:
        _require_store(path, parts.intake.follower, header["store"])
    count = len(header["names"])
    require_arrays(path, arrays, parts.state, count)
    require_ticks(path, arrays, parts.ticks.builder.arrays(), count)
    if parts.comparing is not None:
        parts.comparing.require(path, arrays, header["names"])


def _require_store(path: Path, follower: Follower, position: dict[str, Any] | None) -> None:
    """Raise `StateError` unless the store has all rows that the state was made from."""
    seen = LogPoint(*position["point"]) if position is not None else LogPoint("", 0)
    now = follower.source.point
    if seen.epoch != now.epoch:
        raise StateError(
            f"state: file={path}; made with another store or none, or its history was changed "
            "since, as by pruning or restoring; rebuild it"
        )
    if not is_continuation(follower.source.store, seen, now):
        newest = from_us(seen.received).isoformat()
        raise StateError(
            f"state: file={path}; made with rows, received at {newest}, which the store does not "
            "have: another store, or a backup of before was put back; rebuild it"
        )

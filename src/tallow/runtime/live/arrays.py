"""The state of all instruments as named arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from tallow.data.state_file import Arrays
from tallow.runtime.live.core import LiveState
from tallow.runtime.live.lane import Lane

_LANE = ("before", "touched", "shown", "final", "revision")
_MEMORY = ("candles", "first", "next", "told_from")


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
    """Put back a state whose arrays fit; the instruments' calendars are the caller's to set."""
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

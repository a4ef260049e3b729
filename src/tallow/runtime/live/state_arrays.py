"""The state of all instruments as named arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from tallow.data.state_file import Arrays
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.timeframe_state import TimeframeState

_TIMEFRAME = ("before", "touched", "shown", "final", "revision")
_MEMORY = {"candles": "candles", "first": "first", "next": "next", "told_from": "reported_from"}
"""Arrays of the memory by their names in a file, which stay what they are."""


def to_arrays(state: LiveState) -> Arrays:
    """Return the state of all instruments; nothing is copied."""
    arrays = {f"memory/{name}": getattr(state.memory, own) for name, own in _MEMORY.items()}
    arrays |= {f"memory/states/{k}": each for k, each in enumerate(state.memory.snapshots)}
    for timeframe, place in _timeframes(state):
        arrays |= {f"{place}/{name}": getattr(timeframe, name) for name in _TIMEFRAME}
        arrays |= {f"{place}/now/{k}": each for k, each in enumerate(timeframe.now)}
        arrays |= {f"{place}/forming/{k}": each for k, each in enumerate(timeframe.forming)}
    return arrays


def from_arrays(state: LiveState, arrays: Arrays) -> None:
    """Restore a state whose arrays fit; the caller sets the instruments' calendars."""
    for name, own in _MEMORY.items():
        setattr(state.memory, own, arrays[f"memory/{name}"])
    state.memory.snapshots = _listed(arrays, "memory/states")
    for timeframe, place in _timeframes(state):
        for name in _TIMEFRAME:
            setattr(timeframe, name, arrays[f"{place}/{name}"])
        timeframe.now = _listed(arrays, f"{place}/now")
        timeframe.forming = _listed(arrays, f"{place}/forming")


def _timeframes(state: LiveState) -> list[tuple[TimeframeState, str]]:
    return [(each, f"lane/{k}") for k, each in enumerate(state.timeframes)]


def _listed(arrays: Arrays, place: str) -> list[np.ndarray[Any, Any]]:
    count = sum(name.startswith(f"{place}/") for name in arrays)
    return [arrays[f"{place}/{k}"] for k in range(count)]

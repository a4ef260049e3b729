"""The outcome of a call, an answer or an exception, and what follows from an exception."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallow.core.limits import ERROR_CHARACTERS
from tallow.migrate.evidence import Judgement, Observation

LATE = "tallow:late"
"""Used instead of an exception's class: the candidate did not answer in time."""

UNTRIED = "tallow:untried"
"""Likewise: it was not even tried, because other calls of it hang."""

_WAITS = Path("/proc/thread-self/schedstat")


@dataclass(frozen=True)
class CallOutcome:
    """An answer, or an exception as text.

    `value` is the answer, None if there is none. `raised` is the exception's class, such as
    ``builtins.ValueError``, None if there was none; `error` is class and message, such as
    ``ValueError: no candles``. Exceptions themselves are not kept: many cannot be copied to another
    process.
    """

    value: Any = None
    raised: str | None = None
    error: str | None = None


def failed_outcome(error: BaseException) -> CallOutcome:
    """Return the outcome of a call that raised."""
    kind = type(error)
    return CallOutcome(None, f"{kind.__module__}.{kind.__qualname__}", error_text(error))


def error_text(error: BaseException) -> str:
    """Return ``Class: message``, cut to a length that may be stored many times."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - somebody else's __str__
        message = "(its message cannot be read)"
    return f"{type(error).__name__}: {message}"[:ERROR_CHARACTERS]


def time_call(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[CallOutcome, float]:
    """Call a function; return its outcome and the milliseconds it took.

    The time in which this thread waited for a processor is left out where the system reports it: a
    process of low priority often waits, whatever the candidate does.
    """
    began, waited = time.perf_counter(), waited_seconds(_WAITS)
    try:
        # Anything that it raises, SystemExit too, is its outcome.
        outcome = CallOutcome(function(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001
        outcome = failed_outcome(error)
    elapsed = time.perf_counter() - began - (waited_seconds(_WAITS) - waited)
    return outcome, 1e3 * max(elapsed, 0.0)


def waited_seconds(schedstat: Path) -> float:
    """Return the seconds that a thread has waited for a processor; 0 if that is unknown."""
    try:
        return int(schedstat.read_bytes().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def judge_exceptions(
    control: CallOutcome, candidate: CallOutcome
) -> tuple[str | None, Judgement | None]:
    """Return the candidate's error and the judgement, where exceptions decide them.

    The same exception on both sides is agreement: both refuse bad input. None and None if both
    answered, and the answers must be compared.
    """
    if control.raised is None or candidate.raised in (LATE, UNTRIED):
        return candidate.error, None
    if control.raised == candidate.raised:
        return None, Judgement(compared=1, equal=1)
    cause = "NO_EXCEPTION" if candidate.raised is None else "OTHER_EXCEPTION"
    return None, Judgement(compared=1, unexplained=1, causes={cause: 1})


def is_mismatch(observation: Observation) -> bool:
    """Return whether a call is to be kept as a mismatch."""
    judgement = observation.judgement
    wrong = judgement is not None and (judgement.unexplained > 0 or judgement.flips > 0)
    return observation.error is not None or wrong

"""Every error Tallow raises on purpose: one base class, one class per mistake.

A message reads ``what: parameter=value; rule; hint`` so that it can be acted on without the source.
"""

from __future__ import annotations

import difflib
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from tallow.core.limits import (
    KNOWN_SHOWN,
    MESSAGE_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    SHOWN_CHARACTERS,
)
from tallow.core.text import hide_secrets, printable

_MUCH_LESS = 0.15
"""How much less like a name than the nearest one is what a hint leaves out, of 1 for the same."""

_PACKAGE = str(Path(__file__).parent.parent) + os.sep


class TallowError(Exception):
    """Base of all errors raised by Tallow; a message holds no secret, and steers no terminal."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*map(_safe_argument, arguments))


class TallowWarning(UserWarning):
    """Something was assumed, or left out of a result without a report of its own."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*map(_safe_argument, arguments))


class EmptyWarning(TallowWarning):
    """An answer has no bar; the message says why."""


_reads_why_empty: ContextVar[bool] = ContextVar("reads_why_empty", default=False)


@contextmanager
def without_empty_warnings() -> Iterator[None]:
    """Warn of no empty answer in the block: whoever asks there reads `why_empty`, in any thread."""
    token = _reads_why_empty.set(True)
    try:
        yield
    finally:
        _reads_why_empty.reset(token)


def warn_caller(text: str, kind: type[TallowWarning] = TallowWarning) -> None:
    """Warn at the line outside the package that called into it."""
    if kind is EmptyWarning and _reads_why_empty.get():
        return
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, kind, stacklevel=level)


class SpecError(TallowError, ValueError):
    """An indicator's text cannot be read, or names something unknown."""


class UnknownNameError(SpecError):
    """A name is none of an indicator; the message lists names like it."""


class ParameterError(TallowError, ValueError):
    """A parameter is outside what its declaration allows."""


class DeclarationError(TallowError, TypeError):
    """An indicator's declaration contradicts itself or another one."""


class TimeframeError(TallowError, ValueError):
    """A timeframe cannot be read, or cannot be built from the source timeframe."""


class CalendarError(TallowError, ValueError):
    """A calendar is unknown, or its description is wrong."""


class CoverageError(CalendarError):
    """A date lies outside the years that a calendar covers."""


class SessionTimesUnknownError(CalendarError):
    """A session is known to exist, but not when it opens and closes."""


class CandleInputError(TallowError, ValueError):
    """The input cannot be read as candles at all."""


class AllRefusedError(CandleInputError):
    """Every row of an input was quarantined; the message says for which rules."""


class NaiveTimeError(CandleInputError):
    """Times carry no zone, and none was given."""


class StateError(TallowError):
    """A saved state cannot be read, or belongs to another version, plan or calendar."""


class RangeError(TallowError, ValueError):
    """A start, end or instrument filter cannot be read, or selects nothing that exists."""


class UnknownInstrumentError(RangeError):
    """An instrument was asked for by name that is not there; the message lists names like it."""


class ActionError(TallowError, ValueError):
    """A table of corporate actions cannot be read, or contradicts itself or the candles."""


class UniverseError(TallowError, ValueError):
    """A list of members cannot be read or contradicts itself, or no universe has the name."""


class AllFailedError(TallowError):
    """Every instrument of a run failed, so there is no result; the message is the first reason."""


class OutputError(TallowError, OSError):
    """The result cannot be written where it was asked for."""


class StoreError(TallowError, OSError):
    """The store cannot be opened, read or written."""


class DamagedFileError(StoreError):
    """A file of the store is not what its log says; the message names it."""


class ConflictError(StoreError):
    """Others kept committing to the store, and the write gave up; nothing of it was written."""


class RepeatedWriteError(StoreError):
    """A write of the same name has been done already; nothing was written."""


class LostConnectionError(StoreError):
    """The store's database cannot be reached, or ended the connection."""


class KeyFileError(TallowError, OSError):
    """A file of a service's keys cannot be read or written, or is none; or a key is unknown."""


class FeedError(TallowError, OSError):
    """A feed is unknown, cannot be opened, or is used against its rules."""


class EngineError(TallowError, ValueError):
    """A migration's engine is unknown, cannot be loaded, or cannot answer what it was asked."""


class FlagError(TallowError, ValueError):
    """A flag file cannot be read, or one of its flags contradicts itself."""


class RolloutError(TallowError, ValueError):
    """A rollout's plan is wrong, or it cannot do what was asked in the state that it is in."""


class DamagedLogError(RolloutError):
    """A rollout's log was cut or edited: where the rollout stands is not certain."""


class ComparisonError(TallowError, ValueError):
    """Two engines' answers cannot be compared."""


class LeakCheckError(TallowError, ValueError):
    """What is checked for leaks fails, or answers nothing that could be checked."""


class NoBarsError(ComparisonError):
    """Neither of two engines has a bar to compare."""


class ShadowError(TallowError, ValueError):
    """An experiment cannot be run as it was described: its functions, its budget, its share."""


class EvidenceError(TallowError, OSError):
    """The evidence of an experiment, or a mismatch of it, cannot be opened, read or written."""


class AlertError(TallowError, ValueError):
    """A rule, a file of rules, a sink or the record of alerts is not as it must be."""


class ScreenError(TallowError, ValueError):
    """A screen cannot be read or judged; the message says in which column of its text, and why."""


def _safe_argument(message: object) -> object:
    """Return a message that is safe to show; only beginning and end of a very long one."""
    if not isinstance(message, str):
        return message
    left_out = len(message) - MESSAGE_CHARACTERS_MAX
    if left_out > 0:
        half = MESSAGE_CHARACTERS_MAX // 2
        message = f"{message[:half]} ({left_out:,} characters left out) {message[-half:]}"
    return printable(hide_secrets(message))


def near_matches(name: str, known: Iterable[str], behind: Mapping[str, str] | None = None) -> str:
    """Return a hint that lists names like `name`, whatever their case, or what there is.

    Not an alias beside the name `behind` it.
    """
    choices = sorted(known)
    # A longer one is like none; to find that out would take its length times theirs.
    name = name[:NAME_CHARACTERS_MAX]
    plain = {choice.lower(): choice for choice in reversed(choices)}
    near = difflib.get_close_matches(name.lower(), plain, n=3, cutoff=0.5)
    if near:
        like = {m: difflib.SequenceMatcher(None, m, name.lower()).ratio() for m in near}
        found = [plain[m] for m in near if like[m] >= like[near[0]] - _MUCH_LESS]
        named = [(each, (behind or {}).get(each, each)) for each in found]
        shown = dict.fromkeys(own if own in found else each for each, own in named)
        return f"did you mean {' or '.join(shown)}?"
    more = len(choices) - KNOWN_SHOWN
    return f"known: {', '.join(choices[:KNOWN_SHOWN])}{f' and {more} more' if more > 0 else ''}"


def excerpt(value: object) -> str:
    """Return a value as Python writes it, as an error shows it: of a long one, its beginning.

    Examples
    --------
    >>> excerpt("ema(9)")
    "'ema(9)'"
    """
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        more = len(value) - SHOWN_CHARACTERS
        return f"{value[:SHOWN_CHARACTERS]!r} and {more:,} characters more"
    return _written(repr, value)


def shorten(value: object) -> str:
    """Return a value as text, as an error shows it: of a long one, its beginning."""
    return _written(str, value)


def _written(write: Callable[[object], str], value: object) -> str:
    try:
        text = write(value)
    except Exception:  # noqa: BLE001 - Python writes no whole number of thousands of digits
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= 2 * SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."

"""Ends: what was told of, and no longer is so, is told to be over, once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tallow.alerts.alert import OVER, Alert
from tallow.alerts.record import AlertRecord, Turn
from tallow.core.time import to_us

Claim = tuple[str, Alert]
"""The identity of a rule, and an alert."""


def with_ends(
    begun: Sequence[Claim], ended: Sequence[tuple[Turn, datetime]], record: AlertRecord
) -> list[Claim]:
    """Return alerts with those that say that others are over, in the order of time.

    Parameters
    ----------
    begun
        Alerts that are not claimed yet, in the order of time.
    ended
        Where rules no longer hold for instruments, and since when.
    """
    found: dict[str, Claim] = {}
    for turn, moment in ended:
        last = _last(begun, turn) or record.last(turn.identity, turn.instrument)
        if last is not None:
            end = last.ended(moment)
            found.setdefault(end.cause, (identity_of_end(turn.identity), end))
    known = record.known(list(found))
    ends = [each for cause, each in found.items() if cause not in known]
    return sorted([*begun, *ends], key=lambda each: each[1].moment)


def identity_of_end(identity: str) -> str:
    """Return what alerts that say that those of a rule are over are on record by."""
    return f"{identity}:{OVER}"


def _last(begun: Sequence[Claim], turn: Turn) -> Alert | None:
    whose = (turn.identity, turn.instrument)
    alerts = [alert for identity, alert in begun if (identity, alert.instrument) == whose]
    alerts = [each for each in alerts if to_us(each.opened) <= turn.opened]
    return alerts[-1] if alerts else None

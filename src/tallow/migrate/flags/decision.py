"""The migration's flag: whether an instrument's calls are the old engine's, both's or the new's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider import AbstractProvider

Decision = Literal["off", "shadow", "candidate"]
"""Control alone; the control answers and the candidate runs aside; the candidate answers."""

OFF: Decision = "off"


def decide(
    experiment: str, flags: AbstractProvider | OpenFeatureClient
) -> Callable[[str], Decision]:
    """Return what decides about a call by its instrument: an experiment's ``decide``.

    Parameters
    ----------
    experiment
        The flag's key. Its values are ``off``, ``shadow`` and ``candidate``.
    flags
        A provider, asked directly, or OpenFeature's client of whatever provider.

    Returns
    -------
    Callable
        Gives ``off`` wherever the flag is unknown, of other values, or its provider fails.
    """
    is_client = isinstance(flags, OpenFeatureClient)

    def asked(instrument: str) -> str:
        context = EvaluationContext(targeting_key=instrument)
        if is_client:
            return cast(OpenFeatureClient, flags).get_string_value(experiment, OFF, context)
        return cast(AbstractProvider, flags).resolve_string_details(experiment, OFF, context).value

    def decision(instrument: str) -> Decision:
        try:
            value = asked(instrument)
        except Exception:  # noqa: BLE001 - whatever a provider raises, the old engine answers
            return OFF
        return cast(Decision, value) if value in ("shadow", "candidate") else OFF

    return decision

"""The migration's flag: the decision about an instrument's calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider import AbstractProvider

from tallow.migrate.evidence import Decision

OFF: Decision = "off"


def decide(
    experiment: str, flags: AbstractProvider | OpenFeatureClient
) -> Callable[[str], Decision]:
    """Return an experiment's ``decide``, which reads the decision about an instrument's calls.

    Parameters
    ----------
    experiment
        The flag's key. Its values are ``off``, ``shadow`` and ``candidate``.
    flags
        A provider, which is called directly, or OpenFeature's client of any provider.

    Returns
    -------
    Callable
        Returns ``off`` if the flag is unknown or has another value, or its provider fails.
    """
    is_client = isinstance(flags, OpenFeatureClient)

    def read_flag(instrument: str) -> str:
        context = EvaluationContext(targeting_key=instrument)
        if is_client:
            return cast(OpenFeatureClient, flags).get_string_value(experiment, OFF, context)
        return cast(AbstractProvider, flags).resolve_string_details(experiment, OFF, context).value

    def decide_call(instrument: str) -> Decision:
        try:
            value = read_flag(instrument)
        except Exception:  # noqa: BLE001 - if a provider raises anything, the old engine answers
            return OFF
        return cast(Decision, value) if value in ("shadow", "candidate") else OFF

    return decide_call

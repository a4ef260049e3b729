"""Goal: the service answers any request that its OpenAPI describes, and refuses all others, as it
describes.

Method: Schemathesis draws requests, right and wrong ones, to every operation, and checks the
answers against the document.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tallow.service.service import Service
from tests.service.asking import Client

EXAMPLES = 3
NIGHTLY_EXAMPLES = 200
LANGUAGES: list[Any] = [positive_data_acceptance]
"""Texts of timeframes, indicators and screens are languages: a schema cannot say which are read."""


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_finding(service: Service, mode: GenerationMode) -> None:
    service.live.catch_up()
    is_nightly = settings().max_examples > 100
    document: Any = schemathesis.openapi.from_asgi("/openapi.json", Client(service).app)
    reads = document.include(path_regex="^/v1/", method="GET").include(path="/v1/screens")
    operations = [each.ok() for each in reads.get_all_operations()]
    assert len(operations) > 15
    for operation in operations:
        if mode == GenerationMode.NEGATIVE and not any(operation.iter_parameters()):
            continue

        @settings(
            max_examples=NIGHTLY_EXAMPLES if is_nightly else EXAMPLES,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(excluded_checks=LANGUAGES)

        check()

"""Goal: the service answers any request that its OpenAPI describes, and refuses all others, as it
describes.

Method: Schemathesis draws requests, right and wrong ones, to every operation, writes too, and
checks the answers against the document. The service is one of its own, with a rollout to lead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tallow.migrate.rollout.plan import EXAMPLE
from tallow.service.service import Service
from tests.service.asking import Client
from tests.service.conftest import compute_here, opened
from tests.sizes import sized

LANGUAGES: list[Any] = [positive_data_acceptance]
"""Texts of timeframes, indicators, screens and candles are languages: a schema cannot say which are
read."""


@pytest.fixture(scope="module")
def service(market: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("openapi")
    plan = folder / "rollout.toml"
    plan.write_text(EXAMPLE)
    with opened(market, folder / "candles", rollout=plan) as service:
        service.live.catch_up()
        compute_here(service)
        yield service


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_finding(service: Service, mode: GenerationMode) -> None:
    document: Any = schemathesis.openapi.from_asgi("/openapi.json", Client(service).app)
    operations = [each.ok() for each in document.get_all_operations()]
    assert {each.method for each in operations} == {"get", "post", "put"}
    for operation in operations:
        if mode == GenerationMode.NEGATIVE and not (
            any(operation.iter_parameters()) or list(operation.body)
        ):
            continue

        @settings(max_examples=sized(3, 200), suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(excluded_checks=LANGUAGES)

        check()

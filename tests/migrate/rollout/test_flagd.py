"""Goal: a rollout's decisions can come from flagd instead of the file.

Method: flagd's own provider, in the process and without a server, on a file of its format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType

from tallow.migrate.flags import decide

SPLIT = {"fractional": [["candidate", 50], ["shadow", 50]]}
OWN = {"if": [{"==": [{"var": "targetingKey"}, "A"]}, "off", SPLIT]}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "flags.json"
    values = {name: name for name in ("off", "shadow", "candidate")}
    flag = {"state": "ENABLED", "variants": values, "defaultVariant": "off", "targeting": OWN}
    path.write_text(json.dumps({"flags": {"engine": flag}}))
    yield path
    api.clear_providers()


def test_decisions_come_from_flagd(path: Path) -> None:
    provider = FlagdProvider(
        resolver_type=ResolverType.FILE, offline_flag_source_path=str(path), deadline_ms=200
    )
    api.set_provider_and_wait(provider, "flagd")
    decision = decide("engine", api.get_client("flagd"))
    decisions = [decision(f"K{number}") for number in range(400)]
    assert decisions == [decision(f"K{number}") for number in range(400)]
    assert abs(decisions.count("candidate") - 200) < 50
    assert decisions.count("candidate") + decisions.count("shadow") == 400
    assert decision("A") == "off"
    assert decide("unknown", api.get_client("flagd"))("A") == "off"

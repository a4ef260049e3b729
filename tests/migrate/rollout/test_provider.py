"""Goal: the file provider keeps OpenFeature's rules, follows its file, and never breaks a call.

Method: the file is replaced, edited in place, cut, deleted and put back while a provider uses it;
each kind of value is asked for as each type, directly and through OpenFeature's client.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason
from openfeature.provider import ProviderStatus

from tallow.migrate.flags import FileProvider, decide
from tallow.migrate.flags.setting import Setting, write_setting

VALUES = {"boolean": True, "string": "on", "integer": 3, "float": 0.5, "object": {"a": [1]}}
DEFAULTS = {"boolean": False, "string": "d", "integer": 0, "float": 0.0, "object": {}}
KEYS = [f"K{number}" for number in range(50)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "flags.json"
    flags: dict[str, dict] = {
        name: {"variants": {"it": value}, "default": "it", "metadata": {"owner": "desk"}}
        for name, value in VALUES.items()
    }
    flags["split"] = {"variants": {"a": "A", "b": "B"}, "default": "a", "share": {"b": 50}}
    flags["own"] = {"variants": {"a": "A", "b": "B"}, "default": "a", "instruments": {"K": "b"}}
    flags["disabled"] = {"variants": {"a": "A"}, "default": "a", "enabled": False}
    flags["number"] = {"variants": {"low": 1, "high": 1.5}, "default": "low"}
    path.write_text(json.dumps({"flags": flags}))
    return path


@pytest.fixture
def client(path: Path) -> Iterator[OpenFeatureClient]:
    api.set_provider_and_wait(FileProvider(path), "test")
    yield api.get_client("test")
    api.clear_providers()


def settle(path: Path) -> None:
    """Make a file look as if it was left alone for a while."""
    long_ago = path.stat().st_mtime - 10
    os.utime(path, (long_ago, long_ago))


@pytest.mark.parametrize("asked", VALUES)
@pytest.mark.parametrize("flag", VALUES)
def test_each_type_gets_its_own_values_only(
    client: OpenFeatureClient, flag: str, asked: str
) -> None:
    details = getattr(client, f"get_{asked}_details")(flag, DEFAULTS[asked])
    if flag == asked or (flag, asked) == ("integer", "float"):
        assert (details.value, details.reason) == (VALUES[flag], Reason.STATIC)
        assert (details.variant, details.flag_metadata) == ("it", {"owner": "desk"})
        assert type(details.value) is type(DEFAULTS[asked])
    else:
        assert (details.value, details.reason) == (DEFAULTS[asked], Reason.ERROR)
        assert details.error_code == ErrorCode.TYPE_MISMATCH


def test_reasons_are_openfeatures(client: OpenFeatureClient) -> None:
    def reason(flag: str, target: str | None = None) -> tuple[str, str | None]:
        details = client.get_string_details(flag, "d", EvaluationContext(targeting_key=target))
        return details.value, str(details.error_code or details.reason)

    assert {reason("split", key) for key in KEYS} == {("A", "SPLIT"), ("B", "SPLIT")}
    assert reason("split") == ("d", "TARGETING_KEY_MISSING")
    assert reason("own", "K") == ("B", "TARGETING_MATCH")
    assert reason("own", "L") == reason("own") == ("A", "DEFAULT")
    assert reason("disabled", "K") == ("d", "DISABLED")
    assert reason("unknown", "K") == ("d", "FLAG_NOT_FOUND")


def test_a_replaced_file_counts_at_the_next_call(tmp_path: Path) -> None:
    path = tmp_path / "flags.toml"
    provider = FileProvider(path)
    for share in (100.0, 0.0, 100.0, 0.0):
        write_setting(path, "engine", Setting("shadow", share))
        expected = "candidate" if share else "shadow"
        assert {decide("engine", provider)(key) for key in KEYS} == {expected}


def test_a_file_edited_in_place_counts_when_it_was_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "flags.toml"
    write_setting(path, "engine", Setting("shadow", 100))
    settle(path)
    decision = decide("engine", FileProvider(path))
    assert decision("K") == "candidate"
    text = path.read_text()
    # A half-written file that is valid by accident: a share of 10 instead of 100.
    path.write_text(text.replace("100", "10"))
    assert decision("K") == "candidate"
    path.write_text(text.replace("100", "0"))
    settle(path)
    assert decision("K") == "shadow"


@pytest.mark.parametrize("harm", ["cut", "deleted", "empty", "wrong", "not text"])
def test_a_bad_file_leaves_the_last_good_one_in_effect(path: Path, harm: str) -> None:
    provider, good = FileProvider(path), path.read_bytes()
    assert provider.problem is None
    aside = path.with_name("aside")
    aside.write_bytes(good[: len(good) // 2] if harm == "cut" else b"\xff" * (harm == "not text"))
    if harm == "wrong":
        aside.write_bytes(good.replace(b'"default": "it"', b'"default": "that"'))
    aside.replace(path)
    if harm == "deleted":
        path.unlink()
    details = provider.resolve_string_details("string", "d")
    assert (details.value, details.reason) == ("on", Reason.STALE)
    assert path.name in str(provider.problem)
    path.write_bytes(good)
    settle(path)
    assert provider.resolve_string_details("string", "d").reason == Reason.STATIC
    assert provider.problem is None


def test_a_file_that_comes_back_as_it_was_is_good_again(path: Path) -> None:
    settle(path)
    provider = FileProvider(path)
    problems = [provider.problem]
    path.rename(path.with_name("away"))
    problems.append(provider.problem)
    path.with_name("away").rename(path)
    problems.append(provider.problem)
    assert [problem is None for problem in problems] == [True, False, True]


def test_without_a_file_the_default_is_the_answer_until_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "flags.toml"
    provider = FileProvider(path)
    api.set_provider(provider, "late")
    try:
        client = api.get_client("late")
        decision = decide("engine", client)
        details = client.get_string_details("engine", "off")
        assert (decision("K"), details.reason) == ("off", Reason.ERROR)
        write_setting(path, "engine", Setting("shadow", 100))
        # OpenFeature's own start may lag behind; the provider does not.
        assert decide("engine", provider)("K") == "candidate"
    finally:
        api.clear_providers()


def test_whatever_a_provider_does_the_old_engine_answers(path: Path) -> None:
    class Broken(FileProvider):
        def resolve_string_details(self, *_args, **_kwargs):
            raise OSError("no")

    assert decide("engine", Broken(path))("K") == "off"
    assert decide("string", FileProvider(path))("K") == "off"
    assert decide("boolean", FileProvider(path))("K") == "off"
    assert decide("unknown", api.get_client("nobody"))("K") == "off"


def test_changes_are_told_by_events(path: Path, client: OpenFeatureClient) -> None:
    told: dict[ProviderEvent, threading.Event] = {}
    changed: list[EventDetails] = []
    for event in (
        ProviderEvent.PROVIDER_CONFIGURATION_CHANGED,
        ProviderEvent.PROVIDER_STALE,
        ProviderEvent.PROVIDER_READY,
    ):
        told[event] = threading.Event()

        def handle(details: EventDetails, event: ProviderEvent = event) -> None:
            changed.append(details)
            told[event].set()

        client.add_handler(event, handle)
    told[ProviderEvent.PROVIDER_READY].clear()
    good = path.read_text()

    def replaced(text: str) -> None:
        path.with_name("aside").write_text(text)
        path.with_name("aside").replace(path)

    replaced("{")
    assert told[ProviderEvent.PROVIDER_STALE].wait(30)
    assert client.get_provider_status() == ProviderStatus.STALE
    replaced(good.replace('"on"', '"off"'))
    assert told[ProviderEvent.PROVIDER_CONFIGURATION_CHANGED].wait(30)
    assert told[ProviderEvent.PROVIDER_READY].wait(30)
    assert ["string"] in [details.flags_changed for details in changed]


def test_threads_see_a_change_once_and_for_all(tmp_path: Path) -> None:
    path = tmp_path / "flags.toml"
    write_setting(path, "engine", Setting("shadow", 100))
    decision = decide("engine", FileProvider(path))
    off, wrong = threading.Event(), []

    def serve() -> None:
        for _ in range(2_000):
            was_off = off.is_set()
            if decision("K") != "off" and was_off:
                wrong.append("K")

    threads = [threading.Thread(target=serve) for _ in range(4)]
    for thread in threads:
        thread.start()
    write_setting(path, "engine", Setting("off"))
    off.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_another_process_sees_a_change(tmp_path: Path) -> None:
    path = tmp_path / "flags.toml"
    write_setting(path, "engine", Setting("shadow", 10))
    code = """
import sys
from tallow.migrate.flags import FileProvider, decide
decision = decide("engine", FileProvider(sys.argv[1]))
for line in sys.stdin:
    keys = line.strip().split(",")
    print(",".join(key for key in keys if decision(key) == "candidate"), flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        for share in (10, 50, 0):
            write_setting(path, "engine", Setting("shadow", share))
            process.stdin.write(",".join(KEYS) + "\n")
            process.stdin.flush()
            own = decide("engine", FileProvider(path))
            expected = [key for key in KEYS if own(key) == "candidate"]
            assert process.stdout.readline().strip() == ",".join(expected)

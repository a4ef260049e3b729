"""Goal: the log has one vocabulary, names requests, hides secrets, and repeats itself in bounds.

Method: events are logged in a process of its own, as text and as JSON; a request goes through the
log of requests by an application that fails.
"""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog

import tallow
from tallow.service.logs import EVENTS, REPEATS_MAX, REPEATS_SECONDS, Repeats
from tallow.service.measures import Measures
from tallow.service.request_log import RequestLog

SOURCES = Path(tallow.__file__).parent

PROGRAM = """
import logging, sys
from tallow.service.logs import configure_logs, log_event
configure_logs(sys.argv[1])
log_event("started", feed="redis://me:hunter2@host/0?stream=a", text='a "b"')
logging.getLogger("uvicorn.error").error("bad request from wss://me:hunter2@host")
try:
    raise ValueError("from wss://me:hunter2@host")
except ValueError:
    log_event("error", kind="internal", exc_info=True)
"""


def logged(form: str) -> str:
    command = [sys.executable, "-c", PROGRAM, form]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr


def test_json_lines_have_events_of_all_and_no_secrets() -> None:
    text = logged("json")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(each["level"], each["event"]) for each in lines] == [
        ("info", "started"),
        ("error", "error"),
        ("error", "error"),
    ]
    assert lines[0]["feed"] == "redis://host/0?stream=a"
    assert lines[1]["text"] == "bad request from wss://host"
    assert lines[2]["exception"].endswith("ValueError: from wss://host")
    assert "hunter2" not in text


def test_text_lines_begin_with_time_level_and_event() -> None:
    lines = logged("text").splitlines()
    words = lines[0].split(" ", 1)[1]
    assert words == r'info    started feed="redis://host/0?stream=a" text="a \"b\""'
    assert "Traceback (most recent call last):" in lines


def test_events_that_repeat_are_left_out_and_counted() -> None:
    now = 0.0
    repeats = Repeats(lambda: now)

    def passed(event: str, kind: str = "") -> dict[str, Any] | None:
        try:
            return dict(repeats(None, "info", {"event": event, "kind": kind}))
        except structlog.DropEvent:
            return None

    found = [passed("error", "store") for _ in range(REPEATS_MAX + 3)]
    assert [each is None for each in found] == [False] * REPEATS_MAX + [True] * 3
    assert passed("error", "feed") is not None
    now = REPEATS_SECONDS
    again = passed("error", "store")
    assert again is not None
    assert again["left_out"] == 3
    assert "left_out" not in (passed("error", "store") or {})


def test_every_event_in_the_code_is_in_the_vocabulary() -> None:
    found = set()
    for path in (*SOURCES.glob("service/**/*.py"), *SOURCES.glob("serve/*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "log_event":
                assert isinstance(node.args[0], ast.Constant)
                found.add(node.args[0].value)
    # What the server says becomes an event where it is logged.
    assert found | {"server", "alert"} == set(EVENTS)


@pytest.mark.parametrize(
    ("given", "named"), [("abc-1", "abc-1"), ("a b\n", None), ("x" * 65, None), ("", None)]
)
def test_a_request_keeps_a_good_name_and_is_given_one_for_a_bad_one(
    given: str, named: str | None
) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})

    headers, _ = asked(app, given)
    assert headers[b"x-request-id"].decode() == (named or headers[b"x-request-id"].decode())
    assert (headers[b"x-request-id"].decode() == given) == (named is not None)


def test_a_failed_request_is_counted_and_logged_with_its_name() -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ValueError("broken")

    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        _, measures = asked(app, "abc")
    assert [(each["event"], each["kind"]) for each in lines] == [("error", "internal")]
    assert (lines[0]["request_id"], lines[0]["path"]) == ("abc", "/v1/x")
    assert measures.counts("errors", ["internal", "request"]) == {"internal": 1, "request": 1}
    assert measures.counts("requests", ["5xx"]) == {"5xx": 1}


def asked(app: Any, name: str) -> tuple[dict[bytes, bytes], Measures]:
    """Return the headers of an application's answer, and what was measured."""
    measures, sent = Measures(), []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/x",
        "headers": [(b"x-request-id", name.encode())],
    }

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    asyncio.run(RequestLog(app, measures, slow_seconds=60.0)(scope, receive, send))
    return dict(sent[0]["headers"]) if sent else {}, measures

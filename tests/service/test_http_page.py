"""Goal: the requests that the page about HTTP shows are answered.

Method: its commands are read as a shell reads them, and asked of an application in this process.
"""

from __future__ import annotations

import itertools
import json
import shlex
from typing import Any
from urllib.parse import quote, urlsplit

import polars as pl
import pytest

from tallow.service.service import Service
from tests.pages import ROOT, blocks, commands
from tests.service.asking import Client

SHOWN = quote("NSE_EQ|INE001A01010", safe="")
COMMANDS = [
    command
    for language, text in blocks(ROOT / "docs" / "http.md")
    if language == "bash"
    for command in commands(text)
]


def test_the_commands_are_found() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("command", COMMANDS)
def test_a_request_is_answered(service: Service, market: pl.DataFrame, command: str) -> None:
    service.live.catch_up()
    name = quote(str(market["instrument"][0]), safe="")
    words = shlex.split(command)
    (url,) = (urlsplit(each.replace(SHOWN, name)) for each in words if each.startswith("http"))
    options = dict(itertools.pairwise(words))
    header, _, value = options.get("-H", "X: none").partition(": ")
    asked: dict[str, Any] = {"headers": {header: value}}
    if "-d" in options:
        asked |= {"json": json.loads(options["-d"])}
    path = f"{url.path}?{url.query}" if url.query else url.path
    if "--data-urlencode" in options:
        key, _, text = options["--data-urlencode"].partition("=")
        path = f"{path}?{key}={quote(text)}"
    answer = Client(service).ask("POST" if "-d" in options else "GET", path, **asked)
    assert answer.status_code == 200, answer.text

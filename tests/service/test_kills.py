"""Goal: `kill -9` loses nothing that was acknowledged, and each key is done and answered once.

Method: threads write to the real program, each request with a key of its own; it is killed in the
middle and started again, and every request that was ever sent is sent again. What was answered
before the kill is answered with the same bytes; the ledger has one entry for each key, and the log
one revision of each candle.
"""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import httpx
import pytest

from tallow.data.store.store import open_store
from tests.service.program import running

WRITERS = 8
MINUTES = 300
OPENS = 1_752_810_300_000
"""09:15 in Mumbai on 2025-07-18, in milliseconds since 1970 UTC."""


class Writer:
    """A client that writes minute after minute of its own instrument, one request each."""

    def __init__(self, number: int) -> None:
        self.name, self.sent = f"W{number}", 0
        self.answers: dict[int, bytes] = {}

    def body(self, minute: int) -> str:
        candle = {"instrument": self.name, "timestamp": OPENS + 60_000 * minute, "volume": 1}
        return json.dumps([candle | {"open": 2, "high": 3, "low": 1, "close": 2}])

    def send(self, client: httpx.Client, minute: int) -> bytes:
        headers = {"Idempotency-Key": f"{self.name}/{minute}", "Content-Type": "application/json"}
        answer = client.post("/v1/candles", content=self.body(minute), headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.content

    def go_on(self, url: str, acknowledged: threading.Semaphore) -> None:
        """Write until the program is gone."""
        try:
            with httpx.Client(base_url=url, timeout=30) as client:
                while self.sent < MINUTES:
                    self.sent += 1
                    self.answers[self.sent - 1] = self.send(client, self.sent - 1)
                    acknowledged.release()
        except httpx.TransportError:
            pass

    def repeat(self, url: str) -> None:
        """Send again all that was ever sent, the newest first."""
        with httpx.Client(base_url=url, timeout=30) as client:
            for minute in reversed(range(self.sent)):
                again = self.send(client, minute)
                assert again == self.answers.setdefault(minute, again), (self.name, minute)


def killed_once(store: Path, writers: list[Writer], after: int) -> None:
    """Run the program, kill it after so many acknowledgements, and repeat all with another."""
    options = ("--store", str(store), "-t", "1m", "-i", "ema(2)")
    acknowledged = threading.Semaphore(0)
    with ThreadPoolExecutor(WRITERS) as threads:
        with running(*options) as (program, url):
            done = [threads.submit(writer.go_on, url, acknowledged) for writer in writers]
            for _ in range(after):
                assert acknowledged.acquire(timeout=60)
            program.kill()
            program.wait()
            for each in done:
                each.result()
        with running(*options) as (_, url):
            for repeated in [threads.submit(writer.repeat, url) for writer in writers]:
                repeated.result()


def check(store: Path, writers: list[Writer]) -> None:
    sent = sum(writer.sent for writer in writers)
    with open_store(store) as opened:
        log, entries = opened.log(), opened.ledger.entries()
    assert sorted(log.select("instrument", "timestamp").unique().rows()) == sorted(
        log.select("instrument", "timestamp").rows()
    )
    assert (len(log), len(entries), entries["new"].sum()) == (sent, sent, sent)
    answers = [json.loads(text) for writer in writers for text in writer.answers.values()]
    assert sorted(each["entry"] for each in answers) == sorted(entries["id"])
    assert {each["new"] for each in answers} == {1}


def test_a_kill_under_load(tmp_path: Path) -> None:
    writers = [Writer(number) for number in range(WRITERS)]
    killed_once(tmp_path / "candles", writers, after=60)
    check(tmp_path / "candles", writers)


@pytest.mark.nightly
def test_kills_under_load(tmp_path: Path) -> None:
    random = Random(os.environ.get("TALLOW_SEED", "7"))
    writers = [Writer(number) for number in range(WRITERS)]
    for _ in range(20):
        killed_once(tmp_path / "candles", writers, after=random.randint(1, 100))
        check(tmp_path / "candles", writers)

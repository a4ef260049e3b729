"""Goal: a service says whether it is alive and ready, and has the metrics that are declared.

Method: one real program with the candles of a small file as its feed; what it exposes is read by
prometheus-client's own parser, and held against the declarations and their page.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from websockets import Subprotocol
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tallow.serve.metrics_page import metrics_page
from tallow.service.metrics import FAMILIES, PREFIX
from tests.service.inside import wait_until
from tests.service.program import free_port, served

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
CANDLES = 6


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a feed of six candles, the last of which is wrong."""
    folder = tmp_path_factory.mktemp("operations")
    minutes = [f"2025-07-18T09:{15 + n}:00+05:30" for n in range(CANDLES)]
    prices = {name: [100.0] * CANDLES for name in ("open", "high", "low", "close")}
    prices["high"][-1] = 90.0
    pl.DataFrame({"instrument": "A", "timestamp": minutes, **prices, "volume": 1.0}).write_csv(
        folder / "candles.csv"
    )
    settings = folder / "serve.toml"
    settings.write_text(f"""
        store = "{folder / "store"}"
        feed = "replay:{folder / "candles.csv"}"
        speed = 0
        timeframes = ["1m", "5m"]
        indicators = "ema(2)"
        """)
    with served("--config", str(settings)) as found:
        yield found


def read(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def metrics(url: str) -> dict[str, Metric]:
    text = read(f"{url}/metrics")[1].decode()
    return {each.name: each for each in text_string_to_metric_families(text)}


def value(url: str, name: str, **labels: str) -> float:
    samples = [sample for family in metrics(url).values() for sample in family.samples]
    return next(each.value for each in samples if (each.name, each.labels) == (name, labels))


def test_the_families_declared_are_those_exposed(url: str) -> None:
    declared = {PREFIX + each.name.removesuffix("_total"): each.kind for each in FAMILIES}
    assert {name: each.type for name, each in metrics(url).items()} == declared


def test_no_label_is_an_instrument(url: str) -> None:
    labels = {each.name.removesuffix("_total"): each.label for each in FAMILIES}
    for name, family in metrics(url).items():
        for sample in family.samples:
            assert set(sample.labels) - {"le"} <= {labels[name.removeprefix(PREFIX)]}


def test_metrics_count_what_came_in(url: str) -> None:
    wait_until(lambda: value(url, "tallow_candles_in_total") >= CANDLES)
    assert value(url, "tallow_candles_in_total") == CANDLES
    assert value(url, "tallow_quarantined_total") == 1
    assert value(url, "tallow_instruments") == 1
    assert value(url, "tallow_processing_seconds_count", stage="update") >= CANDLES - 1
    assert value(url, "tallow_durable_seconds_count") >= CANDLES - 1


def test_the_page_of_metrics_is_what_the_declarations_say() -> None:
    assert PAGE.read_text("utf-8") == metrics_page()


def test_it_is_ready_after_a_replay_and_says_that_it_is_over(url: str) -> None:
    assert read(f"{url}/healthz") == (200, b'{"status":"ok"}')
    wait_until(lambda: b"notes" in read(f"{url}/readyz")[1])
    assert value(url, "tallow_feed_connected") == 0
    said = {"status": "ready", "notes": ["feed: was read to its end"]}
    assert (read(f"{url}/readyz")[0], json.loads(read(f"{url}/readyz")[1])) == (200, said)


def test_clients_of_the_stream_are_counted_and_those_that_were_dropped(url: str) -> None:
    with connect(
        f"{url.replace('http', 'ws')}/v1/stream", subprotocols=[Subprotocol("tallow.v1")]
    ) as client:
        client.recv(timeout=10)
        assert value(url, "tallow_clients") == 1
        with contextlib.suppress(ConnectionClosed):
            for _ in range(100):
                client.send("no JSON")
                client.recv(timeout=10)
    wait_until(lambda: value(url, "tallow_clients") == 0)
    assert value(url, "tallow_client_drops_total", reason="errors") == 1
    assert value(url, "tallow_client_drops_total", reason="slow") == 0


@pytest.fixture
def prometheus(url: str, tmp_path: Path) -> Iterator[str]:
    """Run a Prometheus that scrapes the service every second; give its URL."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no Prometheus is installed (Debian's package: prometheus)")
    config, address = tmp_path / "prometheus.yml", f"127.0.0.1:{free_port()}"
    jobs = [{"job_name": "tallow", "static_configs": [{"targets": [url.removeprefix("http://")]}]}]
    # JSON is YAML.
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    command += [f"--web.listen-address={address}", "--log.level=error"]
    with subprocess.Popen(command) as process:
        try:
            yield f"http://{address}"
        finally:
            process.terminate()


def test_a_prometheus_scrapes_it(url: str, prometheus: str) -> None:
    wait_until(lambda: value(url, "tallow_candles_in_total") == CANDLES)

    def found(query: str) -> list[str]:
        try:
            status, answer = read(f"{prometheus}/api/v1/query?query={query}")
        except urllib.error.URLError:
            return []
        # It listens before it is ready, and says so.
        found = json.loads(answer)["data"]["result"] if status == 200 else []
        return [each["value"][1] for each in found]

    wait_until(lambda: found("tallow_candles_in_total") == [str(CANDLES)])
    assert found("tallow_revisions_total") == ["0"] * 3
    assert found("tallow_durable_seconds_count") == [
        f"{value(url, 'tallow_durable_seconds_count'):g}"
    ]

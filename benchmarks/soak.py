"""A soak: a service under load for long, with its memory flat and nothing lost.

``python -m benchmarks.soak --minutes 30``: the program `tallow serve` is written to over HTTP, a
candle of each instrument a second (60 times real time), while clients in another process follow its
stream and ranges are asked for. At its end all that was acknowledged must be in the store, each
client must have been told each candle, and memory and open files must be what they were.
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.stream import EACH, MINUTE, START, Readers
from tallow.client import Client, ServiceError, UnreachableError
from tallow.data.simulate import simulated_key
from tallow.data.store.store import open_store

WRITES_A_SECOND, RANGES_A_SECOND = 10, 20
SAMPLE_SECONDS = 5.0
DAY = "2025-06-02"
"""Of the first candles."""

GROWTH_MAX, GROWTH_BYTES = 1.05, 16_000_000
"""Memory is flat if its median in the last third is within these of that in the middle third."""

FLAT_MINUTES = 10.0
"""A shorter soak says nothing of memory: caches and the live engine's candles still grow."""

DRAIN_SECONDS, COMPILE_SECONDS_MAX = 5.0, 300.0


@dataclass(frozen=True)
class Size:
    """How long and how much."""

    minutes: float
    instruments: int
    clients: int


@dataclass
class Load:
    """What was done to the service, and how it took it."""

    acknowledged: int = 0
    again: int = 0
    write_seconds: list[float] = field(default_factory=list)
    range_seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)


def candles(second: int, names: list[str], first: int) -> pl.DataFrame:
    """Return a minute's candles of some instruments; the volume of each is its number, from 1."""
    draw = np.random.default_rng((second, first))
    closes = 100.0 + draw.random((len(names), 2)).round(2)
    opened = pl.Series("timestamp", [START + second * MINUTE] * len(names))
    return pl.DataFrame(
        {
            "instrument": names,
            "timestamp": opened.cast(pl.Datetime("us", "UTC")),
            "open": closes[:, 0],
            "high": closes.max(axis=1),
            "low": closes.min(axis=1),
            "close": closes[:, 1],
            "volume": np.arange(first + 1.0, first + len(names) + 1.0),
        }
    )


def write(url: str, names: list[str], until: float, load: Load) -> None:
    """Write a part of the instruments at a time; what is not answered is sent again."""
    parts, began, part = np.array_split(np.arange(len(names)), WRITES_A_SECOND), time.monotonic(), 0
    with Client(url) as client:
        while time.monotonic() < until or part % WRITES_A_SECOND:
            second, place = divmod(part, WRITES_A_SECOND)
            some = [names[each] for each in parts[place]]
            # The first second was written at the beginning.
            second += 1
            frame = candles(second, some, second * len(names) + int(parts[place][0]))
            time.sleep(max(0.0, began + part / WRITES_A_SECOND - time.monotonic()))
            sent = time.monotonic()
            _write_until_acknowledged(client, frame, f"soak-{part}", load)
            load.write_seconds.append(time.monotonic() - sent)
            load.acknowledged += len(frame)
            part += 1


def _write_until_acknowledged(client: Client, frame: pl.DataFrame, key: str, load: Load) -> None:
    while True:
        try:
            client.write(frame, key=key)
        except (ServiceError, UnreachableError) as error:
            load.again += 1
            load.failures.append(str(error))
            time.sleep(0.1)
        else:
            return


def ask(url: str, names: list[str], until: float, load: Load) -> None:
    """Ask for ranges of one instrument after the other."""
    began, count = time.monotonic(), 0
    with Client(url) as client:
        while time.monotonic() < until:
            time.sleep(max(0.0, began + count / RANGES_A_SECOND - time.monotonic()))
            sent = time.monotonic()
            try:
                client.candles(names[count % len(names)], "5m", start=DAY, end=DAY)
            except (ServiceError, UnreachableError) as error:
                load.failures.append(str(error))
            load.range_seconds.append(time.monotonic() - sent)
            count += 1


def sample(url: str, _names: list[str], until: float, load: Load) -> None:
    """Note memory and open files now and then."""
    with Client(url) as client:
        while time.monotonic() < until:
            text = client._http.get("/metrics").text
            found = {each.name: each for each in text_string_to_metric_families(text)}
            load.memory.append(found["tallow_memory_bytes"].samples[0].value)
            load.files.append(found["tallow_open_files"].samples[0].value)
            time.sleep(min(SAMPLE_SECONDS, max(0.0, until - time.monotonic())))


@contextmanager
def program(folder: Path) -> Iterator[str]:
    """Run `tallow serve` on a free port; give its URL; end it as an operator does."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    settings = folder / "serve.toml"
    settings.write_text(f'store = "{folder / "store"}"\ncalendar = "24/7"\nport = {port}\n')
    command = [sys.executable, "-m", "tallow", "serve", "--config", str(settings)]
    log = folder / "log.txt"
    with log.open("w") as lines, subprocess.Popen(command, stderr=lines) as process:
        while " listening " not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0, log.read_text()


def _begin(url: str, names: list[str], load: Load) -> None:
    """Write a first candle of all, and ask for a first range: kernels may be compiled for both."""
    with Client(url, timeout=COMPILE_SECONDS_MAX) as client:
        client.write(candles(0, names, 0))
        client.candles(names[0], "5m", start=DAY, end=DAY)
    load.acknowledged = len(names)


def soak(size: Size, folder: Path) -> list[str]:
    """Run the load, print what came of it, and return what is wrong."""
    names, load = [simulated_key(number) for number in range(size.instruments)], Load()
    each = min(EACH, len(names))
    with program(folder) as url, Readers(int(url.rpartition(":")[2])) as readers:
        asked = [
            {
                "type": "subscribe",
                "id": "a",
                "instruments": [names[(k * each + j) % len(names)] for j in range(each)],
                "timeframes": ["1m"],
            }
            for k in range(size.clients)
        ]
        _begin(url, names, load)
        readers.connect(asked, "/v1/stream")
        readers.ask("clear")
        until = time.monotonic() + 60.0 * size.minutes
        work = [
            threading.Thread(target=do, args=(url, names, until, load))
            for do in (write, ask, sample)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        time.sleep(DRAIN_SECONDS)
        told = readers.ask("look")
    with open_store(folder / "store") as store:
        kept = int(store.series()["candles"].sum())
    # The first candles were there before the clients.
    wanted = (load.acknowledged - len(names)) * size.clients * each // len(names)
    _print(size, load, kept, told, wanted)
    return _wrong(size, load, kept, told, wanted)


def _print(size: Size, load: Load, kept: int, told: dict[str, int], wanted: int) -> None:
    _line("candles acknowledged", load.acknowledged)
    _line("candles in the store", kept)
    _line("rows told, each candle's at least once", told["rows"], f"of {wanted:,}")
    _line("requests that were sent again or failed", len(load.failures), *load.failures[:1])
    for what, seconds in (("write", load.write_seconds), ("range", load.range_seconds)):
        worst = f"p99 {np.quantile(seconds, 0.99) * 1e3:.1f}, worst {max(seconds) * 1e3:.0f}"
        _line(f"milliseconds of a {what}", f"{median(seconds) * 1e3:.1f}", worst)
    middle, last = thirds(load.memory)
    _line("memory, middle and last third", f"{middle / 1e6:,.0f} MB", f"{last / 1e6:,.0f} MB")
    middle, last = thirds(load.files)
    _line("open files, likewise", f"{middle:g}", f"{last:g}")


def _line(what: str, *values: object) -> None:
    shown = [f"{each:,}" if isinstance(each, int) else str(each) for each in values]
    print(f"{what:<42} {shown[0]:>12}  {', '.join(shown[1:])}")


def thirds(samples: list[float]) -> tuple[float, float]:
    """Return the medians of the middle and the last third."""
    third = max(1, len(samples) // 3)
    return median(samples[-2 * third : -third] or samples), median(samples[-third:])


def _wrong(size: Size, load: Load, kept: int, told: dict[str, int], wanted: int) -> list[str]:
    wrong = []
    if kept != load.acknowledged:
        wrong.append(f"the store has {kept:,} candles, and {load.acknowledged:,} are acknowledged")
    if told["rows"] < wanted or told["resyncs"]:
        wrong.append(f"clients were told {told['rows']:,} rows, and {told['resyncs']} resyncs")
    if load.failures:
        wrong.append(f"{len(load.failures)} requests failed: {load.failures[0]}")
    if size.minutes >= FLAT_MINUTES:
        middle, last = thirds(load.memory)
        if last > max(middle * GROWTH_MAX, middle + GROWTH_BYTES):
            wrong.append(f"memory rose from {middle / 1e6:,.0f} to {last / 1e6:,.0f} MB")
        middle, last = thirds(load.files)
        if last > middle + 2:
            wrong.append(f"open files rose from {middle:g} to {last:g}")
    return wrong


def main(arguments: list[str] | None = None) -> int:
    """Run a soak of a size, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--instruments", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=100)
    size = Size(**vars(parser.parse_args(arguments)))
    with TemporaryDirectory() as folder:
        wrong = soak(size, Path(folder))
    print("\n".join(wrong) or "nothing lost")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

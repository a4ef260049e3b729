"""`tallow serve --demo`: a service that has a market, with a history and sessions to come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast
from urllib.parse import quote

import polars as pl

from tallow.core.calendars import load_calendar
from tallow.core.errors import ParameterError
from tallow.data.simulate import simulate_blocks, simulated_key
from tallow.data.store.store import Store, open_store
from tallow.serve.demo import CALENDAR, LAST_SESSION, first_session
from tallow.serve.wording import say
from tallow.service.settings import ServiceSettings

STORE = str(Path("tallow-demo", "service"))
"""Where the demo's candles are kept, where no other store is named."""

INSTRUMENTS, HISTORY, TO_COME = 20, 10, 10
"""Sessions of the history, and to be replayed."""


@contextmanager
def with_market(settings: ServiceSettings) -> Iterator[ServiceSettings]:
    """Give settings with a market: its history is in the store, and the feed goes on after it.

    `ParameterError` if the store has other candles, or was replayed to the end.
    """
    if settings.feed is not None:
        raise ParameterError(f"serve: feed={settings.feed}; the demo has its own; leave it out")
    store = settings.store if "store" in settings.model_fields_set else STORE
    rest = _fill(store)
    with TemporaryDirectory(prefix="tallow-") as folder:
        path = Path(folder) / "next_sessions.parquet"
        rest.write_parquet(path)
        told = {"store": store, "feed": f"replay:{path}", "calendar": CALENDAR}
        yield settings.model_copy(update=told)


def say_what_to_try(url: str) -> None:
    """Say what there is, and commands to try; they are copied whole."""
    say(
        f"\nA simulated market of {INSTRUMENTS} instruments, a minute each second.\n"
        f"Open {url} in a browser, or try in another terminal:"
    )
    for command in commands(url):
        say(f"  {command}")
    say("Ctrl-C ends it; the same command goes on from there.\n")


def commands(url: str) -> tuple[str, ...]:
    """Return commands to try with a service of the demo."""
    key = simulated_key(0)
    client = f"from tallow.client import Client; client = Client('{url}')"
    return (
        f"curl -s '{url}/v1/candles/{quote(key)}?timeframe=1h'",
        f"python -c \"{client}; print(client.candles('{key}', '15m'))\"",
        f'python -c "{client}; print(next(iter(client.stream())).frame)"',
    )


def _market() -> pl.DataFrame:
    calendar = load_calendar(CALENDAR)
    blocks: Iterator[pl.DataFrame] = simulate_blocks(
        INSTRUMENTS,
        HISTORY + TO_COME,
        calendar=calendar,
        start=first_session(calendar, HISTORY),
    )
    return pl.concat(blocks)


def _fill(named: str) -> pl.DataFrame:
    """Write the history into an empty store; return the candles after the newest of the store."""
    candles = _market()
    with open_store(named, create=True) as store:
        newest = _newest(store, named)
        if newest is None:
            history = candles.filter(pl.col("timestamp").dt.date() <= LAST_SESSION)
            store.write(history, source_timeframe="1m", source="demo")
            newest = cast("datetime", history["timestamp"].max())
    rest = candles.filter(pl.col("timestamp") > newest)
    if rest.is_empty():
        raise ParameterError(
            f"serve: store={named}; the demo was replayed to its end; remove it, or name another"
        )
    return rest


def _newest(store: Store, named: str) -> datetime | None:
    """Return when the newest candle opened; None of an empty store."""
    series = store.series()
    known = {simulated_key(number) for number in range(INSTRUMENTS)}
    others = set(series["instrument"]) - known
    if others:
        raise ParameterError(
            f"serve: store={named}; has candles of other instruments, such as "
            f"{min(others)}; the demo takes an empty folder: name one with store="
        )
    return cast("datetime | None", series["last"].max())

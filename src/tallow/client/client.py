"""A service's answers as frames: `Client` for threads, `AsyncClient` for coroutines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx
import polars as pl

from tallow.client.errors import UnreachableError
from tallow.client.requests import (
    NEXT_PAGE,
    Moment,
    Names,
    ServiceRequest,
    bars_question,
    delete_question,
    frame_of,
    require_ok,
    rows_question,
    value_of,
    write_question,
)
from tallow.client.streams import AsyncStream, Stream

TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 60.0


def _options(url: str, key: str | None, timeout: float) -> dict[str, Any]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return {"base_url": url, "headers": headers, "timeout": timeout}


def _subscription(
    instruments: Names, timeframes: Names, indicators: Names, universe: str | None, **other: Any
) -> dict[str, Any]:
    """Return the fields of a subscription; what is None is not said."""

    def listed(names: Names) -> list[str] | None:
        return [names] if isinstance(names, str) else None if names is None else list(names)

    said = indicators if isinstance(indicators, str) else listed(indicators)
    return other | {
        "instruments": listed(instruments),
        "timeframes": listed(timeframes),
        "indicators": said,
        "universe": universe,
    }


class Client:
    """Asks a service, and follows its stream.

    Parameters
    ----------
    url
        Where it is: ``http://127.0.0.1:8765``.
    key
        Where the service has keys: one of them. It is sent in a header, never in a URL.
    timeout
        Seconds after which an answer is given up.

    Notes
    -----
    Each method raises `ServiceError` where the service says no, with its words; `UnreachableError`
    where it is not there or does not answer in time.

    Examples
    --------
    >>> client = Client("http://127.0.0.1:8765")  # nothing is sent yet
    >>> client.close()
    """

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self._url, self._key = url, key
        self._http = httpx.Client(**_options(url, key, timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

    def candles(
        self,
        instruments: Names = None,
        timeframe: str = "5m",
        indicators: str = "default",
        *,
        start: Moment = None,
        end: Moment = None,
        known_at: Moment = None,
        universe: str | None = None,
    ) -> pl.DataFrame:
        """Return bars with indicators of a range: all pages of it, as of one moment.

        Parameters
        ----------
        instruments
            A key, or several; None with `universe`.
        timeframe, indicators, start, end, known_at, universe
            As in `tallow.AnalyticsEngine.query`.
        """
        asked = bars_question(
            instruments,
            timeframe=timeframe,
            indicators=indicators,
            start=start,
            end=end,
            known_at=known_at,
            universe=universe,
        )
        return pl.concat(self._pages(asked))

    def latest(self, instruments: Names = None, timeframe: str | None = None) -> pl.DataFrame:
        """Return each instrument's last bar of the live engine, forming or final."""
        return self.rows("/v1/latest", instrument=instruments, timeframe=timeframe)

    def rows(self, path: str, **parameters: Any) -> pl.DataFrame:
        """Return the rows of any other question, such as ``/v1/quarantine``: all pages."""
        return pl.concat(self._pages(rows_question(path, **parameters)))

    def ask(self, path: str, **parameters: Any) -> Any:
        """Return the JSON of any other question, such as ``/v1/coverage``."""
        return value_of(self._send(ServiceRequest("GET", path, parameters)))

    def write(
        self, candles: pl.DataFrame, *, timezone: str | None = None, key: str | None = None
    ) -> dict[str, Any]:
        """Write one-minute candles; return the receipt. They are durable when it returns.

        Parameters
        ----------
        candles
            A frame with the columns that `tallow.read_candles` knows.
        timezone
            Zone of times that carry none.
        key
            Stands for this request: sent again, it is done once, and answered the same. One of its
            own by default; give it to send a request again whose answer did not come.
        """
        asked = write_question(candles, timezone, key)
        receipt: dict[str, Any] = value_of(self._send(asked))
        return receipt

    def delete(self, keys: pl.DataFrame, *, key: str | None = None) -> dict[str, Any]:
        """Delete one-minute candles by `instrument` and `timestamp`; return the receipt."""
        receipt: dict[str, Any] = value_of(self._send(delete_question(keys, key)))
        return receipt

    def stream(
        self,
        instruments: Names = None,
        timeframes: Names = None,
        indicators: Names = None,
        *,
        universe: str | None = None,
        screen: str | None = None,
        alerts: bool | Iterable[str] | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> Stream:
        """Follow what changes: bars, who enters and leaves a saved screen, or alerts.

        Parameters
        ----------
        instruments, universe
            Whose; all with neither.
        timeframes, indicators
            Of those that are live: all by default.
        screen
            A saved screen's name.
        alerts
            True, or names of rules.
        patience
            Seconds without a connection after which it is an error.
        """
        asked = _subscription(
            instruments, timeframes, indicators, universe, screen=screen, alerts=alerts
        )
        return Stream(self._url, asked, self._ticket, patience)

    def _ticket(self) -> str | None:
        if self._key is None:
            return None
        return str(value_of(self._send(ServiceRequest("POST", "/v1/tickets")))["ticket"])

    def _pages(self, asked: ServiceRequest) -> Iterator[pl.DataFrame]:
        cursor: str | None = ""
        while cursor is not None:
            answer = self._send(asked.on(cursor) if cursor else asked)
            yield frame_of(answer)
            cursor = answer.headers.get(NEXT_PAGE)

    def _send(self, asked: ServiceRequest) -> httpx.Response:
        with _reaching(self._url):
            return require_ok(self._http.send(asked.request(self._http)))


class AsyncClient:
    """`Client` for coroutines: each method is awaited, but for `stream`."""

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self._url, self._key = url, key
        self._http = httpx.AsyncClient(**_options(url, key, timeout))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections that are kept open."""
        await self._http.aclose()

    async def candles(
        self,
        instruments: Names = None,
        timeframe: str = "5m",
        indicators: str = "default",
        *,
        start: Moment = None,
        end: Moment = None,
        known_at: Moment = None,
        universe: str | None = None,
    ) -> pl.DataFrame:
        """Return bars with indicators of a range; see `Client.candles`."""
        asked = bars_question(
            instruments,
            timeframe=timeframe,
            indicators=indicators,
            start=start,
            end=end,
            known_at=known_at,
            universe=universe,
        )
        return await self._rows(asked)

    async def latest(self, instruments: Names = None, timeframe: str | None = None) -> pl.DataFrame:
        """Return each instrument's last bar; see `Client.latest`."""
        return await self.rows("/v1/latest", instrument=instruments, timeframe=timeframe)

    async def rows(self, path: str, **parameters: Any) -> pl.DataFrame:
        """Return the rows of any other question; see `Client.rows`."""
        return await self._rows(rows_question(path, **parameters))

    async def ask(self, path: str, **parameters: Any) -> Any:
        """Return the JSON of any other question; see `Client.ask`."""
        return value_of(await self._send(ServiceRequest("GET", path, parameters)))

    async def write(
        self, candles: pl.DataFrame, *, timezone: str | None = None, key: str | None = None
    ) -> dict[str, Any]:
        """Write one-minute candles; see `Client.write`."""
        asked = write_question(candles, timezone, key)
        receipt: dict[str, Any] = value_of(await self._send(asked))
        return receipt

    async def delete(self, keys: pl.DataFrame, *, key: str | None = None) -> dict[str, Any]:
        """Delete one-minute candles; see `Client.delete`."""
        asked = delete_question(keys, key)
        receipt: dict[str, Any] = value_of(await self._send(asked))
        return receipt

    def stream(
        self,
        instruments: Names = None,
        timeframes: Names = None,
        indicators: Names = None,
        *,
        universe: str | None = None,
        screen: str | None = None,
        alerts: bool | Iterable[str] | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> AsyncStream:
        """Follow what changes; see `Client.stream`."""
        asked = _subscription(
            instruments, timeframes, indicators, universe, screen=screen, alerts=alerts
        )
        return AsyncStream(self._url, asked, self._ticket, patience)

    async def _ticket(self) -> str | None:
        if self._key is None:
            return None
        return str(value_of(await self._send(ServiceRequest("POST", "/v1/tickets")))["ticket"])

    async def _rows(self, asked: ServiceRequest) -> pl.DataFrame:
        return pl.concat([frame async for frame in self._pages(asked)])

    async def _pages(self, asked: ServiceRequest) -> AsyncIterator[pl.DataFrame]:
        cursor: str | None = ""
        while cursor is not None:
            answer = await self._send(asked.on(cursor) if cursor else asked)
            yield frame_of(answer)
            cursor = answer.headers.get(NEXT_PAGE)

    async def _send(self, asked: ServiceRequest) -> httpx.Response:
        with _reaching(self._url):
            return require_ok(await self._http.send(asked.request(self._http)))


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    """Raise `UnreachableError` for what the network, or time, does to a request."""
    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        what = str(error) or type(error).__name__
        raise UnreachableError(
            f"client: {url}: {what}; see if the service runs there, or give it more time with "
            "timeout="
        ) from error

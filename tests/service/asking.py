"""Requests to a service's application, without a server between."""

from __future__ import annotations

import asyncio
import io
from typing import Any
from urllib.parse import quote

import httpx
import polars as pl

from tallow.service.app import make_app
from tallow.service.service import Service

ARROW = "application/vnd.apache.arrow.stream"


class Client:
    """Asks an application."""

    def __init__(self, service: Service) -> None:
        self.app = make_app(service)

    def get(self, url: str, /, accept: str | None = None, **more: Any) -> httpx.Response:
        """Return the answer to a GET; `more` are parameters, or `headers`."""
        return self.ask("GET", url, accept, **more)

    def ask(
        self,
        method: str,
        url: str,
        accept: str | None = None,
        headers: dict[str, str] | None = None,
        json: Any = None,
        content: bytes | str | None = None,
        **parameters: Any,
    ) -> httpx.Response:
        """Return the answer to a request."""
        said = {"Accept-Encoding": ""} | (headers or {})
        if accept is not None:
            said["Accept"] = accept

        async def asking() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                known = {name: each for name, each in parameters.items() if each is not None}
                return await client.request(
                    method, url, params=known or None, headers=said, json=json, content=content
                )

        return asyncio.run(asking())

    def bars(self, instrument: str, **parameters: Any) -> httpx.Response:
        """Return the answer about an instrument's bars."""
        return self.get(candles_url(instrument), **parameters)

    def frame(self, instrument: str, **parameters: Any) -> pl.DataFrame:
        """Return an instrument's bars as a frame."""
        answer = self.bars(instrument, accept=ARROW, **parameters)
        assert answer.status_code == 200, answer.text
        return pl.read_ipc_stream(io.BytesIO(answer.content))


def candles_url(instrument: str) -> str:
    """Return the path of an instrument's bars."""
    return f"/v1/candles/{quote(instrument, safe='')}"

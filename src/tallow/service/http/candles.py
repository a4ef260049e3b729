"""``/v1/candles``: bars of a range with indicators, as ready bytes wherever these are there."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from functools import partial
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from tallow.core.time import now_us
from tallow.service.http.answers import BARS, BarsAnswer, rows_of
from tallow.service.http.bars import BarPages, LongAnswerError, Page, PageWork
from tallow.service.http.formats import (
    Packing,
    choose_format,
    choose_packing,
    pack,
    short_name,
    to_body,
)
from tallow.service.http.questions import BarsQuestion, ManyQuestion, require_named, said
from tallow.service.http.ready import VARY, ReadyAnswer, ReadyAnswers
from tallow.service.http.sending import CHANGING, header_lines
from tallow.service.http.whole_bars import answer_whole
from tallow.service.problems import PROBLEMS
from tallow.service.service import Service

FIXED = "private, max-age=3600"


def make_router(service: Service) -> APIRouter:
    """Return the routes of bars."""
    router = APIRouter(tags=["candles"], responses=PROBLEMS)
    answers = _Answers(service)

    @router.get("/candles", response_model=BarsAnswer, responses=rows_of(BARS))
    async def bars_of_many(request: Request, asked: Annotated[ManyQuestion, Query()]) -> Response:
        """Return bars of several instruments, or of a universe's members, with indicators."""
        require_named(asked)
        return await answers.answer(request, asked, None)

    @router.get("/candles/{instrument:path}", response_model=BarsAnswer, responses=rows_of(BARS))
    async def bars(
        request: Request,
        instrument: Annotated[
            str, Path(max_length=1_024, examples=["NSE_EQ|INE301A01014"], description="Its key.")
        ],
        asked: Annotated[BarsQuestion, Query()],
    ) -> Response:
        """Return an instrument's bars of a range, with indicators, as right as the whole history.

        Without `known_at`, bars are final that ended two seconds ago, as in the live engine.
        """
        return await answers.answer(request, asked, instrument)

    return router


class _Answers:
    """Sends pages of bars: ready ones at once, others when a reader's thread has made them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._pages, self._ready = BarPages(service), ReadyAnswers()

    async def answer(
        self, request: Request, asked: BarsQuestion, instrument: str | None
    ) -> Response:
        """Return the answer to a question, or that the client has it already."""
        headers = request.headers
        media_type = choose_format(headers.get("accept"))
        packing = choose_packing(headers.get("accept-encoding"))
        key = (instrument, asked, media_type, packing)
        token = self._service.store.token()
        ready = self._ready.get(key, token, now_us())
        if ready is None:
            before = self._ready.last(key)
            work = self._pages.begin()
            make = partial(self._made, work, asked, instrument, media_type, packing, token, before)
            while ready is None:
                try:
                    ready = await self._service.read(make)
                except LongAnswerError as long:
                    question = long.question
                    work.made[question] = await self._service.compute(answer_whole, question)
            self._ready.put(key, ready)
        return ready.response(headers.get("if-none-match"))

    def _made(
        self,
        work: PageWork,
        asked: BarsQuestion,
        instrument: str | None,
        media_type: str,
        packing: Packing,
        token: Hashable,
        before: ReadyAnswer | None,
    ) -> ReadyAnswer:
        """Make an answer; the one before stays where it says the same."""
        page = self._pages.page(asked, instrument, work)
        if before is not None and before.digest == page.digest:
            return replace(before, token=token, until=page.until)
        body, packed = pack(to_body(page.frame, media_type, page.about), media_type, packing)
        tag = f'"{page.digest}-{short_name(media_type)}{packed and f"-{packed}"}"'
        headers = _headers(page, asked) | {"ETag": tag}
        if packed:
            headers["Content-Encoding"] = packed
        return ReadyAnswer(token, page.until, page.digest, tag, media_type, body, headers)


def _headers(page: Page, asked: BarsQuestion) -> dict[str, str]:
    """Return what a format without a place for it says of a page in headers."""
    about = page.about
    headers = {
        "Cache-Control": FIXED if page.is_fixed else CHANGING,
        "Vary": VARY,
        "Tallow-Rows": str(len(page.frame)),
        **header_lines(about),
    }
    if about["next"]:
        words = said(asked, "cursor") | {"cursor": about["next"]}
        headers["Link"] = f'<?{urlencode(words, doseq=True)}>; rel="next"'
    return headers

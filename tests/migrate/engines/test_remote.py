"""Goal: a user's engine may stand behind an address, and nothing that it does hangs or misleads.

Method: an HTTP server in this process that answers as a test says: rows, Parquet, Arrow, errors,
too much, too late, and too little.
"""

from __future__ import annotations

import json
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import polars as pl
import pytest

from tallow.core.errors import EngineError, TallowWarning
from tallow.migrate.engines import EngineSource, load_engine, remote
from tallow.migrate.engines.answers import AnswerReader
from tallow.migrate.engines.remote import RemoteEngine
from tallow.migrate.protocol import Request
from tests.data.feeds import hostile
from tests.migrate.engines.market import candles

Handler = Callable[[BaseHTTPRequestHandler, bytes], None]


class Server:
    """What it got, and how it answers."""

    def __init__(self) -> None:
        self.got: list[dict] = []
        self.users: list[str | None] = []
        self.handle: Handler = lambda _request, _body: None
        self.done = threading.Event()
        outer = self

        class Requests(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(json.loads(body))
                outer.users.append(self.headers["Authorization"])
                outer.handle(self, body)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self.requests: Any = Requests
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self.address = f"http://127.0.0.1:{self._http.server_port}/answer"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.done.set()
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def send(request: BaseHTTPRequestHandler, body: bytes, length: int | None = None) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(body) if length is None else length))
    request.send_header("Engine-Version", "theirs 3")
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture(scope="module")
def answer() -> pl.DataFrame:
    return load_engine("tallow").answer(Request(candles()))


def as_json(frame: pl.DataFrame) -> bytes:
    text = frame.with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return json.dumps(text.to_dicts()).encode()


def as_file(frame: pl.DataFrame, how: str) -> bytes:
    file = BytesIO()
    getattr(frame, f"write_{how}")(file)
    return file.getvalue()


@pytest.mark.parametrize("how", ["json", "parquet", "ipc", "ipc_stream"])
def test_it_answers_in_any_form(server: Server, answer: pl.DataFrame, how: str) -> None:
    theirs = answer.rename({"sma_9": "ma_9"})
    body = as_json(theirs) if how == "json" else as_file(theirs, how)
    server.handle = lambda request, _: send(request, body)
    engine = load_engine(server.address)
    assert engine.version.endswith("version unknown")
    assert engine.answer(Request(candles())).equals(answer)
    assert engine.version == "theirs 3"


def test_it_gets_the_whole_request(server: Server) -> None:
    server.handle = lambda request, _: send(request, as_json(candles().head(1)))
    asked = Request(candles(), "15m", "ema(9)", start="2025-06-03")
    load_engine(server.address).answer(asked)
    [got] = server.got
    rows = got.pop("candles")
    assert got == {
        "timeframe": "15m",
        "source_timeframe": "1m",
        "indicators": "ema(9)",
        "calendar": "XNSE",
        "start": "2025-06-03",
        "end": None,
    }
    sent = pl.DataFrame(rows).with_columns(pl.col("timestamp").str.to_datetime(time_zone="UTC"))
    assert sent.equals(candles().select(sent.columns))


USER, PASSWORD = "me@work", "s3/cr:et é"
ESCAPED = "me%40work:s3%2Fcr:et%20%C3%A9@"
BASIC = "bWVAd29yazpzMy9jcjpldCDDqQ=="
"""The two, with a colon between, in base64, as another program writes it."""


def test_a_user_and_a_password_are_sent_and_never_shown(
    server: Server, answer: pl.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    address = server.address.replace("://", f"://{ESCAPED}")
    server.handle = lambda request, _: send(request, as_json(answer))
    engine = load_engine(address)
    assert engine.answer(Request(candles())).equals(answer)
    load_engine(server.address).answer(Request(candles()))
    assert server.users == [f"Basic {BASIC}", None]

    def echo(request: BaseHTTPRequestHandler, _: bytes) -> None:
        request.send_error(401, f"not {PASSWORD[:6]}", f"{PASSWORD} {ESCAPED} {BASIC}")

    said = [repr(engine), repr(EngineSource(address)), engine.name, engine.version]
    for handle in (echo, lambda request, _: send(request, f"{BASIC} {PASSWORD}".encode())):
        server.handle = handle
        with pytest.raises(EngineError) as caught:
            engine.answer(Request(candles()))
        said.append("".join(traceback.format_exception(caught.value)))
    server.close()
    with pytest.raises(EngineError, match="is it running") as caught:
        engine.answer(Request(candles()))
    for text in (*said, "".join(traceback.format_exception(caught.value)), caplog.text):
        assert not [secret for secret in (PASSWORD, ESCAPED[:-1], BASIC) if secret in text]


def test_a_password_is_not_sent_on_to_where_a_server_points(
    server: Server, answer: pl.DataFrame
) -> None:
    other = Server()
    body, got = as_json(answer), list[str | None]()

    def take(self: BaseHTTPRequestHandler) -> None:
        got.append(self.headers["Authorization"])
        send(self, body)

    def point(request: BaseHTTPRequestHandler, _: bytes) -> None:
        request.send_response(302)
        request.send_header("Location", other.address)
        request.send_header("Content-Length", "0")
        request.end_headers()

    other.requests.do_GET = take
    server.handle = point
    load_engine(server.address.replace("://", "://me:secret@")).answer(Request(candles()))
    other.close()
    assert server.users == ["Basic bWU6c2VjcmV0"]
    assert got == [None]


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("http://me:secret@127.0.0.1:1/", False),
        ("http://me:secret@[::1]:1/", False),
        ("http://me:secret@localhost/", False),
        ("https://me:secret@engine.example/", False),
        ("http://engine.example/", False),
        ("http://me:secret@engine.example/", True),
        ("http://me:secret@10.0.0.7/", True),
    ],
)
def test_a_password_in_plain_text_is_warned_of(address: str, warned: bool) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        load_engine(address)
    assert [each.category for each in told] == [TallowWarning] * warned
    assert not any("secret" in str(each.message) for each in told)


@pytest.mark.parametrize(
    ("user", "message"),
    [("me:se/cret@", "must be escaped; write %40"), ("a%3Ab:secret@", "user has a colon")],
)
def test_a_user_that_cannot_be_sent_is_refused(user: str, message: str) -> None:
    with pytest.raises(EngineError, match=message) as caught:
        load_engine(f"http://{user}127.0.0.1/answer")
    assert "cret" not in str(caught.value)


def stall(server: Server, drips: bool) -> Handler:
    def answer(request: BaseHTTPRequestHandler, _: bytes) -> None:
        if not drips:
            server.done.wait()
            return
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        # A byte now and then: no single wait is too long.
        while not server.done.wait(0.05):
            try:
                request.wfile.write(b" ")
            except OSError:
                return

    return answer


@pytest.mark.parametrize("drips", [True, False])
def test_it_may_not_take_for_ever(server: Server, drips: bool) -> None:
    server.handle = stall(server, drips)
    engine = RemoteEngine(server.address, AnswerReader(), seconds_max=0.3)
    with pytest.raises(EngineError, match=r"TimeoutError: .*within 0\.3 s; is it running"):
        engine.answer(Request(candles()))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
AGAIN = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        pytest.param(hostile.keep_silent, "TimeoutError", id="silent"),
        pytest.param(hostile.reset, "Connection|BrokenPipe", id="reset"),
        pytest.param(hostile.answer_and_leave(hostile.TLS_ALERT), "BadStatusLine", id="TLS"),
        pytest.param(hostile.drip(b"", b"H"), "TimeoutError", id="drops of a status"),
        pytest.param(hostile.drip(b"HTTP/1.1 200 OK\r\nA: ", b"b"), "Timeout", id="of a header"),
        pytest.param(hostile.drip(CHUNKED, b"0"), "TimeoutError", id="of a chunk's size"),
        pytest.param(hostile.drip(b"HTTP/1.1 500 No\r\n\r\n", b"x"), "Timeout", id="of a reason"),
        pytest.param(
            hostile.flood(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 99), "100 headers", id="headers"
        ),
        pytest.param(
            hostile.flood(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 9_999), "at most 4,000", id="a body"
        ),
        pytest.param(hostile.answer_and_leave(AGAIN), "infinite loop", id="redirects"),
    ],
)
def test_no_server_holds_it(
    behave: hostile.Behaviour, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "ENGINE_ANSWER_BYTES_MAX", 4_000)
    with hostile.HostileServer([behave]) as server:
        # Where it is not the time that ends it, a busy machine has enough.
        seconds = 0.5 if "Timeout" in message else 20.0
        engine = RemoteEngine(f"http://127.0.0.1:{server.port}/", AnswerReader(), seconds)
        with pytest.raises(EngineError, match=message):
            engine.answer(Request(candles().clear()))


@pytest.mark.parametrize(
    ("body", "length", "message"),
    [
        (b"<html>", None, "answered '<html>'; must answer a POST with rows"),
        (b"PAR1 and no more", None, "answered 'PAR1 and no more'"),
        (b"[1, 2]", None, "answered list; must be a frame, or a list of rows"),
        (b"{}", None, "answered dict; must be"),
        (b"[", 100, "ended 99 bytes too early"),
        (b"[" * 100_000, None, "answered '.*; must answer a POST with rows"),
    ],
)
def test_answers_that_cannot_be_read(
    server: Server, body: bytes, length: int | None, message: str
) -> None:
    server.handle = lambda request, _: send(request, body, length)
    with pytest.raises(EngineError, match=message):
        load_engine(server.address).answer(Request(candles()))


def test_its_own_error_is_told(server: Server) -> None:
    server.handle = lambda request, _: request.send_error(500, "no database")
    with pytest.raises(EngineError, match="status 500 no database"):
        load_engine(server.address).answer(Request(candles()))


def test_too_much_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.handle = lambda request, _: send(request, b" " * 5_000)
    monkeypatch.setattr(remote, "ENGINE_ANSWER_BYTES_MAX", 4_000)
    with pytest.raises(EngineError, match=r"request of .* at most 4,000; ask for fewer"):
        load_engine(server.address).answer(Request(candles()))
    with pytest.raises(EngineError, match=r"answer of .* at most 4,000"):
        load_engine(server.address).answer(Request(candles().clear()))


def test_nobody_is_there(server: Server) -> None:
    address = server.address
    server.close()
    with pytest.raises(EngineError, match="is it running"):
        load_engine(address).answer(Request(candles()))

"""Goal: bars over HTTP are those of the engine, in every format and page, and their tag changes
exactly when they do.

Method: an application in this process over a store of real candles; the engine is asked the same.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import httpx
import polars as pl
import pytest

import tallow
from tallow.core.time import to_us
from tallow.service.http import bars as pages
from tallow.service.http import candles as routes
from tallow.service.service import Service
from tests.frames import assert_same_frame, moment
from tests.service.asking import ARROW, Client

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
ASKED = {"timeframe": "15m", "indicators": "ema(9), rsi(14), supertrend(10, 3)"}


@pytest.fixture(scope="module")
def client(service: Service) -> Client:
    return Client(service)


@pytest.fixture(scope="module")
def name(market: pl.DataFrame) -> str:
    return str(market["instrument"][0])


def instruments(market: pl.DataFrame) -> list[str]:
    return market["instrument"].unique(maintain_order=True).to_list()


def test_bars_are_those_of_the_engine(
    client: Client, service: Service, market: pl.DataFrame
) -> None:
    some = instruments(market)[:3]
    answer = client.get("/v1/candles", accept=ARROW, instrument=some, **ASKED)
    now = datetime.now(UTC)
    bars = service.engine.query(some, "15m", indicators=ASKED["indicators"], final_at=now)
    assert len(bars.frame) > 100
    assert_same_frame(pl.read_ipc_stream(io.BytesIO(answer.content)), bars.frame)


def test_all_formats_say_the_same(client: Client, name: str) -> None:
    frame = client.frame(name, **ASKED)
    parquet = client.bars(name, accept=PARQUET, **ASKED).content
    assert_same_frame(pl.read_parquet(io.BytesIO(parquet)), frame)
    for text in (
        client.bars(name, accept=CSV, **ASKED).content,
        pl.DataFrame(client.bars(name, **ASKED).json()["rows"], infer_schema_length=None)
        .write_csv()
        .encode(),
    ):
        read = pl.read_csv(io.BytesIO(text), schema_overrides={"timestamp": pl.String})
        times = read.with_columns(pl.col("timestamp").str.to_datetime(time_zone="UTC"))
        assert_same_frame(times.cast(frame.schema), frame)


def test_a_body_is_packed_as_the_client_unpacks_it(client: Client, name: str) -> None:
    plain = client.bars(name, **ASKED)
    packed = client.bars(name, headers={"Accept-Encoding": "gzip;q=0, zstd"}, **ASKED)
    assert packed.headers["content-encoding"] == "zstd"
    assert packed.content == plain.content  # the client unpacks it
    assert packed.headers["etag"] != plain.headers["etag"]
    assert int(packed.headers["content-length"]) < len(plain.content)
    unpacked = client.bars(name, headers={"Accept-Encoding": "br, gzip"}, **ASKED)
    assert unpacked.headers["content-encoding"] == "gzip"
    assert unpacked.content == plain.content


def chain(client: Client, name: str, first: httpx.Response, **asked: Any) -> pl.DataFrame:
    """Return the bars of all pages."""
    answers = [first]
    while following := answers[-1].json()["next"]:
        answers.append(client.bars(name, cursor=following, **asked))
        assert answers[-1].status_code == 200, answers[-1].text
    assert len(answers) > 3
    return pl.DataFrame([row for each in answers for row in each.json()["rows"]])


def test_pages_are_of_one_moment_whatever_is_written_meanwhile(
    own_service: Service, market: pl.DataFrame, name: str
) -> None:
    client, store = Client(own_service), own_service.store
    whole = pl.DataFrame(client.bars(name, **ASKED).json()["rows"])
    first = client.bars(name, limit=20, **ASKED)
    wrong = market.filter(pl.col("instrument") == name)
    half = [pl.col(each) * 0.5 for each in ("open", "high", "low", "close")]
    store.write(wrong.with_columns(half), source_timeframe="1m")
    own_service.live.catch_up()
    assert chain(client, name, first, limit=20, **ASKED).equals(whole)
    again = client.bars(name, **ASKED).json()["rows"]
    assert again[0]["close"] == pytest.approx(whole["close"][0] / 2)


def test_a_tag_lasts_until_the_answer_is_another_one(
    own_service: Service, market: pl.DataFrame, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, store = Client(own_service), own_service.store
    other = market.filter(pl.col("instrument") == instruments(market)[1])
    own = market.filter(pl.col("instrument") == name)
    tags = [client.bars(name, **ASKED).headers["etag"]]

    def changed(**more: Any) -> bool:
        same = client.bars(name, headers={"If-None-Match": tags[-1]}, **ASKED | more)
        assert (same.status_code == 304) == (same.headers["etag"] == tags[-1])
        assert same.status_code != 304 or not same.content
        tags.append(same.headers["etag"])
        return same.status_code == 200

    assert not changed()
    store.write(other.with_columns(close=pl.col("low")), source_timeframe="1m")
    assert not changed()
    store.write(own[44:45].with_columns(volume=pl.col("volume") + 1), source_timeframe="1m")
    assert changed()
    later = own.tail(1).with_columns(pl.col("timestamp").dt.offset_by("1w"))
    store.write(later, source_timeframe="1m")
    assert changed()
    assert not changed()
    monkeypatch.setattr(tallow, "__version__", "0.0.0")
    monkeypatch.setattr(routes, "now_us", lambda: 2**62)
    assert changed()
    assert changed(indicators="ema(9)")


def test_a_tag_of_a_fixed_moment_lasts(
    own_service: Service, market: pl.DataFrame, name: str
) -> None:
    client, store = Client(own_service), own_service.store
    known = tallow.core.time.from_us(store.last_received()).isoformat()
    before = client.bars(name, known_at=known, **ASKED)
    assert "max-age" in before.headers["cache-control"]
    own = market.filter(pl.col("instrument") == name)
    store.write(own.with_columns(close=pl.col("low")), source_timeframe="1m")
    after = client.bars(name, known_at=known, **ASKED)
    assert after.headers["etag"] == before.headers["etag"]
    assert after.content == before.content
    assert client.bars(name, **ASKED).headers["etag"] != before.headers["etag"]


def test_a_bar_turns_final_by_the_clock(
    own_service: Service, market: pl.DataFrame, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, store = Client(own_service), own_service.store
    forming = market.filter(pl.col("instrument") == name).tail(1)
    forming = forming.with_columns(timestamp=pl.lit(moment("2025-07-21T10:01+05:30")))
    store.write(forming, source_timeframe="1m")
    tags = []
    for at, is_final in (("10:14:59", False), ("10:15:01", False), ("10:15:02", True)):
        clock = to_us(moment(f"2025-07-21T{at}+05:30"))
        for module in (pages, routes):
            monkeypatch.setattr(module, "now_us", lambda clock=clock: clock)
        answer = client.bars(name, timeframe="15m", indicators="", start="2025-07-21")
        (row,) = answer.json()["rows"]
        assert row["is_final"] == is_final
        tags.append(answer.headers["etag"])
    assert tags[0] == tags[1] != tags[2]


def test_an_empty_range_says_why(client: Client, name: str) -> None:
    asked = {"start": "2024-01-01", "end": "2024-01-02", **ASKED}
    answer = client.bars(name, **asked)
    assert answer.json()["rows"] == []
    assert answer.json()["why_empty"].startswith("no bars: the range has no candle")
    assert client.frame(name, **asked).is_empty()
    said = client.bars(name, accept=ARROW, **asked).headers["tallow-why-empty"]
    assert said == answer.json()["why_empty"]


MANY = ", ".join(f"sma({length})" for length in range(2, 40))
WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"timeframe": "7x"}, 422, "timeframe: '7x'"),
    ({"indicators": "emma(9)"}, 422, "did you mean"),
    ({"indicators": "ema(" * 5_000}, 422, "8192"),
    ({"indicators": "sma(5)" + ", sma(5)" * 600}, 422, "500"),
    ({"start": "2025-13-01"}, 422, "start: '2025-13-01'"),
    ({"start": "2025-06-03", "end": "2025-06-02"}, 422, "must not be before"),
    ({"known_at": "2125-01-01T00:00Z"}, 422, "must not be later than now"),
    ({"known_at": "2025-01-01T00:00"}, 422, "carries no zone"),
    ({"limit": 0}, 422, "limit"),
    ({"limit": 10**9}, 422, "limit"),
    ({"limit": "many"}, 422, "limit"),
    ({"limit": 50_000, "indicators": MANY}, 422, "ask for fewer rows or indicators"),
    ({"cursor": "AAAA"}, 422, "cursor"),
    ({"cursor": "\u2603"}, 422, "cursor"),
    ({"adjustment": "../../etc"}, 404, "adjustment"),
    ({"source_timeframe": "1d"}, 422, "1d"),
    ({"colour": "red"}, 422, "colour"),
    ({"accept": "image/png"}, 406, "application/json"),
    ({"accept": "text/html;q=x"}, 406, "text/csv"),
]


@pytest.mark.parametrize(("asked", "status", "says"), WRONG)
def test_what_is_wrong_is_said(
    client: Client, name: str, asked: dict[str, Any], status: int, says: str
) -> None:
    answer = client.bars(name, **asked)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert (answer.status_code, answer.json()["status"]) == (status, status), answer.text
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("unknown", ["NSE_EQ|INE", "a" * 1_024, "a/b", "'; drop table", "☃"])
def test_an_unknown_instrument_is_not_found(client: Client, unknown: str) -> None:
    answer = client.bars(unknown)
    assert answer.status_code == 404, answer.text
    assert "not in the store" in answer.json()["detail"]


def test_more_than_an_answer_may_have_is_refused(client: Client, name: str) -> None:
    assert client.get("/v1/candles", instrument=[name] * 501).status_code == 422
    assert "one of them must be named" in client.get("/v1/candles").json()["detail"]
    assert client.get("/v1/candles", universe="/etc/passwd.csv").status_code == 404


def test_an_answer_has_bounds(client: Client, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallow.service.http.questions.ANSWER_VALUES_MAX", 100)
    answer = client.bars(name, timeframe="1m")
    assert answer.status_code == 422
    assert "ask for a shorter range" in answer.json()["detail"]


def test_a_long_answer_is_made_by_a_worker(
    service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Client(service).bars(name, **ASKED)
    known = {"known_at": datetime.now(UTC).isoformat()}
    then = Client(service).bars(name, **ASKED, **known)
    monkeypatch.setattr(pages, "answer_whole", None)
    monkeypatch.setattr(pages, "LONG_CANDLES", 0)
    client = Client(service)
    there = client.bars(name, **ASKED)
    assert (there.content, there.headers["etag"]) == (here.content, here.headers["etag"])
    assert client.bars(name, **ASKED, **known).json()["rows"] == then.json()["rows"]
    first = client.bars(name, limit=20, **ASKED)
    assert chain(client, name, first, limit=20, **ASKED).equals(pl.DataFrame(here.json()["rows"]))
    assert client.bars("NOBODY", **ASKED).status_code == 404

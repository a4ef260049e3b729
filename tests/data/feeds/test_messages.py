"""Goal: whatever a server sends, each row comes out right, or is rejected with its reason.

Method: messages written by hand beside the rows that a person reads in them; a table of what must
be rejected; and any JSON at all, for which the counts must add up and nothing may be raised.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tallow.data.feeds import contents, messages
from tallow.data.feeds.batches import batches_of
from tallow.data.feeds.feed import FeedBatch
from tallow.data.feeds.health import FeedHealth, Meter
from tallow.data.feeds.messages import Message, read_messages
from tallow.data.feeds.moments import _instant, _other_times
from tallow.data.reading.readers import read_candles
from tallow.data.reading.schema import CANDLE_SCHEMA
from tests.frames import moment

OPENED = moment("2025-06-02T09:15+05:30")
CANDLE = {"symbol": "A", "ts": "2025-06-02T09:15:00+05:30", "o": 1, "h": "4", "l": 0.5, "c": 2.0}
CANDLE |= {"v": 900}
TICK = {"symbol": "A", "timestamp": 1_748_835_900_250, "ltp": 7.5}


def read(*contents: Any, timezone: str | None = None) -> tuple[list[FeedBatch], FeedHealth]:
    """Read messages; what is no text is written as JSON first."""
    texts = [each if isinstance(each, str | bytes) else json.dumps(each) for each in contents]
    meter = Meter()
    messages = [Message(text, 1, 10 + place) for place, text in enumerate(texts)]
    return batches_of(read_messages(messages, meter, timezone)), meter.health


@pytest.mark.parametrize(
    "content",
    [CANDLE, [CANDLE], {"data": [CANDLE]}, {"type": "candle", "data": CANDLE}],
    ids=["object", "list", "list in data", "object in data"],
)
def test_a_candle_is_found_in_every_kind_of_message(content: Any) -> None:
    (batch,), health = read(content)
    assert batch.kind == "candles"
    assert batch.frame.rows() == [("A", OPENED, 1.0, 4.0, 0.5, 2.0, 900.0)]
    assert batch.frame.schema == CANDLE_SCHEMA
    assert (batch.received_at, batch.backfill, health) == (10, False, FeedHealth())


@pytest.mark.parametrize(
    "written", [1_748_835_900, 1_748_835_900.0, "1748835900000", "20250602T0345Z"]
)
def test_times_are_read_as_in_files(written: Any) -> None:
    assert read(CANDLE | {"ts": written})[0][0].frame["timestamp"][0] == OPENED


WRITTEN = r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)"


@given(
    st.integers(10**6, 10**19)
    | st.datetimes(timezones=st.timezones()).map(datetime.isoformat)
    | st.from_regex(WRITTEN, fullmatch=True)
)
def test_the_quick_way_reads_times_as_the_thorough_one(written: int | str) -> None:
    quick = _instant(written)
    assert quick is None or [quick] == _other_times([written], None)


def test_a_time_without_a_zone_needs_one_and_spoils_no_other() -> None:
    naive = CANDLE | {"ts": "2025-06-02 09:15:00"}
    other = CANDLE | {"symbol": "B", "ts": "20250602T0345Z"}
    batches, health = read([naive, CANDLE, other])
    assert [batch.frame["timestamp"].to_list() for batch in batches] == [[OPENED, OPENED]]
    assert [each.reason for each in health.rejections] == [
        "ts='2025-06-02 09:15:00'; has no zone; pass timezone=\"Asia/Kolkata\", for example"
    ]
    assert read(naive, timezone="Asia/Kolkata")[0][0].frame["timestamp"][0] == OPENED


@pytest.mark.parametrize("said", ["1m", "1minute", "ONE_MINUTE", "M1", 1, "1", None])
def test_a_candle_may_say_that_it_lasts_a_minute(said: Any) -> None:
    batches, health = read(CANDLE | {"interval": said})
    assert (len(batches), health.rejected) == (1, 0)


def test_open_interest_is_there_where_somebody_names_it() -> None:
    (batch,), _ = read([CANDLE | {"oi": 5}, CANDLE | {"symbol": "B"}])
    assert batch.frame["open_interest"].to_list() == [5.0, None]


def test_ticks_come_with_quantities_or_with_the_days_volume() -> None:
    batches, _ = read(TICK | {"ltq": 3, "seq": 41}, TICK, TICK | {"volume_traded": 800}, CANDLE)
    assert [batch.kind for batch in batches] == ["ticks", "ticks", "candles"]
    traded, total = batches[0].frame, batches[1].frame
    at = moment("2025-06-02T09:15:00.250+05:30")
    assert traded.rows() == [("A", at, 7.5, 3.0, 41), ("A", at, 7.5, 0.0, None)]
    assert traded.columns == ["instrument", "timestamp", "price", "quantity", "sequence"]
    assert total.rows() == [("A", at, 7.5, 800.0)]
    assert total.columns == ["instrument", "timestamp", "price", "day_volume"]


def test_revisions_of_a_candle_come_in_batches_of_their_own_in_order() -> None:
    other = CANDLE | {"symbol": "B"}
    batches, _ = read(CANDLE, other, CANDLE | {"v": 950}, CANDLE | {"v": 990})
    volumes = [batch.frame.select("instrument", "volume").rows() for batch in batches]
    assert volumes == [[("A", 900.0), ("B", 900.0)], [("A", 950.0)], [("A", 990.0)]]
    assert all(read_candles(batch.frame).report.quarantined == 0 for batch in batches)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("17", "no JSON object"),
        ([None], "no JSON object"),
        ({"o": 1, "ts": 0}, "without instrument, high, low, close, volume"),
        ({"ltp": 1, "symbol": "A"}, "without timestamp"),
        (TICK | {"volume": 5}, "a tick's volume must be named quantity or day_volume"),
        (CANDLE | {"symbol": ""}, "symbol=''; an instrument must be text"),
        (CANDLE | {"symbol": None}, "symbol=None; an instrument must be text"),
        (CANDLE | {"symbol": "\ud800"}, "an instrument must be text"),
        (CANDLE | {"symbol": "A" * 1_025}, "an instrument must be text of at most 1,024 char"),
        (CANDLE | {"ts": "2025-06-02 09:15 IST"}, "IST is an abbreviation, and may mean Asia/Kol"),
        (CANDLE | {"ts": "soon"}, "ts='soon'; must be ISO-8601"),
        (CANDLE | {"ts": [1]}, "ts=[1]; must be ISO-8601"),
        (CANDLE | {"ts": 17}, "ts=17; must be ISO-8601"),
        (CANDLE | {"c": "two"}, "c='two'; must be a number"),
        (CANDLE | {"c": True}, "c=True; must be a number"),
        (CANDLE | {"c": 10**400}, "must be a number"),
        (json.dumps(CANDLE)[:-1] + ', "c": 9}', "the name 'c' comes twice in one object"),
        (CANDLE | {"interval": "5m"}, "interval='5m'; a candle must last a minute"),
        (CANDLE | {"timeframe": "ONE_HOUR"}, "timeframe='ONE_HOUR'; a candle must last a minute"),
        (CANDLE | {"resolution": 60}, "resolution=60; a candle must last a minute"),
        (CANDLE | {"interval_begin": CANDLE["ts"]}, "ts, interval_begin: both fit the time of"),
        (CANDLE | {"last_traded_price": 1.5}, "last_traded_price: a quote, whose open"),
        (CANDLE | {"bid": 1.5, "ask": 2.0}, "bid: a quote, whose open"),
        (TICK | {"seq": 1.5}, "seq=1.5; must be a whole number"),
        (TICK | {"seq": 10**30}, "must be a whole number"),
    ],
)
def test_what_is_not_understood_is_rejected_with_its_reason(content: Any, reason: str) -> None:
    batches, health = read(content, CANDLE)
    assert sum(len(batch.frame) for batch in batches) == 1
    assert health.rejected == 1
    assert reason in health.rejections[0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('"' + "x" * 999 + '"', "1,001 bytes in one message; at most 1,000"),
        ("[[" + "1," * 59 + "1]]", "61 values in one message; at most 60"),
        ("[" + "{}," * 25 + "{}]", "26 rows in one message; at most 25"),
        ("[" + "1," * 9 + "1]", "10 elements that are no objects in one message; at most 9"),
        ({f"k{n}": n for n in range(21)}, "fields; a row must have fewer"),
    ],
)
def test_a_message_has_bounds(content: Any, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "FEED_MESSAGE_BYTES_MAX", 1_000)
    monkeypatch.setattr(contents, "FEED_MESSAGE_VALUES_MAX", 60)
    monkeypatch.setattr(contents, "FEED_MESSAGE_ROWS_MAX", 25)
    monkeypatch.setattr(contents, "FEED_MESSAGE_OTHERS_MAX", 9)
    monkeypatch.setattr(messages, "FEED_ROW_FIELDS_MAX", 20)
    batches, health = read(content, CANDLE)
    assert sum(len(batch.frame) for batch in batches) == 1
    assert health.rejected == 1
    assert reason in health.rejections[0].reason


def test_a_number_of_a_million_digits_spoils_its_row_only() -> None:
    long = json.dumps([CANDLE, CANDLE | {"seq": 7}]).replace("7}", "7" * 1_000_000 + "}")
    batches, health = read(long)
    assert sum(len(batch.frame) for batch in batches) == 1
    (rejection,) = health.rejections
    assert rejection.reason.startswith("seq='7777")
    assert rejection.reason.endswith("must be a whole number")
    assert len(rejection.reason) < 300


def test_greetings_and_heartbeats_are_no_mistakes() -> None:
    batches, health = read({"type": "heartbeat"}, {"status": "subscribed"}, {})
    assert (batches, health.notices, health.rejected) == ([], 3, 0)


def test_the_last_rejections_are_kept_and_all_are_counted() -> None:
    _, health = read(*[f"rubbish {n} " + "x" * 1_000 for n in range(150)])
    assert (health.rejected, len(health.rejections)) == (150, 100)
    assert health.rejections[-1].text.startswith("rubbish 149 ")
    assert len(health.rejections[-1].text) == 500


NAMES = st.sampled_from([*CANDLE, *TICK, "seq", "oi", "ltq", "vtt", "data", "x"])
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.just("2025-06-02Z"),
)
JSON = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=12),
    max_leaves=40,
)
SPOILT = st.dictionaries(NAMES, ATOMS, max_size=3).map(lambda more: CANDLE | more)


def count(content: Any) -> int:
    """Return how many rows, notices and rejections a message must give."""
    if isinstance(content, dict) and isinstance(content.get("data"), list | dict):
        # A message without any is a notice itself.
        content = content["data"] or content
    return len(content) if isinstance(content, list) else 1


@given(st.lists(JSON | SPOILT | st.lists(SPOILT, max_size=5), max_size=5))
@example([{"data": []}])
def test_any_json_is_counted_and_nothing_breaks(contents: list[Any]) -> None:
    batches, health = read(*[json.dumps(content) for content in contents])
    frames = [batch.frame for batch in batches]
    rows = sum(len(frame) for frame in frames)
    assert rows + health.notices + health.rejected == sum(count(each) for each in contents)
    for frame in frames:
        assert frame.select(pl.col("instrument", "timestamp").null_count().max()).row(0) == (0, 0)

"""Goal: what a document leaves out is asked for, all of it at once; nothing is guessed, nothing
overruled; and a candle that has not ended when it is read is set aside.

Method: documents that say less and less, names of files, contradictions; the clock given.
"""

from __future__ import annotations

import re

import polars as pl
import pytest

from tallow.core.errors import CandleInputError, NaiveTimeError, TimeframeError
from tallow.core.timeframe import parse_timeframe
from tallow.data.providers.document import read_document
from tallow.data.providers.facts import latest_open
from tests.data.providers.documents import (
    BHAVCOPY,
    BINANCE_2025,
    CCXT,
    DOCUMENTS,
    GENERIC,
    KITE,
    SHARES,
    UPSTOX,
    YFINANCE_ADJUSTED,
    Given,
    microseconds,
)

NAIVE = GENERIC.replace("+05:30", "").replace("T09", "T03")
"""At an hour in which no session tells the zone."""


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (UPSTOX, "instrument, timeframe, adjustment"),
        (KITE, "instrument, timeframe, adjustment"),
        (CCXT, "instrument, timeframe"),
        (BINANCE_2025, "instrument"),
        (YFINANCE_ADJUSTED, "instrument, timeframe, timezone"),
        (GENERIC, "timeframe, adjustment"),
        (NAIVE, "timeframe, timezone, adjustment"),
        (NAIVE.replace("symbol", "name"), "instrument, timeframe, timezone, adjustment"),
    ],
)
def test_all_that_is_missing_is_named_at_once(text, missing, tmp_path):
    path = write(tmp_path, "a.csv", text)
    with pytest.raises(CandleInputError) as raised:
        read_document(path)
    said, hint = str(raised.value).removeprefix(f"{path}: ").split(" not said by the document; ")
    assert said == missing
    asked = {"instrument": "instrument_key", "timeframe": "source_timeframe"}
    for name in missing.split(", "):
        assert f"add {asked.get(name, name)}=" in hint.replace(", ", ", add ")


def test_a_zone_alone_is_asked_for_with_an_example_of_the_times(tmp_path):
    with pytest.raises(NaiveTimeError, match="'2025-06-02T03:15:00' has no zone"):
        read_document(write(tmp_path, "a.csv", NAIVE), source_timeframe="1m", adjustment="raw")


def test_the_name_of_a_file_says_what_its_pattern_names(tmp_path):
    pattern = r"(?P<instrument>\w+)-(?P<timeframe>\w+)-(?P<adjustment>[^-]+)(-part\d)?\.json"
    document = read_document(write(tmp_path, "INFY-5m-split.json", UPSTOX), pattern=pattern)
    assert document.candles.frame["instrument"].unique().to_list() == ["INFY"]
    assert (str(document.timeframe), document.adjustment) == ("5m", "split")


def test_what_is_said_twice_and_alike_is_no_contradiction(tmp_path):
    path = write(tmp_path, "BTCUSDT-1min.csv", BINANCE_2025)
    given: Given = {
        "instrument_key": "BTCUSDT",
        "source_timeframe": parse_timeframe("1m"),
        "timezone": "UTC",
    }
    pattern = r"(?P<instrument>\w+)-(?P<timeframe>\w+)\.csv"
    assert len(read_document(path, pattern=pattern, adjustment="raw", **given).candles) == 2


@pytest.mark.parametrize(
    ("name", "text", "given", "told"),
    [
        (
            "a.csv",
            BHAVCOPY,
            {"source_timeframe": "1m"},
            "source_timeframe='1m' given, '1d' by the document",
        ),
        ("a.csv", BHAVCOPY, {"adjustment": "split"}, "adjustment='split' given, 'raw' by the doc"),
        ("a.csv", BHAVCOPY, {"timezone": "UTC"}, "timezone='UTC' given, 'Asia/Kolkata' by the doc"),
        (
            "a.csv",
            BHAVCOPY,
            {"instrument_key": "A"},
            "instrument_key='A' given, 'NSE_BL|INE002A01018' in",
        ),
        ("a.csv", GENERIC, {"instrument_key": "A"}, "instrument_key='A' given, 'B' in its rows"),
        (
            "A-1m-2025-01.csv",
            BINANCE_2025,
            {"instrument_key": "B"},
            "'B' given, 'A' by the document",
        ),
        ("a.csv", YFINANCE_ADJUSTED, {"adjustment": "raw"}, "'raw' given, 'split' by the document"),
        (
            "B_raw.json",
            UPSTOX,
            {"pattern": r"(?P<instrument>.)_raw\.json"},
            "instrument_key='NSE_EQ|INE301A01014' given, 'B' by the file's name",
        ),
    ],
)
def test_a_contradiction_is_never_settled_by_force(name, text, given, told, tmp_path):
    given = SHARES | given if text == UPSTOX else given
    if text == GENERIC:
        given = {"source_timeframe": "1m", "adjustment": "raw"} | given
    with pytest.raises(CandleInputError, match=re.escape(told)):
        read_document(write(tmp_path, name, text), **given)


def test_one_instrument_given_and_in_every_row(tmp_path):
    path = write(tmp_path, "a.csv", GENERIC.replace("\nB", "\nA").replace("3,4,2.5,3.5,20", ""))
    document = read_document(path, instrument_key="A", source_timeframe="1m", adjustment="raw")
    assert document.candles.report.accepted == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"adjustment": "split adjusted"}, "adjustment='split adjusted'; must be letters"),
        ({"adjustment": ""}, "adjustment=''; must be letters"),
        ({"timezone": "Asia/Bombay"}, "timezone='Asia/Bombay' given"),
        ({"instrument_key": ""}, "instrument_key=''; must be text that is not empty"),
        ({"pattern": "(?P<symbol>.*)"}, "groups such as .* did you mean|known: adjustment"),
        ({"pattern": ".*"}, "must have groups such as"),
        ({"pattern": "(?P<instrument>"}, "must be a regular expression; missing"),
        ({"pattern": r"(?P<timeframe>\d\w)\.csv"}, r"must fit the whole name 'a\.json'; add \.\*"),
    ],
)
def test_a_fact_that_is_none(given, told, tmp_path):
    with pytest.raises(CandleInputError, match=told):
        read_document(write(tmp_path, "a.json", UPSTOX), **SHARES | given)


def test_a_zone_and_a_timeframe_that_do_not_exist(tmp_path):
    path = write(tmp_path, "a.csv", NAIVE)
    with pytest.raises(CandleInputError, match=r"timezone='Asia/Kolkatta'.*did you mean"):
        read_document(path, source_timeframe="1m", adjustment="raw", timezone="Asia/Kolkatta")
    with pytest.raises(TimeframeError, match=r"a\.csv: timeframe: 'minute'; must be"):
        read_document(path, source_timeframe="minute", adjustment="raw")


def test_a_frame_has_no_name():
    frame = pl.DataFrame({"open": [1.0]})
    with pytest.raises(CandleInputError, match="frame: has no file name"):
        read_document(frame, pattern="(?P<instrument>.*)")


@pytest.mark.parametrize(
    ("form", "now", "forming"),
    [
        ("upstox", "2025-06-02T03:47:59", 1),
        ("upstox", "2025-06-02T03:48:00", 0),
        ("upstox", "2025-06-02T03:45:30", 3),
        ("kite", "2017-12-15T03:46:30", 1),
        ("ccxt", "2025-01-01T00:01:59", 1),
        ("binance", "2025-01-01T00:01:59", 1),
        ("generic", "2025-06-02T03:45:59", 2),
        # In New York, the 20th ends at 05:00 of the 21st in UTC.
        ("yfinance", "2023-02-21T04:59:59", 1),
        ("yfinance", "2023-02-21T05:00:00", 0),
        # Published on the evening of its day; but none is published before its day.
        ("bhavcopy", "2025-01-02T13:00:00", 0),
        ("bhavcopy", "2025-01-01T18:29:59", 3),
    ],
)
def test_a_candle_that_has_not_ended_is_set_aside(form, now, forming, tmp_path):
    name, text, given = DOCUMENTS[form]
    path = write(tmp_path, name, text)
    candles = read_document(path, now=microseconds(now), **given).candles
    assert candles.report.by_rule == ({"forming": forming} if forming else {})
    assert candles.report.accepted + forming == candles.report.rows_in
    again = read_document(path, **given).candles
    assert again.report.quarantined == 0


@pytest.mark.parametrize(
    ("now", "timeframe", "timezone", "latest"),
    [
        ("2025-03-10T10:00:30", "1h", "UTC", "2025-03-10T09:00:30"),
        ("2025-03-10T00:00:00", "1d", None, "2025-03-09T00:00:00"),
        # Clocks went forward on the 9th: the day had 23 hours.
        ("2025-03-10T04:00:00", "1d", "America/New_York", "2025-03-09T05:00:00"),
        ("2025-03-10T00:00:00", "1w", "UTC", "2025-03-03T00:00:00"),
        ("2025-02-28T18:30:00", "1mo", "Asia/Kolkata", "2025-01-31T18:30:00"),
        ("2025-02-28T18:29:59", "1mo", "Asia/Kolkata", "2025-01-28T18:29:59"),
        # In March's last days, February has ended and March has not.
        ("2025-03-31T12:00:00", "1mo", "UTC", "2025-02-28T12:00:00"),
    ],
)
def test_when_the_last_candle_opens_that_has_ended(now, timeframe, timezone, latest):
    found = latest_open(microseconds(now), parse_timeframe(timeframe), timezone)
    assert found == microseconds(latest)

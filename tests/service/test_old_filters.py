"""Goal: the old filter pipeline answers as its text says, with those stocks that it should find.

Method: made days, of which it is known which are strong; the numbers expected are written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tallow.service.service import Service
from tests.service.asking import Client
from tests.service.old_world import (
    CHEAP,
    DAY,
    DOWN,
    NUMBER,
    UP,
    YOUNG,
    assert_shape,
    days,
    double,
    minutes,
    moment_text,
    old_service,
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with old_service(tmp_path_factory.mktemp("old") / "candles", minutes(), days()) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Client:
    return Client(service)


STOCK = {
    **dict.fromkeys(
        ("id", "symbol", "name", "exchange", "instrumentType", "isin", "instrumentKey",
         "tradingSymbol", "exchangeToken", "securityId"), str),
    "lastPrice": NUMBER, "tickSize": NUMBER, "lotSize": int, "isSelected": bool,
    "createdAt": moment_text, "updatedAt": moment_text,
}  # fmt: skip
TREND = {
    "Type": str,
    "BelowEMACount": int,
    "AboveEMACount": int,
    "TrendPercentage": NUMBER,
    "EMAValues": [NUMBER],
    "StartDate": moment_text,
    "EndDate": moment_text,
}
MOVE = {
    "Date": moment_text,
    **dict.fromkeys(
        ("PriceChange", "HighPrice", "LowPrice", "OpenPrice", "ClosePrice", "Volume",
         "MoveStrength"), NUMBER),
    **dict.fromkeys(("IsMamba", "IsBullishMamba", "IsBearishMamba", "IsBullish"), bool),
}  # fmt: skip
SEQUENCE = {
    "Type": str,
    "Length": int,
    "StartDate": moment_text,
    "EndDate": moment_text,
    "Moves": [MOVE],
    "Strength": NUMBER,
}
ITEM = {
    "Stock": STOCK, "LastCandle": DAY, "IsBullish": bool, "IsBearish": bool,
    **dict.fromkeys(
        ("ClosePrice", "DailyVolume", "EMA50", "RSI14", "LastPrice", "LastVolume"), NUMBER),
    "SequenceAnalysis": {
        "Stock": STOCK, "Trend": TREND, "Sequences": [SEQUENCE], "CurrentSequence": SEQUENCE,
        "MambaSequences": [int], "NonMambaSequences": [int],
        "AverageMambaLen": NUMBER, "AverageNonMambaLen": NUMBER,
        "TotalMambaDays": int, "TotalNonMambaDays": int,
    },
    "FilterResults": dict,
    "FilterReasons": dict,
}  # fmt: skip
COUNTS = dict.fromkeys(
    ("total_stocks", "basic_filter_pass", "ema_filter_pass", "rsi_filter_pass", "bullish_stocks",
     "bearish_stocks", "processing_time_ms"),
    int,
)  # fmt: skip


def run(client: Client, **more: Any) -> Any:
    found = double(client.ask("POST", "/api/v1/filter-pipeline/run", **more))
    assert_shape(found, {"bullish_stocks": object, "bearish_stocks": object, "metrics": COUNTS})
    return found


def test_filters_find_what_rises_and_what_falls(client: Client) -> None:
    """Seven of the newest ten days are strong, in runs of 2, 3 and 2, in the trend's direction."""
    asked = {"instrumentKeys": [UP, DOWN, CHEAP, YOUNG]}
    found = run(client, json=asked)
    assert list(found["metrics"].values())[:6] == [4, 2, 2, 2, 1, 1]
    (up,), (down,) = found["bullish_stocks"], found["bearish_stocks"]
    assert_shape([up, down], [ITEM])
    assert (up["Stock"]["symbol"], up["Stock"]["instrumentKey"]) == ("RISING", UP)
    assert (up["Stock"]["exchange"], up["Stock"]["isin"]) == ("NSE", "INE000D01010")
    assert (up["IsBullish"], up["IsBearish"], down["IsBearish"]) == (True, False, True)
    assert up["ClosePrice"] == pytest.approx(100 * 1.03**7)
    assert (up["RSI14"], down["RSI14"]) == (100.0, 0.0)
    analysis = up["SequenceAnalysis"]
    assert (analysis["MambaSequences"], analysis["NonMambaSequences"]) == ([2, 3, 2], [1, 2])
    assert analysis["AverageMambaLen"] == pytest.approx(7 / 3)
    assert (analysis["TotalMambaDays"], analysis["TotalNonMambaDays"]) == (7, 3)
    assert analysis["Trend"]["Type"] == "BULLISH"
    assert (analysis["Trend"]["AboveEMACount"], analysis["Trend"]["TrendPercentage"]) == (10, 100)
    # 0.7 x 3 %/10 % of the move, and nothing of volume that is as always.
    assert analysis["Sequences"][0]["Strength"] == pytest.approx(0.21)
    assert analysis["CurrentSequence"]["Length"] == 2
    assert down["SequenceAnalysis"]["Trend"]["Type"] == "BEARISH"
    assert down["SequenceAnalysis"]["Sequences"][0]["Moves"][0]["PriceChange"] == pytest.approx(
        100 * 0.03 / 0.97
    )


@pytest.mark.parametrize("body", [None, "no object", {"instrumentKeys": 5}])
def test_a_bad_body_is_a_run_of_everybody(client: Client, body: Any) -> None:
    found = run(client, json=body)
    # The stocks of minutes have no EMA of 50 days yet.
    assert found["metrics"]["total_stocks"] == 6
    assert len(found["bullish_stocks"]) == 1


def test_nobody_passes_is_null(client: Client) -> None:
    found = run(client, json={"instrumentKeys": [CHEAP]})
    assert (found["bullish_stocks"], found["bearish_stocks"]) == (None, None)


def test_top_ten(client: Client) -> None:
    answer = client.get("/api/v1/filter-pipeline/fetch/top-10").json()
    row = {
        "id": int,
        "symbol": str,
        "instrument_key": str,
        "exchange_token": str,
        "trend": str,
        **dict.fromkeys(("current_price", "avg_mamba_move", "avg_non_mamba_move"), NUMBER),
        **dict.fromkeys(("mamba_count", "bullish_mamba_count", "bearish_mamba_count"), int),
        "mamba_series": [int],
        "non_mamba_series": [int],
        **dict.fromkeys(("filter_date", "created_at", "updated_at"), moment_text),
    }
    assert_shape(answer, {"success": True, "data": [row]})
    assert {each["instrument_key"]: each["mamba_count"] for each in answer["data"]} == {
        UP: 7,
        DOWN: 7,
    }
    assert [
        each["bearish_mamba_count"] for each in answer["data"] if each["trend"] == "BEARISH"
    ] == [7]

"""Goal: the old dashboard's alerts are raised by bars that close, once, and the last ones are kept.

Method: candles are written to a service that has ended when its alerts are asked for, so that none
is still to come; what is read again of a corrected bar is noted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow.core.errors import StoreError
from tallow.core.time import to_us
from tallow.service.compat import board_rows
from tallow.service.compat.board import EVENTS_KEPT
from tallow.service.compat.board_rules import BoardRules, strength_of
from tests.frames import candles
from tests.service.asking import Client
from tests.service.old_world import (
    DEMO,
    E3,
    EVENT,
    GROUP,
    NOW,
    OTHER,
    ask,
    minutes,
    old_service,
    shaped,
)


def next_bars(count: int, name: str = DEMO) -> pl.DataFrame:
    """Return minutes of the session after, and the first of the bar behind the last one."""
    first = datetime.fromisoformat("2025-07-23T09:15+05:30").astimezone(UTC)
    times = [first + timedelta(minutes=number) for number in range(5 * count + 1)]
    return candles(name, times, volume=100.0)


def test_an_alert_is_raised_once_by_the_bar_that_closes(tmp_path: Path) -> None:
    """What is set is as wide as can be, so that the next bar of each stock is a cause."""
    with old_service(tmp_path / "candles", minutes(), compat_universe="BB_RANGE") as service:
        service.store.universes.record(GROUP)
        client = Client(service)
        # What the feed's thread does a moment later, whichever comes first then.
        service.live.advance(datetime.now(UTC))
        ask(client, "/alerts/configure", "POST", json={"alert_threshold": 1e9})
        service.live.update(next_bars(3))
        service.live.update(next_bars(3, OTHER))
    assert service.board is not None
    # The service has ended, and with it the thread that raises them.
    shape = {**E3, "data": [EVENT], "count": 1, "total": 1}
    (event,) = shaped(client, "/alerts/history", shape)["data"]
    assert (event["Symbol"], event["AlertType"]) == ("DEMO", "threshold")
    assert event["Timestamp"] == "2025-07-23T09:15:00+05:30"
    assert event["BBWidth"] >= event["LowestMinBBWidth"] > 0
    for asked, count in (
        ({"symbol": "DEMO"}, 1),
        ({"symbol": "demo"}, 0),
        ({"alert_type": "squeeze"}, 0),
        ({"limit": "x"}, 1),
    ):
        found = ask(client, "/alerts/history", **asked).json()
        assert (found["count"], found["total"]) == (count, 1)
        assert found["data"] is None or count


def test_an_alert_that_cannot_be_kept_is_logged_and_the_next_one_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with old_service(tmp_path / "candles", minutes()) as service:
        assert service.board is not None
        client, members = Client(service), service.board.members
        service.live.advance(datetime.now(UTC))
        ask(client, "/alerts/configure", "POST", json={"alert_threshold": 1e9})
        errors, inner = [StoreError("store: damaged")], members.with_minutes

        def failing_once() -> list[str]:
            if errors:
                raise errors.pop()
            return inner()

        monkeypatch.setattr(members, "with_minutes", failing_once)
        service.live.update(next_bars(3))
        # Other rules begin anew.
        ask(client, "/alerts/configure", "POST", json={"alert_threshold": 1e8})
        service.live.update(next_bars(6))
    assert "kind=board" in capsys.readouterr().out
    assert len(service.board.events()) == 1


def test_a_corrected_bar_alone_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    inner = board_rows.board_bars

    def reading(engine: Any, names: list[str], start: datetime) -> pl.DataFrame:
        asked.append(list(names))
        return inner(engine, names, start)

    monkeypatch.setattr(board_rows, "board_bars", reading)
    monkeypatch.setattr(board_rows, "now_us", lambda: to_us(NOW))
    with old_service(tmp_path / "candles", minutes()) as service:
        client = Client(service)
        before = ask(client, "/dashboard-data").json()["data"]
        last = minutes().filter(instrument=DEMO).drop("symbol").tail(1)
        service.live.update(
            last.with_columns(close=pl.col("high") * 1.1, high=pl.col("high") * 1.1)
        )
        after = ask(client, "/dashboard-data").json()["data"]
        assert [sorted(each) for each in asked] == [[DEMO, OTHER], [DEMO]]
        assert after[0]["current_bb_width"] > before[0]["current_bb_width"]
        assert after[1]["current_bb_width"] == before[1]["current_bb_width"]
        # The next bar's step has come: whatever closed is looked for.
        monkeypatch.setattr(board_rows, "now_us", lambda: to_us(NOW + timedelta(minutes=5)))
        service.live.update(next_bars(1))
        ask(client, "/dashboard-data")
        assert sorted([*chain(*asked[2:])]) == [DEMO, OTHER]


def test_the_last_hundred_alerts_are_kept_and_a_limit_keeps_the_oldest(tmp_path: Path) -> None:
    with old_service(tmp_path / "candles", minutes().head(0)) as service:
        client, board = Client(service), service.board
        assert board is not None
        for number in range(EVENTS_KEPT + 20):
            board._events.append({"Symbol": "A", "AlertType": "threshold", "PatternLength": number})
        found = ask(client, "/alerts/history", limit="3").json()
        assert [each["PatternLength"] for each in found["data"]] == [20, 21, 22]
        assert (found["count"], found["total"]) == (3, 100)
        recent = ask(client, "/stats").json()["data"]["recent_alerts"]
        assert [each["PatternLength"] for each in recent] == [115, 116, 117, 118, 119]
        ask(client, "/alerts/history", "DELETE")
        assert ask(client, "/alerts/history").json()["data"] is None


NUMBERS = {"distance": 50.0, "contracting": 0.0, "contraction": 0.0}


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ({"distance": 0.1}, "threshold"),
        ({"distance": 0.1, "contracting": 9.0, "contraction": 50.0}, "threshold"),
        ({"contracting": 5.0, "contraction": 10.0}, "pattern"),
        ({"contracting": 4.0, "contraction": 50.0}, None),
        ({"distance": 5.0}, "squeeze"),
        ({"distance": 5.1}, None),
        ({"distance": None}, None),
    ],
)
def test_the_first_type_that_holds_counts(numbers: dict[str, Any], kind: str | None) -> None:
    assert BoardRules().kind_of(NUMBERS | numbers) == kind


@pytest.mark.parametrize(
    ("contracting", "contraction", "strength"),
    [(5, 10.1, "strong"), (5, 10.0, "moderate"), (3, 5.1, "moderate"), (2, 50.0, "weak")],
)
def test_a_pattern_is_as_strong_as_the_width_fell(
    contracting: float, contraction: float, strength: str
) -> None:
    numbers = {"contracting": contracting, "contraction": contraction}
    assert strength_of(numbers) == strength

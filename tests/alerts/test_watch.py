"""Goal: each rule fires where its condition begins to hold, once for each cause, whatever way the
candles come; what holds alerts back counts by the market's time.

Method: a planted history whose widths are worked out by hand; and a twin in plain Python, which
looks at lists of closes, over drawn histories that come minute by minute, in pieces and corrected.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from tallow.alerts import Alert, AlertRecord, AlertRule, Watch
from tallow.core.errors import AlertError, ScreenError
from tallow.textbook.squeezes import SqueezeRow, squeezed
from tests.alerts.markets import candles, drawn, engine, minute, planted, rules
from tests.sizes import sized

Told = tuple[datetime, str, str]


def told(alerts: Sequence[object]) -> list[Told]:
    return [(each.moment, each.rule, each.instrument) for each in alerts]  # type: ignore[attr-defined]


def watched(asked: Sequence[AlertRule], parts: Sequence[tuple[object, int]]) -> list[Told]:
    """Return what a watch tells of parts of a history, each with the minute at which it ends."""
    live, found = engine(asked, grace=0.0), []
    with Watch(live, asked) as watch:
        for part, end in parts:
            found += watch.take(live.update(part))
            found += watch.take(live.advance(minute(end)))
    return told(found)


# By hand: widths 7, 6, 5 from minute 5 on are each the lowest of four, and so in range. Minute 5 is
# the third fall in a row, from 10 to 7. At minute 8 the width of 10 is beyond 5.5, 5 was not.
ONCE = [
    (minute(6), "threshold", "A"),
    (minute(6), "pattern", "A"),
    (minute(9), "release", "A"),
    (minute(10), "busy", "A"),
]


def test_each_planted_alert_fires_once() -> None:
    parts = planted()
    assert watched(rules(), [(part, end) for end, part in enumerate(parts, start=1)]) == ONCE
    assert watched(rules(), [(pl.concat(parts), len(parts))]) == ONCE


def test_a_reason_has_the_numbers_in_words() -> None:
    asked = rules()
    live = engine(asked)
    with Watch(live, asked) as watch:
        found = [each for part in planted() for each in watch.take(live.update(part))]
    assert [each.reason for each in found] == [
        "band width is 0.00 % above its lowest, 7; bars in range: 1",
        "band width fell 3 bars in a row, by 30.0 %, and is 0.00 % above its lowest",
        "band width expands out of a squeeze (bars in range: 1), to 100.00 % above its lowest, 5",
        "volume > 5000; volume = 9000",
    ]
    assert found[0].numbers == {"distance": 0.0, "lowest": 7.0, "in_range": 1.0}
    assert found[0].opened == minute(5)


class Listening:
    """Keeps what it is sent."""

    name = "listening"

    def __init__(self) -> None:
        self.sent: list[Alert] = []

    def send(self, alert: Alert) -> None:
        self.sent.append(alert)

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("size", [1, 5, 12])
def test_an_end_is_told_once_of_what_was_told(size: int, tmp_path: Path) -> None:
    """Whether bars come one by one or many at once, with a restart before each part."""
    asked, sent = [*rules()], []
    for first in range(0, 12, size):
        live, sink = engine(asked), Listening()
        for part in planted(0, first):
            live.update(part)
        with Watch(live, asked, [sink], record=tmp_path / "record", tells_ends=True) as watch:
            watch.take(live.update(pl.concat(planted(first, min(first + size, 12)))))
        sent += sink.sent
    # The widths leave the range at minute 8, and the third fall in a row is followed by none. That
    # the bands were left is a moment, which has no end.
    found = [(each.moment, each.rule, each.state) for each in sent]
    assert [each for each in found if each[2] == "began"] == [(*each[:2], "began") for each in ONCE]
    ends = [each[:2] for each in found if each[2] == "over"]
    assert ends == [(minute(9), "threshold"), (minute(9), "pattern"), (minute(11), "busy")]
    assert [each.cause for each in sent if each.state == "over"] == [
        f"{each.cause}:over" for each in sent if each.state == "began" and each.rule != "release"
    ]


class Twin:
    """What a watch must tell, from lists."""

    def __init__(self, asked: Sequence[AlertRule]) -> None:
        self.rules = {rule.name: rule for rule in asked}
        self.last: dict[tuple[str, str], datetime] = {}
        self.times: dict[str, list[datetime]] = {name: [] for name in self.rules}

    def holds(self, closes: list[float]) -> dict[str, bool | None]:
        """Say which conditions hold at the newest close; None where nobody knows."""
        widths = [abs(b - a) for a, b in pairwise(closes)][-4:]
        known: SqueezeRow | None = squeezed(widths, 10.0) if len(widths) == 4 else None
        if known is None:
            return {"threshold": None, "pattern": None, "release": None, "busy": False}
        near = None if known.distance is None else known.distance <= 1.0
        falls = known.contracting >= 3 and known.contraction >= 20.0
        return {"threshold": near, "pattern": falls, "release": known.release == 1, "busy": False}

    def tell(self, rows: Sequence[tuple[str, int, float]]) -> list[Told]:
        """Look at all bars in the order of time, rule and instrument."""
        closes: dict[str, list[float]] = {}
        armed: dict[tuple[str, str], bool] = {}
        found: list[Told] = []
        for number in sorted({row[1] for row in rows}):
            causes = []
            for name, _, close in sorted(row for row in rows if row[1] == number):
                closes.setdefault(name, []).append(close)
                for place, (rule, holds) in enumerate(self.holds(closes[name]).items()):
                    if holds and armed.get((rule, name), True):
                        causes.append((place, name, rule))
                    armed[rule, name] = (
                        armed.get((rule, name), True) if holds is None else not holds
                    )
            moment = minute(number + 1)
            for _, name, rule in sorted(causes):
                if self.is_let_through(rule, name, moment):
                    found.append((moment, rule, name))
        return found

    def is_let_through(self, rule: str, name: str, moment: datetime) -> bool:
        before, limits = self.last.get((rule, name)), self.rules[rule]
        if before is not None and (moment - before).total_seconds() < limits.cooldown:
            return False
        hour = moment - timedelta(hours=1)
        if sum(each > hour for each in self.times[rule]) >= limits.hourly_cap:
            return False
        self.last[rule, name] = moment
        self.times[rule].append(moment)
        return True


@pytest.mark.parametrize("seed", range(sized(2, 4)))
def test_the_twin_tells_the_same_minute_by_minute(seed: int) -> None:
    draw = random.Random(seed)
    asked = rules(cooldown=draw.choice([0.0, 240.0]), hourly_cap=draw.choice([3, 1_000]))
    rows = drawn(draw, "ABC", 150)
    want = Twin(asked).tell(rows)
    assert len(want) > 5
    parts = [(candles([row for row in rows if row[1] == k]), k + 1) for k in range(150)]
    assert watched(asked, parts) == want


@pytest.mark.parametrize("seed", range(sized(2, 4)))
def test_the_twin_tells_the_same_in_pieces(seed: int) -> None:
    """The last bars of a piece close by the clock, after later ones of others."""
    draw = random.Random(seed)
    asked = rules(cooldown=240.0, hourly_cap=1_000)
    rows = drawn(draw, "ABC", 150)
    cuts = sorted({0, 150, *(draw.randrange(150) for _ in range(12))})
    pieces = [
        (candles([row for row in rows if low <= row[1] < high]), high)
        for low, high in pairwise(cuts)
    ]
    assert sorted(watched(asked, pieces)) == sorted(Twin(asked).tell(rows))


def rise(**options: object) -> list[AlertRule]:
    given: dict[str, object] = {"timeframe": "1m", "cooldown": 0.0} | options
    return [AlertRule("high", "close > 10", **given)]  # type: ignore[arg-type]


def test_a_corrected_bar_is_no_second_cause() -> None:
    asked = rise()
    live = engine(asked)
    with Watch(live, asked) as watch:
        # True, then false, then true again; minute 1 is open meanwhile.
        versions = ([("A", 0, 11), ("A", 1, 5)], [("A", 0, 9)], [("A", 0, 12)])
        found = [told(watch.take(live.update(candles(rows)))) for rows in versions]
        assert found == [[(minute(1), "high", "A")], [], []]
        assert watch.statistics.rules["high"] == {
            "fired": 1,
            "cooldown": 0,
            "cap": 0,
            "repeated": 1,
            "unclaimed": 0,
        }
        # It held when it was told last, and does now: nothing begins.
        assert not watch.take(live.update(candles([("A", 1, 13), ("A", 2, 5)])))
        # Corrected to false, the next bar begins anew.
        assert not watch.take(live.update(candles([("A", 1, 5)])))
        assert told(watch.take(live.update(candles([("A", 2, 14), ("A", 3, 5)])))) == [
            (minute(3), "high", "A")
        ]


def test_a_correction_to_true_is_told_and_an_earlier_bar_is_not() -> None:
    asked = rise()
    live = engine(asked)
    with Watch(live, asked) as watch:
        assert not watch.take(live.update(candles([("A", 0, 5), ("A", 1, 5), ("A", 2, 5)])))
        assert not watch.take(live.update(candles([("A", 0, 20)])))
        assert told(watch.take(live.update(candles([("A", 1, 20)])))) == [(minute(2), "high", "A")]


def test_updates_that_come_after_the_engine_went_on_miss_no_bar() -> None:
    """A session gives the updates of a step together: the engine has taken all of them by then."""
    asked = rise()
    live = engine(asked)
    closes = [5.0, 11.0, 5.0, 5.0, 12.0, 5.0]
    updates = [live.update(candles([("A", k, close)])) for k, close in enumerate(closes)]
    with Watch(live, asked) as watch:
        found = [each for update in updates for each in watch.take(update)]
    assert told(found) == [(minute(2), "high", "A"), (minute(5), "high", "A")]


def test_it_is_armed_again_only_after_false_and_not_after_unknown() -> None:
    asked = [
        AlertRule("change", "change(close, 1) > 0 or close / (close - 7) > 1000", "1m", cooldown=0)
    ]
    live = engine(asked)
    # 7 divides by zero: unknown while it falls; 6 is false.
    closes = (8, 9, 7, 9, 6, 9, 1)
    rows = [("A", k, float(close)) for k, close in enumerate(closes)]
    with Watch(live, asked) as watch:
        found = [each for row in rows for each in watch.take(live.update(candles([row])))]
    assert [each.opened for each in found] == [minute(1), minute(5)]


def test_cooldown_and_cap_count_by_the_ends_of_bars() -> None:
    asked = rise(cooldown=180.0, hourly_cap=2)
    names = ("A", "B", "C")
    live = engine(asked)
    with Watch(live, asked) as watch:
        found = []
        for number in range(70):
            price = 11.0 if number % 2 == 0 else 9.0
            rows = [(name, number, price) for name in names]
            found += watch.take(live.update(candles(rows)))
        counts = watch.statistics.rules["high"]
    # A and B at 1; C is capped, and what follows is in a cooldown or capped, until an hour later.
    assert told(found) == [
        (minute(1), "high", "A"),
        (minute(1), "high", "B"),
        (minute(61), "high", "A"),
        (minute(61), "high", "B"),
    ]
    # 35 bars of each begin; at minute 3 A and B are in their cooldown of three minutes.
    assert counts["fired"] + counts["cooldown"] + counts["cap"] == 35 * 3
    assert counts["cooldown"] == 4


def test_what_a_watch_cannot_do_is_said_when_it_is_made() -> None:
    live = engine(rise())
    with pytest.raises(ScreenError, match="no indicator of this live engine"):
        Watch(live, [AlertRule("near", "ema(9) > 1", "1m")])
    with pytest.raises(ScreenError, match="5m; is no timeframe of this live engine"):
        Watch(live, [AlertRule("near", "close > 1", "5m")])
    with pytest.raises(AlertError, match="two have this name; rename one"):
        Watch(live, [*rise(), *rise()])
    with pytest.raises(AlertError, match=r"0 of them; must be 1\.\.200"):
        Watch(live, [])


def test_a_record_that_cannot_be_written_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    record, asked = AlertRecord(), rise()
    live = engine(asked)

    def claim(*_: object) -> None:
        raise AlertError("alerts: record=x; disk full")

    monkeypatch.setattr(record, "claim", claim)
    with Watch(live, asked, record=record) as watch:
        assert not watch.take(live.update(candles([("A", 0, 11), ("A", 1, 5)])))
        statistics = watch.statistics
    assert statistics.rules["high"]["unclaimed"] == 1
    assert statistics.problems == ("alerts: record=x; disk full",)

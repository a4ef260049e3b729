"""Goal: every instrument is asked for once a side, one that fails is one error, and a control that
does not repeat itself is seen.

Method: engines of a few lines that keep what they were asked, raise for some instruments, or count
their answers.
"""

from __future__ import annotations

import itertools
import random
import warnings

import polars as pl
import pytest

from tallow.core.errors import ComparisonError, EngineError, TallowWarning
from tallow.core.limits import COMPARE_FAILURES_ASKED
from tallow.migrate.compare import ComparisonRules, asking, pool
from tallow.migrate.compare.asking import ComparisonRun, ask_and_compare, split_blocks
from tallow.migrate.compare.values import ComparisonValues
from tallow.migrate.protocol import Request
from tests.migrate.compare.answers import Fixed, answer, candles, dies

NAMES = ["A", "B", "C", "D", "E", "F", "G", "H"]
BARS = pl.concat([answer(2, 0, name, close=[1.0, 2.0]) for name in NAMES])


def asked(control, candidate, names=NAMES) -> ComparisonRun:
    request = Request(candles(names), indicators="sma(9)")
    return ask_and_compare(control, candidate, request, ComparisonRules(), lambda *_: None)


def test_blocks_have_whole_instruments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "COMPARE_BLOCK_ROWS", 25)
    request = Request(candles(NAMES[:5], minutes=10))
    names = [part.candles["instrument"].unique().sort().to_list() for part in split_blocks(request)]
    assert names == [["A", "B"], ["C", "D"], ["E"]]
    monkeypatch.setattr(asking, "COMPARE_BLOCK_ROWS", 3)
    assert [len(part.candles) for part in split_blocks(request)] == [10] * 5
    empty = Request(candles(["A"]).clear())
    assert [len(part.candles) for part in split_blocks(empty)] == [0]


@pytest.mark.parametrize("workers", [1, 2])
def test_neither_blocks_nor_processes_change_anything(
    monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    draw = random.Random(3)
    wrong = BARS.with_columns(close=pl.Series([draw.choice([1.0, 1.1, 3.0]) for _ in range(16)]))
    request = Request(candles(NAMES), indicators="sma(9)")

    def found() -> ComparisonValues:
        return ask_and_compare(
            Fixed(BARS), Fixed(wrong), request, ComparisonRules(), lambda *_: None, workers
        ).values

    whole = found()
    monkeypatch.setattr(asking, "COMPARE_BLOCK_ROWS", 15)
    parts = found()
    assert parts.instruments == whole.instruments
    assert list(parts.instruments) == NAMES
    ranks = [[row.rank() for row in each.worst["close"]] for each in (parts, whole)]
    assert ranks[0] == ranks[1]
    assert (parts.rows, parts.first, parts.last) == (whole.rows, whole.first, whole.last)


def test_a_process_that_dies_is_an_error_and_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "COMPARE_BLOCK_ROWS", 15)
    monkeypatch.setattr(pool, "compare_answers", dies)
    request = Request(candles(NAMES), indicators="sma(9)")
    with pytest.raises(ComparisonError, match="a process that compares died"):
        ask_and_compare(Fixed(BARS), Fixed(BARS), request, ComparisonRules(), lambda *_: None, 2)


def test_the_control_is_asked_twice_and_the_candidate_once() -> None:
    control, candidate = Fixed(BARS), Fixed(BARS)
    found = asked(control, candidate)
    assert (len(control.asked), len(candidate.asked)) == (2, 1)
    assert (found.noise.compared, found.noise.differing) == (16, 0)


def test_a_control_that_does_not_repeat_itself_is_noise() -> None:
    turns = itertools.count()
    control = Fixed(lambda _: BARS.with_columns(pl.col("close") + 10.0 * (next(turns) % 2)))
    noise = asked(control, Fixed(BARS)).noise
    assert (noise.compared, noise.differing, noise.series) == (16, 16, {"close": 16})


def test_a_control_that_fails_the_second_time_is_noise() -> None:
    turns = itertools.count()

    def once(_request: Request) -> pl.DataFrame:
        if next(turns):
            raise EngineError("gone")
        return BARS

    assert asked(Fixed(once), Fixed(BARS)).noise.differing == 16


def test_an_instrument_that_fails_is_an_error_and_no_missing_value() -> None:
    bad = {"C": ValueError("no such table"), "F": EngineError("engine: too old")}
    found = asked(Fixed(BARS), Fixed(BARS, bad=bad))
    assert found.errors["candidate"] == {
        "C": "ValueError: no such table",
        "F": "engine: too old",
    }
    assert found.errors["control"] == {}
    assert "C" not in found.values.instruments
    assert found.values.total().equal == 12


def test_an_engine_that_warns_of_an_instrument_says_of_each_alone_why() -> None:
    def warning(request: Request) -> pl.DataFrame:
        if "B" in request.candles["instrument"].to_list():
            warnings.warn("B: no calendar", TallowWarning, stacklevel=1)
        return BARS

    assert asked(Fixed(BARS), Fixed(warning)).errors["candidate"] == {"B": "B: no calendar"}


def test_an_engine_that_fails_for_all_is_not_asked_for_all() -> None:
    bad = dict.fromkeys(NAMES, ValueError("down"))
    candidate = Fixed(BARS, bad=bad)
    with pytest.raises(ComparisonError, match=r"candidate='fixed'.*A: ValueError: down"):
        asked(Fixed(BARS), candidate)
    assert len(candidate.asked) == 1 + COMPARE_FAILURES_ASKED


def test_bars_of_nobody_are_an_error() -> None:
    with pytest.raises(ComparisonError, match="no bars on either side"):
        asked(Fixed(BARS.clear()), Fixed(BARS.clear()))


def test_instruments_that_were_not_asked_for_do_not_count() -> None:
    found = asked(Fixed(lambda _: BARS), Fixed(lambda _: BARS), names=["A", "B"])
    assert list(found.values.instruments) == ["A", "B"]


def test_progress_ends_at_all_instruments() -> None:
    seen: list[tuple[str, int, int]] = []
    request = Request(candles(NAMES), indicators="sma(9)")
    ask_and_compare(
        Fixed(BARS), Fixed(BARS), request, ComparisonRules(), lambda *at: seen.append(at)
    )
    assert seen[0] == ("Comparing", 0, 8)
    assert seen[-1] == ("Comparing", 8, 8)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)

"""Goal: sequences, patterns and scores are what their definitions say, and know no future.

Method: a slow twin in plain Python says the same of random histories, with SciPy's intervals; a
history is worked through by hand; what was answered at a moment stays when more candles come, and
in a store when they are corrected; on a random walk, where nothing can be foretold, successes are
the base rates.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import selectors

import tallow
from tallow.core.errors import EmptyWarning, ParameterError, RangeError, SpecError, TallowError
from tests.analysis import twin
from tests.analysis.twin import Asked, Bar, World
from tests.analysis.worlds import ENGINE, HOUR, OPEN, ask, candles_of, make_world, rows_of

SEEDS = st.integers(0, 2**32)
# Strengths of few prices and volumes lie on round numbers, where a rounding would decide.
ASKED = st.builds(
    Asked,
    length=st.integers(1, 6),
    threshold=st.sampled_from((0.0, 0.437, 0.551, 0.72, 1.0)),
    volume_weight=st.sampled_from((0.0, 0.31, 1.0)),
    horizon=st.integers(1, 6),
    split=st.sampled_from((0.1, 0.5, 0.9)),
)
DRAWN = settings(max_examples=25, deadline=None)


def assert_rows(got: Iterable[Mapping[str, Any]], want: Iterable[Mapping[str, Any]]) -> None:
    """Compare rows by what says which one each is, floats to a rounding."""
    keys = ("instrument", "start", "type", "direction", "length")

    def named(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, ...], Mapping[str, Any]]:
        return {tuple(row.get(key) for key in keys if key in row): row for row in rows}

    ours, theirs = named(got), named(want)
    assert ours.keys() == theirs.keys()
    for key, row in theirs.items():
        for name, value in row.items():
            own = ours[key].get(name, value)
            is_number = isinstance(value, float)
            same = pytest.approx(value, 1e-9, 1e-9) if is_number else value
            assert own == same, (key, name)


@given(SEEDS, ASKED)
@DRAWN
def test_every_sequence_is_the_twins(seed: int, asked: Asked) -> None:
    world = make_world(seed)
    found = ask(candles_of(world), asked)
    assert_rows(rows_of(found.sequences), twin.every_sequence(world, asked))


@given(SEEDS, ASKED)
@DRAWN
def test_patterns_are_the_twins(seed: int, asked: Asked) -> None:
    world = make_world(seed)
    found = ask(candles_of(world), asked)
    for frame, pooled in ((found.patterns, False), (found.pooled, True)):
        want = twin.patterns_of(world, asked, pooled=pooled)
        got = frame.to_dicts()
        if pooled:
            got = [{"instrument": "", **row} for row in got]
        # Of two that are equal but for a rounding, either may be the dominant one.
        assert_rows([_without_dominant(row) for row in got], want)
        assert _dominances(got) == pytest.approx(_dominances(want))
        order = [(row["instrument"], -row["frequency"]) for row in got]
        assert order == sorted(order)


def _without_dominant(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "is_dominant"}


def _dominances(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    return {row["instrument"]: row["dominance"] for row in rows if row["is_dominant"]}


@given(SEEDS, ASKED)
@DRAWN
def test_scores_are_the_twins_and_within_their_ranges(seed: int, asked: Asked) -> None:
    world = make_world(seed)
    found = ask(candles_of(world), asked).scores
    want = twin.scores_of(world, asked)
    assert_rows(found.drop(selectors.starts_with("dominant")).to_dicts(), want)
    for name, least in (("momentum", -1.0), ("volume_trend", -1.0), ("quality", 0.0)):
        assert found[name].drop_nulls().is_between(least, 1.0).all()
    for name in ("continuity", "predictive", "volume", "volume_steadiness"):
        assert found[name].drop_nulls().is_between(0.0, 1.0).all()


@given(SEEDS, ASKED, st.floats(0.0, 1.0))
@DRAWN
def test_what_was_answered_at_a_moment_stays(seed: int, asked: Asked, share: float) -> None:
    world = make_world(seed)
    ends = sorted({bar.ends for bars in world.values() for bar in bars})
    moment = ends[int(share * (len(ends) - 1))]
    seen = {name: [b for b in bars if b.ends <= moment] for name, bars in world.items()}
    seen = {name: bars for name, bars in seen.items() if bars}
    at = datetime.fromtimestamp(moment / 1e6, UTC)
    then, later = ask(candles_of(seen), asked), ask(candles_of(world), asked, at=at)
    assert (then.split_at, then.judged_at) == (later.split_at, later.judged_at)
    for name in ("sequences", "patterns", "pooled", "scores"):
        assert getattr(then, name).equals(getattr(later, name)), name


@given(SEEDS, ASKED)
@DRAWN
def test_what_is_over_stays_as_it_was(seed: int, asked: Asked) -> None:
    """Of a longer history, a sequence that was over is the same, and so is a known outcome."""
    world = make_world(seed)
    half = {name: bars[: (len(bars) + 1) // 2] for name, bars in world.items() if bars}
    then = [r for r in rows_of(ask(candles_of(half), asked).sequences) if r["over_at"]]
    later = rows_of(ask(candles_of(world), asked).sequences)
    for row in then:
        known = {name: value for name, value in row.items() if value is not None}
        assert any(known.items() <= each.items() for each in later)


# By hand


def hours(*moves: tuple[float, float]) -> World:
    """Return an instrument's bars from their opens and closes."""
    return {
        "A": [
            Bar(OPEN + k * HOUR, OPEN + (k + 1) * HOUR, opens, close, 10.0)
            for k, (opens, close) in enumerate(moves)
        ]
    }


BY_HAND = hours(
    # Up by 1, 2 and 6 %: the second and third are twice and three times the one before.
    *((100.0, 101.0), (100.0, 102.0), (100.0, 106.0)),
    # Down by 2 and 1 %: a third and a half of it.
    *((102.0, 100.0), (101.0, 100.0)),
    # Up by 3 %, three times; down by 1 %, a third.
    *((100.0, 103.0), (101.0, 100.0)),
)


def test_a_history_worked_through_by_hand() -> None:
    found = ask(candles_of(BY_HAND), Asked(length=1, threshold=0.5, volume_weight=0.0, horizon=1))
    rows = found.sequences.select("type", "direction", "length", "gap").rows()
    assert rows == [
        ("strong", 1, 2, None),
        ("weak", -1, 2, None),
        ("strong", 1, 1, 2),
        ("weak", -1, 1, 1),
    ]
    # 2 / (2 + 1) and 6 / (6 + 2); 2 / (2 + 6) and 1 / (1 + 2).
    assert found.sequences["strength"].to_list() == pytest.approx(
        [(2 / 3 + 3 / 4) / 2, (1 / 4 + 1 / 3) / 2, 3 / 4, 1 / 4]
    )
    # From 100 to 106, from 102 to 100, from 100 to 103, from 101 to 100.
    returns = [6.0, -200 / 102, 3.0, -100 / 101]
    assert found.sequences["return_percent"].to_list() == pytest.approx(returns)
    # Known to be over at closes of 100, 103 and 100; the next ones are 100 and 100.
    outcomes = found.sequences["outcome_percent"].to_list()
    assert outcomes[:2] == pytest.approx([0.0, 100 * 3 / 103])
    assert outcomes[2:] == [None, None]
    (scores,) = found.scores.to_dicts()
    assert scores["sequences"] == 3
    assert scores["continuity"] == 1 / 2
    # Lengths of 2 and 1: 1/2 and 0; a variance of 1/4 at a mean of 3/2.
    above = ((17 / 24 + 3 / 4) / 2 - 0.5) / 0.5
    assert scores["quality"] == pytest.approx(0.3 * 0.25 + 0.4 * above + 0.3 / (1 + 1 / 9))
    # All of the volumes are equal, so nothing can be said of how they grow.
    assert (scores["volume"], scores["volume_trend"], scores["volume_steadiness"]) == (0.5, None, 1)
    now = {key: scores[f"current_{key}"] for key in ("type", "direction", "length")}
    assert now == {"type": "weak", "direction": -1, "length": 1}


def test_a_flat_bar_is_in_no_sequence() -> None:
    up = (100.0, 102.0)
    world = hours(up, up, (100.0, 100.0), up, (100.0, 100.0))
    found = ask(candles_of(world), Asked(length=1, threshold=0.4, horizon=1))
    assert found.sequences["length"].to_list() == [1, 1]
    assert found.scores["current_type"].to_list() == [None]


# A market


def walks(instruments: int, bars: int) -> pl.DataFrame:
    """Return random walks: nothing that was says anything about what comes."""
    draw = np.random.default_rng(7)
    shape = (instruments, bars)
    close = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 0.01, shape), axis=1))
    opens = np.hstack([np.full((instruments, 1), 100.0), close[:, :-1]])
    times = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=k) for k in range(bars)]
    names = np.repeat([f"I{number:03d}" for number in range(instruments)], bars)
    return pl.DataFrame(
        {
            "instrument": names,
            "timestamp": times * instruments,
            "open": opens.ravel(),
            "high": np.maximum(opens, close).ravel(),
            "low": np.minimum(opens, close).ravel(),
            "close": close.ravel(),
            "volume": draw.lognormal(5.0, 1.0, shape).ravel(),
        }
    ).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))


def test_on_a_random_walk_successes_are_base_rates_and_scores_take_many_values() -> None:
    """A success that saw the bar by which a sequence is over would be far from them."""
    found = ask(walks(200, 400), Asked(length=20))
    often = found.pooled.filter(pl.col("outcomes") > 150)
    assert len(often) > 6
    gaps = (often["success"] - often["base_rate"]).abs()
    reach = often["success_high"] - often["success_low"]
    # Twice the interval: it is of 95 %, there are several, and outcomes overlap.
    assert (gaps < reach).all()
    assert found.scores["predictive"].mean() == pytest.approx(0.5, abs=0.03)
    names = ("quality", "continuity", "momentum", "predictive", "volume", "volume_trend")
    assert found.scores.select(pl.col(*names, "volume_steadiness").n_unique()).row(0) > (60,) * 7
    assert found.patterns["success"].n_unique() > 20


def test_what_is_foretold_that_comes_is_found() -> None:
    """Two strong rises, then two falls that give them back, again and again."""
    cycle = [(100.0, 104.0), (104.0, 109.0), (109.0, 108.9), (108.9, 105.0), (105.0, 100.0)]
    world = hours(*[*cycle, (100.0, 100.1)] * 20)
    found = ask(candles_of(world), Asked(length=6, threshold=0.4, horizon=1))
    up = found.patterns.row(by_predicate=pl.col("direction") == 1, named=True)
    assert (up["type"], up["length"], up["success"]) == ("strong", 2, 0.0)
    assert up["base_rate"] > 0.3
    assert found.scores["predictive"].to_list() == [1.0]


# What is asked


def test_instruments_and_a_start_leave_the_values_as_they_are() -> None:
    candles, asked = walks(4, 200), Asked(length=20)
    whole = ask(candles, asked).sequences
    own = ask(candles, asked, instruments="I002").sequences
    assert own.equals(whole.filter(instrument="I002"))
    start = datetime(2025, 1, 5, tzinfo=UTC)
    later = ask(candles, asked, start=start).sequences.drop("gap")
    assert later.equals(whole.filter(pl.col("start") >= start).drop("gap"))


def test_of_a_universe_count_sequences_of_members() -> None:
    candles, asked = walks(3, 200), Asked(length=20)
    dates = pl.DataFrame({"instrument": ["I001"], "from": ["2025-01-04"], "to": ["2025-01-06"]})
    universe = tallow.read_universe(dates, name="some")
    found = ask(candles, asked, universe=universe).sequences
    whole = ask(candles, asked, instruments="I001").sequences
    days = pl.col("end").dt.date().is_between(date(2025, 1, 4), date(2025, 1, 6))
    assert found.equals(whole.filter(days))


@pytest.mark.parametrize(
    ("given", "kind", "rule"),
    [
        ({"horizon": 0}, ParameterError, "horizon=0; must be a whole number of bars, 1..5,000"),
        ({"horizon": 2.0}, ParameterError, "horizon=2.0; must be a whole number"),
        ({"split": 1}, ParameterError, "split=1; must be above 0 and below 1"),
        ({"split": "half"}, ParameterError, "split='half'; must be above 0"),
        ({"moves": "ema(9)"}, ParameterError, "must be the indicator move"),
        ({"moves": "move(0)"}, ParameterError, "move: length=0; must be 1..5000"),
        ({"moves": "mov("}, SpecError, "mov"),
        ({"instruments": "B"}, RangeError, "instrument: 'B'; not in the input"),
        ({"at": "2099-01-01"}, RangeError, "sequences: at=2099-01-01; must not be later"),
        ({"known_at": datetime(2025, 7, 1, tzinfo=UTC)}, RangeError, "sequences: known_at"),
    ],
)
def test_what_cannot_be_is_refused(given: Any, kind: type[TallowError], rule: str) -> None:
    with pytest.raises(kind) as caught:
        ask(candles_of(BY_HAND), Asked(), **given)
    assert rule in str(caught.value)


def test_without_candles_and_a_store_it_is_said() -> None:
    with pytest.raises(ParameterError, match="sequences: candles=None, and the engine has no"):
        tallow.AnalyticsEngine().sequences()


def test_where_there_is_no_bar_it_is_said_why() -> None:
    at = datetime.fromtimestamp((OPEN + 60) / 1e6, UTC)
    with pytest.warns(EmptyWarning):
        found = ask(candles_of(BY_HAND), Asked(), at=at)
    assert found.sequences.is_empty()
    assert found.why_empty


# Moves in screens, and live


def test_a_screen_asks_for_moves() -> None:
    candles = candles_of(BY_HAND)
    moved = "move(1, 0.5, 0.0)"
    text = f"{moved}[strong] == 0 and {moved}[direction] < 0 and {moved}[bars] >= 2"
    at = datetime.fromtimestamp((OPEN + 5 * HOUR) / 1e6, UTC)
    given: dict[str, Any] = {"candles": candles, "source_timeframe": "1h"}
    assert ENGINE.screen(text, "1h", at=at, **given).counts["matched"] == 1
    assert ENGINE.screen(text, "1h", **given).counts["matched"] == 0


def test_a_live_engine_knows_the_moves_of_all_at_once() -> None:
    candles = candles_of(make_world(3))
    live = tallow.LiveEngine("1h", "move(3)", calendar="24/7", no_trade="keep")
    for _, hour in candles.sort("timestamp").group_by("timestamp", maintain_order=True):
        live.update(hour)
    whole = ENGINE.process_candles(candles, "1h", "move(3)").frame
    newest = whole.group_by("instrument", maintain_order=True).last()
    moves = selectors.starts_with("move_")
    assert live.latest("1h").sort("instrument").select(moves).equals(newest.select(moves))


# Of a store, as of a moment


def test_what_a_store_answered_at_a_moment_stays(tmp_path: Path) -> None:
    """Candles come hours at a time, some are corrected later; each answer is asked for again."""
    clock, asked, known, then = [OPEN], Asked(), dict[tuple[str, int], Bar](), dict[datetime, Any]()
    store = tallow.open_store(tmp_path / "store", create=True, clock=lambda: clock[0])
    engine = tallow.AnalyticsEngine(calendar="24/7", no_trade="keep", store=store)
    draw, bars = random.Random(4), sorted(rows_by_time(make_world(11)), key=itemgetter(0, 1))
    for _, group in groupby(bars, key=lambda each: each[0] // (8 * HOUR)):
        now = {(name, opens): bar for opens, name, bar in group}
        clock[0] = max(bar.ends for bar in now.values()) + 1
        for key in draw.sample(sorted(known), len(known) // 10):
            now[key] = replace(known[key], close=known[key].open * draw.uniform(0.97, 1.03))
        known |= now
        store.write(candles_of(world_of(now)), source_timeframe="1h")
        at = datetime.fromtimestamp(clock[0] / 1e6, UTC)
        then[at] = ask(candles_of(world_of(known)), asked, at=at)
    assert len(then) > 8
    given: dict[str, Any] = {"moves": "move(3, 0.55, 0.3)", "horizon": 2, "source_timeframe": "1h"}
    for at, expected in then.items():
        for when in ({"at": at}, {"known_at": at}, {"at": at, "known_at": at}):
            found = engine.sequences("1h", **(given | when))
            assert (found.split_at, found.judged_at) == (expected.split_at, expected.judged_at)
            for name in ("sequences", "patterns", "pooled", "scores"):
                assert getattr(found, name).equals(getattr(expected, name)), (name, when)


def rows_by_time(world: World) -> list[tuple[int, str, Bar]]:
    return [(bar.opens, name, bar) for name, bars in world.items() for bar in bars]


def world_of(bars: Mapping[tuple[str, int], Bar]) -> World:
    found: dict[str, list[Bar]] = {}
    for name, opens in sorted(bars):
        found.setdefault(name, []).append(bars[name, opens])
    return found

"""Goal: `tallow screen` shows, writes and prints who matches, counts the rest, and exits by it.

Method: half an hour of three instruments on four days lies in a file and in a store, with known
symbols; expected matches come from the bars by Polars. The command line is called as a shell would.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine, open_store
from tests.frames import local
from tests.runtime.members import DAYS, LIST, MEMBERS, market
from tests.serve.calling import SAID, tallow, told

SCREENS = """\
[up]
condition = "close > open"

[up_today]
description = "Up, by how much"
condition = "up and close > 1"
timeframe = "5m"
columns = {move = "close - open"}
sort = "close - open"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the shell, with a file of candles and a store of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TALLOW_STORE", raising=False)
    market().write_parquet("candles.parquet")
    market().with_columns(symbol="S-" + pl.col("instrument")).write_parquet("named.parquet")
    result = tallow("ingest", "named.parquet", "--store", "store", *SAID, "--quiet")
    assert result.exit_code == 0, result.output
    return tmp_path


def bars(size: str) -> pl.DataFrame:
    return AnalyticsEngine().process_candles(market(), size, "").frame


def newest_up() -> pl.DataFrame:
    """Return the newest bars of five minutes that went up, the largest move first."""
    last = bars("5m").group_by("instrument", maintain_order=True).last()
    up = last.filter(pl.col("close") > pl.col("open"))
    move = pl.col("close") - pl.col("open")
    return up.sort(move, descending=True)


def test_matches_of_files_and_of_a_store_are_ranked_with_their_columns(folder: Path):
    expected = newest_up()
    assert len(expected) > 0
    words = ("screen", "close > open", "-t", "5m", "--sort", "close - open")
    for where in (("candles.parquet",), ("--store", "store")):
        found = told(*words, *where, "--column", "move=close - open")
        assert [row["instrument"] for row in found["matches"]] == expected["instrument"].to_list()
        moves = [row["move"] for row in found["matches"]]
        assert moves == pytest.approx((expected["close"] - expected["open"]).to_list())
        assert found["counts"] == {"matched": len(expected), "not": 3 - len(expected), "unknown": 0}
        assert found["judged_at"] == f"{DAYS[-1]}T04:15:00+00:00"


def test_the_screen_shows_symbols_the_calendar_s_time_and_counts(folder: Path):
    result = tallow("screen", "close > 0", "--store", "store", "-t", "5m", "--column", "volume")
    assert result.exit_code == 0, result.output
    heading, _, *rows = result.stdout.splitlines()
    assert heading.split() == ["instrument", "symbol", "bar", "close", "volume"]
    assert [row.split()[:4] for row in rows[:3]] == [
        [name, f"S-{name}", "07-11", "09:40"] for name in "ABC"
    ]
    assert "3 matched, 0 not, 0 unknown" in result.stdout
    assert "bars of 5m to 2025-07-11 09:45; times in Asia/Kolkata" in result.stdout


def test_a_live_engine_s_state_is_asked(folder: Path):
    specs = "ema(2), bollinger(3, 2)[upper, lower], sma(hl2, 2), ema(rsi(2), 2)"
    live = LiveEngine(["5m", "15m"], specs, keep=200, grace=1.0)
    live.update(market())
    live.advance("2030-01-01T00:00Z")
    live.save("live.state")
    words = ("screen", "close > open", "--live", "live.state", "-t", "5m", "--sort", "close - open")
    result = tallow(*words, "--column", "bollinger(3, 2)[upper]", "-o", "matches.parquet")
    assert result.exit_code == 0, result.output
    found = pl.read_parquet("matches.parquet")
    assert found["instrument"].to_list() == newest_up()["instrument"].to_list()
    for wrong, why in {
        ("--at", "2025-07-16"): "--at 2025-07-16; a live engine knows the present alone",
        ("--store", "store"): "--live live.state, --store store; candles are of one of them",
    }.items():
        refused = tallow(*words, *wrong)
        assert (refused.exit_code, why in refused.stderr) == (2, True), refused.stderr


def test_columns_for_which_there_is_no_room_are_named(folder: Path):
    numbers = [f"close + {k} * volume + 0 * high" for k in range(9)]
    columns = [word for number in numbers for word in ("--column", number)]
    words = ("screen", "close > 0", "candles.parquet", "-t", "5m", *columns)
    result = tallow(*words, COLUMNS="80")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert numbers[8] in " ".join(result.stdout.split())
    assert "too wide here, in --output FILE and --json: close + " in result.stdout
    assert len(told(*words)["matches"][0]) == 12


def test_an_answer_without_a_match_is_an_answer(folder: Path):
    result = tallow("screen", "close < 0", "candles.parquet", "-t", "5m")
    assert result.exit_code == 0, result.output
    assert "nothing matches" in result.stdout
    assert "0 matched, 3 not, 0 unknown" in result.stdout


def test_what_cannot_be_judged_is_said_with_why_and_exits_with_1(folder: Path):
    result = tallow("screen", "ema(5000) > 1", "candles.parquet", "-t", "5m")
    assert result.exit_code == 1
    assert "3 without ema(length=5000)" in result.stdout
    assert "a value is not known: A, B, C" in result.stdout
    assert "no bar of 5m could be judged" in result.stderr


def test_a_bar_that_is_open_is_said_to_be_none_after_its_close(folder: Path):
    asked = ("screen", "forming high@1h > 1", "candles.parquet", "-t", "5m")
    result = tallow(*asked, "--end", "today")
    assert result.exit_code == 2
    assert "forming; is seen at one moment, and not over a range; give --at" in result.stderr
    assert tallow(*asked, "--at", f"{DAYS[0]}T09:27").exit_code == 0
    to_the_close = market().with_columns(pl.col("timestamp").dt.offset_by("345m"))
    to_the_close.write_parquet("late.parquet")
    closed = tallow("screen", "forming high@1h > 1", "late.parquet", "-t", "5m")
    assert closed.exit_code == 1
    assert "forming high@1h: no such bar is open" in closed.stderr
    assert "of the last closed one it is high@1h" in closed.stderr


def test_a_moment_and_a_range_are_asked(folder: Path):
    words = ("screen", "close > open", "--store", "store", "-t", "5m")
    at = told(*words, "--at", f"{DAYS[1]}T09:30")
    assert at["judged_at"] == f"{DAYS[1]}T04:00:00+00:00"
    assert "received first after" in at["notes"][0]
    over = told(*words, "--start", DAYS[1], "--end", DAYS[2])
    days = [text[:10] for text in local(bars("5m")["timestamp"])]
    inside = bars("5m").filter(pl.Series([day in DAYS[1:3] for day in days]))
    up = inside.filter(pl.col("close") > pl.col("open"))
    assert len(over["matches"]) == over["counts"]["matched"] == len(up)
    assert sum(over["counts"].values()) == len(inside)
    both = tallow(*words, "--at", DAYS[1], "--start", DAYS[1])
    assert both.exit_code == 2
    assert f"--at {DAYS[1]}, --start {DAYS[1]}; are two questions" in both.stderr


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow", "json"])
def test_matches_are_written(folder: Path, ending: str):
    words = ("screen", "close > 0", "candles.parquet", "-t", "5m", "-o", f"hits.{ending}")
    result = tallow(*words)
    assert result.exit_code == 0, result.output
    readers: dict[str, Callable[[str], pl.DataFrame]] = {
        "csv": pl.read_csv,
        "parquet": pl.read_parquet,
        "arrow": pl.read_ipc,
        "json": pl.read_json,
    }
    found = readers[ending](f"hits.{ending}")
    assert found["instrument"].to_list() == ["A", "B", "C"]


def test_members_on_the_day_are_asked(folder: Path):
    Path("list.csv").write_text(LIST)
    found = told("screen", "close > 0", "candles.parquet", "-t", "5m", "--universe", "list.csv")
    expected = [name for name in "ABC" if (name, DAYS[-1]) in MEMBERS]
    assert [row["instrument"] for row in found["matches"]] == expected
    assert found["notes"] == ["universe list: 1 of 3 members without a row: Z"]
    one = told("screen", "close > 0", "--store", "store", "-t", "5m", "--instrument", "S-B")
    assert [row["instrument"] for row in one["matches"]] == ["B"]


# Saved screens and sweeps


def test_a_saved_screen_is_asked_by_its_name(folder: Path):
    Path("screens.toml").write_text(SCREENS)
    result = tallow("screen", "up_today", "candles.parquet")
    assert result.exit_code == 0, result.output
    assert "saved screens of screens.toml: up, up_today" in result.stderr
    assert result.stdout.split()[:4] == ["instrument", "bar", "close", "move"]
    found = told("screen", "up_today", "candles.parquet")
    assert [row["instrument"] for row in found["matches"]] == newest_up()["instrument"].to_list()
    # What is given counts instead.
    assert told("screen", "up_today", "candles.parquet", "-t", "1m")["timeframe"] == "1m"
    named = told("screen", "not up", "candles.parquet", "-t", "5m")
    assert named["counts"]["not"] == len(newest_up())


def test_saved_screens_are_listed(folder: Path):
    empty = tallow("screen", "--list")
    assert (empty.exit_code, "no saved screens" in empty.stdout) == (0, True)
    Path("mine.toml").write_text(SCREENS)
    shown = tallow("screen", "--list", "--screens", "mine.toml")
    assert "up_today" in shown.stdout
    assert "Up, by how much" in shown.stdout
    listed = told("screen", "--list", "--screens", "mine.toml")
    assert [each["name"] for each in listed] == ["up", "up_today"]


def test_a_sweep_is_a_row_for_each_value(folder: Path):
    last = bars("5m").group_by("instrument").last()
    found = told("screen", "close > 100..500 step 200", "candles.parquet", "-t", "5m")
    rows = found["combinations"]
    assert [row["100..500 step 200"] for row in rows] == [100, 300, 500]
    above = [sorted(last.filter(pl.col("close") > k)["instrument"]) for k in (100, 300, 500)]
    assert [row["instruments"] for row in rows] == above
    words = ("screen", "close > 100..500 step 200", "candles.parquet", "-t", "5m")
    shown = tallow(*words)
    assert shown.exit_code == 0, shown.output
    assert len(shown.stdout.splitlines()) == 7
    assert tallow(*words, "-o", "sweep.csv").exit_code == 0
    assert pl.read_csv("sweep.csv")["matched"].to_list() == [len(each) for each in above]
    refused = tallow(*words, "--sort", "close")
    assert refused.exit_code == 2
    assert "--sort; a sweep counts" in " ".join(refused.stderr.split())


# Mistakes


def test_a_mistake_in_a_saved_screen_is_told_with_its_name(folder: Path):
    for text, said in {
        'condition = "close > emaa(2)"': "screen wrong, column 9: 'emaa'; is no column",
        'condition = "close > emaa(2..4)"': "screen wrong, column 9: 'emaa'; is no column",
        'condition = "close > 1"\nsort = "close >"': "screen wrong: sort, column 8: the text ends",
        'condition = "close > 1"\ncolumns = {a = "sma3"}': "screen wrong: columns: 'a', column 1:",
    }.items():
        Path("screens.toml").write_text(f"[wrong]\n{text}\n")
        result = tallow("screen", "wrong", "candles.parquet")
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_rows_of_a_store_off_their_grid_fail_a_strict_screen(folder: Path):
    minute = pl.col("timestamp").dt.minute()
    on_grid, late = market().filter(minute == 45), market().filter(minute == 50).head(1)
    with open_store("quarters", create=True) as kept:
        kept.write(pl.concat([on_grid[1:], late]), source_timeframe="15m")
    words = ("screen", "close > 1", "--store", "quarters", "--source-timeframe", "15m")
    assert tallow(*words).exit_code == 0
    strict = tallow(*words, "--strict", "--quiet")
    assert (strict.exit_code, strict.stdout) == (1, "")
    assert "1 row, and --strict is given" in strict.stderr
    assert told(*words)["quarantined"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("close > emaa(20)", "candles.parquet"), "  close > emaa(20)\n          ^\n"),
        (("close > 1",), "name files behind the condition, or a store with --store"),
        ((), "no condition; write one"),
        (("close > 1", "candles.parquet", "--store", "store"), "leave out one of them"),
        (("close > 1", "candles.parquet", "-t", "5m", "-t", "1h"), "bars of one are judged"),
        (("close > 1", "candles.parquet", "--adjustment", "split"), "--adjustment split; the"),
        (("close > 1", "candles.parquet", "--instrument", "Q"), "'Q'; not in the input"),
        (("close > 1", "--store", "store", "--stamped", "close"), "--stamped 'close'; says how"),
        (("close > 1", "candles.parquet", "--known-at", "2025-07-11T12:00Z"), "--known-at 2025"),
        (("close > 1", "candles.parquet", "--screens", "no.toml"), "no.toml: no such file"),
        (("close > 1", "candles.parquet", "--column", "a=1", "--column", "a=2"), "there twice"),
        (("close > 1", "candles.parquet", "-o", "hits.txt"), "must end in"),
        (
            ("close > 1", "candles.parquet", "--column", "sma3"),
            "screen: --column 'sma3', column 1:",
        ),
        (("close > 1", "candles.parquet", "--sort", "close >"), "screen: --sort, column 8: the te"),
        (("close > 1", "--store", "store", "--at", "2099-01-01"), "--at 2099-01-01; must not be l"),
        (("close > 1", "candles.parquet", "--at", "2099-01-01"), "--at 2099-01-01; must not be l"),
    ],
)
def test_a_mistake_is_told_in_the_words_of_the_shell(
    folder: Path, words: tuple[str, ...], said: str
):
    result = tallow("screen", *words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr


def test_files_count_where_the_store_is_only_in_the_environment(folder: Path):
    result = tallow("screen", "close > 1", "candles.parquet", TALLOW_STORE="elsewhere")
    assert result.exit_code == 0, result.output
    stored = tallow("screen", "close > 1", TALLOW_STORE="store")
    assert stored.exit_code == 0, stored.output


def test_quarantined_rows_fail_a_strict_screen_and_a_quiet_one_is_quiet(folder: Path):
    bad = market().with_columns(high=pl.lit(0.0)).head(1)
    pl.concat([market().slice(1), bad]).write_csv("bad.csv")
    result = tallow("screen", "close > 1", "bad.csv", "--strict", "--quiet")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "1 row, and --strict is given" in result.stderr


def test_a_store_of_before_is_screened_as_it_was(folder: Path):
    with open_store("store") as kept:
        kept.write(market().with_columns(close=pl.col("low")), source_timeframe="1m")
    words = ("screen", "close == low", "--store", "store", "-t", "1m")
    assert told(*words)["counts"]["matched"] == 3
    before = told(*words, "--at", DAYS[-1])
    expected = market().group_by("instrument").last().filter(pl.col("close") == pl.col("low"))
    assert before["counts"]["matched"] == len(expected) < 3

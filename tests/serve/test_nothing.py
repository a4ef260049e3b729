"""Goal: an answer without a bar says why, and exits with 1.

Method: three candles of one session, and questions that miss them in each way; the sentence must
name what is there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serve.calling import CLEAN, HEADER, ingested, tallow

SPAN = "2025-07-18 09:15 to 2025-07-18 09:20 Asia/Kolkata"
EVENING = CLEAN.replace("T09:", "T19:")
BARE = ("-i", "")


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("", (), "no candles: the input holds no row"),
        (EVENING, (), "19:15 to 2025-07-18 19:20 Asia/Kolkata, lie outside the sessions of XNSE"),
        (CLEAN, ("--start", "2025-07-21"), f"none opens in the range; the candles are of {SPAN}"),
        ("A,2025-07-18T09:15+05:30,10,9,11,10,1\n", (), "all were quarantined: high_below_low"),
    ],
)
@pytest.mark.parametrize("shown", [(), ("--json",)])
def test_a_run_without_a_bar(
    tmp_path: Path, text: str, words: tuple[str, ...], message: str, shown: tuple[str, ...]
) -> None:
    source = tmp_path / "candles.csv"
    source.write_text(HEADER + text)
    result = tallow("run", source, "-o", tmp_path / "bars.csv", *BARE, *words, *shown)
    assert (result.exit_code, message in result.stderr) == (1, True), result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--start", "2025-07-21"), f"the range has no candle; those in the store are of {SPAN}"),
        (("--known-at", "2020-01-01T00:00Z"), "knew none of them at --known-at"),
        (("--calendar", "XNYS"), "lie outside the sessions of XNYS; is it another --calendar"),
        (("--source-timeframe", "1d", "-t", "1d"), "the store has 1m raw, and no 1d raw"),
    ],
)
def test_a_query_without_a_bar(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    store = ingested(tmp_path)
    result = tallow("query", "--store", store, *BARE, *words, "--json")
    assert (result.exit_code, message in result.stderr) == (1, True), result.output
    assert result.stdout == "[]\n"


def test_answers_without_a_bar_in_common(tmp_path: Path) -> None:
    sides = []
    for name, text in (("control", CLEAN), ("candidate", CLEAN.replace("A,", "B,"))):
        source, bars = tmp_path / f"{name}.csv", tmp_path / f"{name}_bars.csv"
        source.write_text(HEADER + text)
        tallow("run", source, "-o", bars, "-i", "sma(1)")
        sides += [f"--{name}", bars]
    result = tallow("compare", *sides, "-i", "sma(1)", "--runs", 0)
    assert (result.exit_code, "no bar in common: the control has 2" in result.stderr) == (1, True)


def test_a_series_that_is_not_compared_is_refused(tmp_path: Path) -> None:
    words = ("compare", "x.csv", "--control", "tallow", "--candidate", "talib", "-i", "sma(9)")
    result = tallow(*words, "--series", "ma=sma_90")
    assert (result.exit_code, "did you mean sma_9?" in result.stderr) == (2, True), result.output

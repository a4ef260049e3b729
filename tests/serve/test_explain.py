"""Goal: `tallow explain` shows and prints what an engine answers, of files and of a store.

Method: a store and a file of the same candles; JSON is compared with the engine's own answer, and
what a person sees is looked for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tallow import AnalyticsEngine, open_store
from tests.serve.calling import CLEAN, HEADER, ingested, tallow, told

AT = ("--at", "2025-07-18T09:15")


def test_json_is_the_engine_s_answer(tmp_path: Path) -> None:
    where = ingested(tmp_path)
    shown = told("explain", "A", "ema(1)", *AT, "--store", where)
    with open_store(where) as store:
        found = AnalyticsEngine(store=store).explain("A", "ema(1)", AT[1])
    assert shown == found.to_dict()
    assert (shown["value"], shown["computed"]["beside"]["value"]) == (14.0, 14.0)


def test_a_person_sees_the_value_and_where_it_is_from(tmp_path: Path) -> None:
    where = ingested(tmp_path)
    found = tallow("explain", "A", "ema(1)", *AT, "--store", where)
    assert found.exit_code == 0, found.output
    for text in ("ema_1 of A", "14 by the textbook version", "made of  2 candles", "entry 1"):
        assert text in found.stdout
    assert "09:17" in found.stdout
    lone = tallow("explain", "A", "close", tmp_path / "candles.csv", *AT)
    assert lone.exit_code == 0, lone.output
    assert "none: the kernels ran over all candles" in lone.stdout


def test_a_null_is_an_answer_and_a_bar_that_is_not_there_none(tmp_path: Path) -> None:
    source = tmp_path / "candles.csv"
    source.write_text(HEADER + CLEAN)
    null = tallow("explain", "A", "ema(9)", source, *AT)
    assert null.exit_code == 0, null.output
    assert "must come 8 bars" in null.stdout
    absent = tallow("explain", "A", "ema(9)", source, "--at", "2025-07-18T11:15")
    assert absent.exit_code == 1
    assert "none opens in the range" in absent.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ema(1)", "--at", "2025-07-18T09:16"), "--at 2025-07-18T09:16; opens no bar of 5m"),
        (("ema(1)", *AT, "--adjustment", "split"), "the prices of files"),
        (("nothing", *AT), "the columns are open"),
    ],
)
def test_what_cannot_be_is_said_in_options(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    source = tmp_path / "candles.csv"
    source.write_text(HEADER + CLEAN)
    column, *rest = words
    found = tallow("explain", "A", column, source, *rest)
    assert found.exit_code == 2
    assert said in found.stderr


def test_without_candles_it_asks_for_some() -> None:
    found = tallow("explain", "A", "close", *AT)
    assert found.exit_code == 2
    assert "name files behind the column" in found.stderr

"""Goal: a table of corporate actions is read whole or refused with the row and the rule, and kept
as candle rows without loss.

Method: small tables written out, as files and as frames; every rule broken once.
"""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallow import read_candles
from tallow.core.errors import ActionError, CandleInputError
from tallow.data.actions import (
    ACTION_SCHEMA,
    TERM_MAX,
    TERM_MIN,
    actions_from_rows,
    actions_to_rows,
    read_records,
)
from tests.frames import assert_same_frame

CSV = """Symbol,Ex Date,kind,new,old,amount,factor,remark
RAYMOND,2025-05-14,split,10,2,,,face value from 10 to 2
AVANTEL,2025-06-03, Bonus ,1,1,,,
AVANTEL,2024-09-19,dividend,,,0.2,,
RAYMOND,2024-07-10,dividend,,,,0.55,demerger
"""

READ = [
    ("AVANTEL", date(2024, 9, 19), "dividend", None, None, 0.2, None),
    ("AVANTEL", date(2025, 6, 3), "bonus", 1.0, 1.0, None, None),
    ("RAYMOND", date(2024, 7, 10), "dividend", None, None, None, 0.55),
    ("RAYMOND", date(2025, 5, 14), "split", 10.0, 2.0, None, None),
]


def read_actions(source: object) -> pl.DataFrame:
    return read_records(source)[0]


def table(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ACTION_SCHEMA, orient="row")


def test_a_file_is_read_whatever_its_kind(tmp_path):
    (tmp_path / "a.csv").write_text(CSV)
    found = read_actions(tmp_path / "a.csv")
    assert found.schema == pl.Schema(ACTION_SCHEMA)
    assert found.rows() == READ
    found.write_parquet(tmp_path / "a.parquet")
    assert read_actions(str(tmp_path / "a.parquet")).equals(found)
    # Both at once say everything twice.
    assert read_actions([tmp_path / "a.csv", tmp_path / "a.parquet"]).equals(found)


def test_frames_of_others_are_read_and_columns_that_nobody_needs_may_lack():
    midnight = datetime(2025, 6, 2)  # noqa: DTZ001
    frame = pd.DataFrame(
        {"ticker": ["A"], "ex_date": [midnight], "kind": ["SPLIT"], "new": [5], "old": [1]}
    )
    assert read_actions(frame).rows() == [("A", date(2025, 6, 2), "split", 5.0, 1.0, None, None)]


def test_a_table_without_rows_is_no_mistake(tmp_path):
    (tmp_path / "a.csv").write_text(CSV.splitlines()[0] + "\n")
    assert read_actions(tmp_path / "a.csv").equals(table())


def test_rows_that_say_the_same_are_one_in_any_order():
    day = date(2025, 6, 2)
    rows = [
        ("A", day, "split", 10.0, 2.0, None, None),
        ("A", day, "split", 5.0, 1.0, None, None),
        ("A", day, "split", None, None, None, 0.2),
        ("A", day, "dividend", None, None, 2.5, None),
        ("A", day, "dividend", None, None, 2.5, None),
    ]
    wanted = [rows[3], rows[1]]
    assert read_actions(table(*rows)).rows() == wanted
    assert read_actions(table(*reversed(rows))).rows() == wanted


@pytest.mark.parametrize(
    "other",
    [
        ("A", date(2025, 6, 2), "split", 2.0, 1.0, None, None),
        ("A", date(2025, 6, 2), "split", None, None, None, 0.25),
    ],
)
def test_rows_that_contradict_each_other_are_refused(other):
    first = ("A", date(2025, 6, 2), "split", 5.0, 1.0, None, None)
    with pytest.raises(ActionError, match="'A', ex_date=2025-06-02, kind=split; rows contradict"):
        read_actions(table(first, other))


def test_two_dividends_of_one_date_are_given_as_their_sum():
    rows = [("A", date(2025, 6, 2), "dividend", None, None, amount, None) for amount in (5.0, 3.0)]
    with pytest.raises(ActionError, match="two dividends of one date as their sum"):
        read_actions(table(*rows))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (",2025-06-02,split,5,1,,", "instrument must be named"),
        (f"{'A' * 1_025},2025-06-02,split,5,1,,", "must have at most 1,024 characters"),
        ("A,02/06/2025,split,5,1,,", "ex_date must be a date; write it as 2025-06-02"),
        ("A,2025-02-30,split,5,1,,", "ex_date must be a date"),
        ("A,0025-06-02,split,5,1,,", "ex_date must be of the years 1800 to 2199"),
        ("A,2025-06-02,spilt,5,1,,", "kind must be one of split, bonus, dividend"),
        ('A,2025-06-02,split,"1,000",1,,', "must be plain numbers"),
        ("A,2025-06-02,split,5,,,", "a split or bonus needs new and old"),
        ("A,2025-06-02,split,5,1,,0.2", "no other term"),
        ("A,2025-06-02,split,,,2.5,", "a dividend its amount"),
        ("A,2025-06-02,dividend,5,1,,", "a dividend its amount"),
        ("A,2025-06-02,dividend,,,,", "or any a factor"),
        ("A,2025-06-02,dividend,,,-2.5,", "numbers must be from 1e-09"),
        ("A,2025-06-02,split,inf,1,,", "numbers must be from 1e-09"),
        ("A,2025-06-02,split,nan,1,,", "numbers must be from 1e-09"),
        ("A,2025-06-02,split,0,1,,", "numbers must be from 1e-09"),
        ("A,2025-06-02,split,1,1,,", "a bonus of 1:1 is of the kind bonus"),
        ("A,2025-06-02,bonus,,,,2", "must be below 1"),
        ("A,2025-06-02,dividend,,,,1", "must be below 1"),
    ],
)
def test_a_bad_row_is_named_with_the_rule_it_breaks(tmp_path, line, message):
    path = tmp_path / "a.csv"
    good = "A,2025-01-02,dividend,,,2.5,"
    path.write_text(f"instrument,ex_date,kind,new,old,amount,factor\n{good}\n{line}\n")
    with pytest.raises(ActionError, match=message) as caught:
        read_actions(path)
    assert str(caught.value).startswith(f"{path}: row=2, ")


def test_a_missing_column_is_named():
    frame = pl.DataFrame({"symbol": ["A"], "exdate_": ["2025-06-02"], "type": ["split"]})
    with pytest.raises(ActionError, match="columns missing: kind; a table of actions needs"):
        read_actions(frame)


def test_two_columns_of_one_name_are_a_doubt(tmp_path):
    path = tmp_path / "actions.csv"
    path.write_text("instrument,ex_date,kind,new,new,old\nA,2025-06-02,split,2,5,1\n")
    with pytest.raises(ActionError, match="columns 'new', 'new_duplicated_0' had one name"):
        read_actions(path)


def test_what_cannot_be_opened_is_an_error(tmp_path):
    with pytest.raises(CandleInputError, match="no such file"):
        read_actions(tmp_path / "none.csv")


NUMBERS = st.floats(TERM_MIN, TERM_MAX)


@st.composite
def actions(draw) -> tuple:
    kind = draw(st.sampled_from(["split", "bonus", "dividend"]))
    terms: list[float | None] = [None, None, None, None]
    if draw(st.booleans()):
        terms[3] = draw(st.floats(TERM_MIN, 0.999))
    elif kind == "dividend":
        terms[2] = draw(NUMBERS)
    else:
        terms[0] = draw(NUMBERS)
        terms[1] = draw(NUMBERS.filter(lambda old: old != terms[0]))
    day = draw(st.dates(date(1950, 1, 1), date(2090, 1, 1)))
    return (draw(st.sampled_from("ABC")), day, kind, *terms)


@given(st.lists(actions(), unique_by=lambda row: row[:3], max_size=8))
def test_actions_are_kept_as_candles_without_loss(rows):
    told = read_actions(table(*rows))
    kept = actions_to_rows(told)
    assert_same_frame(actions_from_rows(kept), told)
    for own in kept.values():
        assert len(read_candles(own, source_timeframe="1d")) == len(own)


def test_an_action_is_kept_at_midnight_utc_of_its_date():
    kept = actions_to_rows(table(("A", date(2025, 6, 2), "split", 1.0, 5.0, None, None)))
    assert list(kept) == ["split"]
    assert kept["split"].drop("timestamp").rows() == [("A", 1.0, 5.0, 1.0, 5.0, 0.0)]
    assert kept["split"]["timestamp"].dt.to_string("iso").to_list() == [
        "2025-06-02 00:00:00.000000+00:00"
    ]

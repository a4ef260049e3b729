"""Goal: a list of members says what its rows say, on every date, or is refused with the reason.

Method: files and frames worked by hand; membership by date of random intervals beside a scan of the
rows one by one; a table of bad rows, each with the words of its error.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallow import Universe, read_universe
from tallow.core.errors import UniverseError
from tallow.data.universe_files import find_universe

INDEX = """Company,Symbol,From,To
Tata,TCS,2024-04-01,
Infosys,INFY,,2024-09-30
Infosys,INFY,2025-04-01,2025-06-30
"""


def written(folder: Path, text: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


# What lists say


def test_an_index_has_its_members_by_date(tmp_path: Path) -> None:
    index = read_universe(written(tmp_path, INDEX, "nifty.csv"))
    assert index.name == "nifty"
    by_date = {
        "1999-01-01": ["INFY"],
        "2024-03-31": ["INFY"],
        "2024-04-01": ["INFY", "TCS"],
        "2024-09-30": ["INFY", "TCS"],
        "2024-10-01": ["TCS"],
        "2025-04-01": ["INFY", "TCS"],
        "2025-06-30": ["INFY", "TCS"],
        "2025-07-01": ["TCS"],
        "2199-12-31": ["TCS"],
    }
    assert {day: index.members(day) for day in by_date} == by_date
    assert index.members(date(2024, 10, 1)) == ["TCS"]
    names = pl.Series(["TCS", "INFY", "OTHER", "TCS"])
    days = pl.Series([date(2024, 3, 31), date(2024, 9, 30), date(2024, 9, 30), date(2024, 4, 1)])
    assert index.is_member(names, days).tolist() == [False, True, False, True]
    assert index.is_member("TCS", ["2024-03-31", "2024-04-01"]).tolist() == [False, True]
    assert index.is_member(["TCS", "INFY"], "2024-10-01").tolist() == [True, False]
    assert index.instruments == {"TCS", "INFY"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "TCS\n\nINFY\n"),
        ("list.csv", "\ufeffsymbol\nTCS\nINFY\nTCS\n"),
        ("list.csv", "instrument;to\nINFY;\nTCS;\n"),
        ("list.toml", 'members = ["TCS", " INFY "]'),
        ("list.toml", '[[members]]\nticker = "TCS"\n[[members]]\nticker = "INFY"\nfrom = ""'),
    ],
)
def test_a_list_without_dates_is_of_all_dates(tmp_path: Path, name: str, text: str) -> None:
    watched = read_universe(written(tmp_path, text, name))
    assert watched.members("1800-01-01") == watched.members("2199-12-31") == ["INFY", "TCS"]
    assert watched.groups == []


def test_toml_and_frames_say_the_same_as_tables(tmp_path: Path) -> None:
    toml = """members = [
      {symbol = "TCS", from = 2024-04-01},
      {symbol = "INFY", to = 2024-09-30},
      {symbol = "INFY", from = "2025-04-01", to = 2025-06-30},
    ]"""
    table = read_universe(written(tmp_path, INDEX), "one")
    assert read_universe(written(tmp_path, toml, "list.toml"), "one") == table
    columns = ("symbol", "from", "to")
    frame = pl.read_csv(written(tmp_path, INDEX)).rename(str.lower).select(columns)
    for given_frame in (frame, frame.with_columns(pl.col("from", "to").str.to_date())):
        assert read_universe(given_frame, "one") == table
        assert read_universe(given_frame.to_pandas(), "one") == table
    assert read_universe(frame, "another") != table
    assert len({table, read_universe(frame, "one")}) == 1


@pytest.mark.parametrize("column", ["sector", "universe"])
def test_one_file_makes_many_universes(tmp_path: Path, column: str) -> None:
    text = f"symbol,{column},from\nTCS,IT,\nHDFC,Banks,\nSBI,Banks,2024-01-01\nTCS,Big,2025-01-01\n"
    path = written(tmp_path, text, "groups.csv")
    groups = read_universe(path)
    assert groups.groups == ["Banks", "Big", "IT"]
    assert groups.members("2023-12-31") == ["HDFC", "TCS"]
    banks = groups.group("Banks")
    assert (banks.name, banks.groups) == ("groups/Banks", [])
    assert banks.members("2023-12-31") == ["HDFC"]
    assert banks.members("2024-01-01") == ["HDFC", "SBI"]
    assert read_universe(f"{path}/Banks") == banks
    with pytest.raises(UniverseError, match=r"groups/banks; unknown group; did you mean Banks"):
        read_universe(f"{path}/banks")
    alone = read_universe(written(tmp_path, "TCS\n"))
    with pytest.raises(UniverseError, match="the list has no groups"):
        alone.group("IT")


def test_intervals_that_overlap_are_merged_with_a_note_and_those_that_touch_without(
    tmp_path: Path,
) -> None:
    text = "symbol,from,to\nA,2024-01-01,2024-03-31\nA,2024-04-01,2024-06-30\nB,,2024-02-01\n"
    touching = read_universe(written(tmp_path, text))
    assert touching.notes == ()
    assert touching.table["from"].to_list() == [date(2024, 1, 1), None]
    assert touching.table["to"].to_list() == [date(2024, 6, 30), date(2024, 2, 1)]
    over = read_universe(written(tmp_path, text + "A,2024-06-30,\nB,2024-01-31,2024-02-02\n"))
    assert over.notes == (
        "merged 2 rows with others of the same instrument: A (and 1 more instrument)",
    )
    assert over.table["to"].to_list() == [None, date(2024, 2, 2)]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (",", "all dates"),
        ("2024-01-01,", "dates from 2024-01-01 on"),
        (",2024-01-02", "dates until 2024-01-02"),
        ("2024-01-01,2024-01-02", "dates from 2024-01-01 to 2024-01-02"),
    ],
)
def test_a_list_says_of_which_dates_it_is(tmp_path: Path, limits: str, said: str) -> None:
    assert read_universe(written(tmp_path, f"symbol,from,to\nA,{limits}\n")).span_text() == said


# Any intervals

FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(days=k) for k in range(12)]
Row = tuple[str, date | None, date | None, str | None]


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    found: list[Row] = []
    for _ in range(draw(st.integers(1, 8))):
        ends = sorted(draw(st.lists(st.sampled_from(DAYS), min_size=2, max_size=2)))
        limits = [None if draw(st.integers(0, 3)) == 0 else end for end in ends]
        group = draw(st.sampled_from([None, "X", "Y"]))
        found.append((draw(st.sampled_from("ABC")), limits[0], limits[1], group))
    return found


def scanned(found: Sequence[Row], name: str, day: date, group: str | None = None) -> bool:
    return any(
        name == own and (first or day) <= day <= (last or day) and group in (None, own_group)
        for own, first, last, own_group in found
    )


@given(rows())
def test_membership_is_what_a_scan_of_the_rows_finds(found: list[Row]) -> None:
    table = pl.DataFrame(found, ["symbol", "from", "to", "sector"], orient="row")
    universe = read_universe(table.cast({"from": pl.Date, "to": pl.Date}), "any")
    around = [FIRST - timedelta(days=1), *DAYS, DAYS[-1] + timedelta(days=1)]
    for day in around:
        assert universe.members(day) == [n for n in "ABC" if scanned(found, n, day)]
    keys = [(name, day) for name in "ABCD" for day in around]
    members = universe.is_member([n for n, _ in keys], [d for _, d in keys])
    assert members.tolist() == [scanned(found, *key) for key in keys]
    some = [any(scanned(found, n, day) for n in "ABC") for day in around]
    assert universe.has_members(around).tolist() == some
    for name in universe.groups:
        group = universe.group(name)
        members = group.is_member([n for n, _ in keys], [d for _, d in keys])
        assert members.tolist() == [scanned(found, *key, name) for key in keys]
    # What is merged is the same list again.
    assert Universe.of("any", universe.table.sample(fraction=1.0, shuffle=True)) == universe


# What is refused


def test_what_is_no_date_is_refused(tmp_path: Path) -> None:
    watched = read_universe(written(tmp_path, "A\nB\n"))
    for day in ("July", 5, [date(2024, 1, 1), "x"]):
        with pytest.raises(UniverseError, match="must be a date such as 2025-06-02"):
            watched.is_member("A", day)
    with pytest.raises(UniverseError, match="2 instruments, 3 dates; there must be as many"):
        watched.is_member(["A", "B"], ["2024-01-01"] * 3)
    names, days = pl.Series(["A", None, "B"]), pl.Series([date(2024, 1, 1)] * 2 + [None])
    assert watched.is_member(names, days).tolist() == [True, False, False]
    none = pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.Date)
    assert watched.is_member(*none).tolist() == watched.is_member([], []).tolist() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("symbol,from\nA,2024-01-01\nB,01-02-2024\n", "line 3: from='01-02-2024'; must be a date"),
        ("symbol,from\nA,2024-13-01\n", "line 2: from='2024-13-01'; must be a date"),
        ("symbol,to\n\nA,1024-01-01\n", "line 3: to='1024-01-01'; must be of the years 1800"),
        (
            "symbol,from,to\nA,2024-02-01,2024-01-31\n",
            "line 2: to=2024-01-31; must not be before from=2024-02-01",
        ),
        ("symbol,from\n ,2024-01-01\n", "line 2: instrument=' '; must be named"),
        ('symbol,from\n"A\nB",2024-01-01\n', "line 3: instrument='A\\nB'; must be plain text"),
        ("name,from\nA,\n", "columns name, from; one must be instrument, symbol or ticker"),
        ("symbol,from\nA,B,\n", "line 2: 3 cells; the first line has 2"),
        ("symbol,universe,sector\nA,X,Y\n", "columns universe and sector; one may group"),
        ('symbol,from\n"A,2024', "line 2: unexpected end of data; quotes must be closed"),
        ("symbol,from\n", "has no members; name one at least"),
        ("\n", "has no members; name one at least"),
    ],
)
def test_a_bad_table_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UniverseError) as caught:
        read_universe(path)
    assert said in str(caught.value)
    assert path.stem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('member = ["A"]', "member; unknown key; did you mean members"),
        ('members = "A"', 'must be a list, such as members = ["TCS", "INFY"]'),
        ("members = [1]", "member 1: 1; must be a name, or a table"),
        ('members = ["A", {symbol = 3}]', "member 2: instrument=3; must be text"),
        ('members = [{symbol = "A", from = 5}]', "member 1: from=5; must be a date"),
        ("members = [{form = 2024-01-01}]", "member 1: columns form; one must be instrument"),
        ("members = []", "has no members"),
        ("members = [", "is no TOML"),
    ],
)
def test_a_bad_toml_is_refused_with_its_entry(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UniverseError) as caught:
        read_universe(written(tmp_path, text, "list.toml"))
    assert said in str(caught.value)


def test_what_names_no_list_is_refused(tmp_path: Path) -> None:
    for given_name, said in (
        ("list.csv", "no such file"),
        (tmp_path / "list.xlsx", "a file of members ends in .csv or .toml"),
        (tmp_path, "a file of members ends in .csv or .toml"),
        ("nifty50", "there is no store that may know the name; give a file"),
        (7, "universe: 7; must be a name, a file of members, or a Universe"),
    ):
        with pytest.raises(UniverseError) as caught:
            find_universe(given_name)
        assert said in str(caught.value)
    binary = tmp_path / "list.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UniverseError, match="is no text in UTF-8"):
        read_universe(binary)

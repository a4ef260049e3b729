"""Goal: a file of screens is read as it is written, and what is wrong in it is told with its place.

Method: a file of two screens is compared with what it says; each mistake has the screen, the key
and the rule in its message.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tallow import AnalyticsEngine
from tallow.core.errors import ScreenError
from tallow.screens.files import SavedScreen, read_screens
from tests.frames import market

GOOD = """\
[cheap]
condition = "close < 300"

[cheap_up]
description = "Cheap, and going up"
condition = "cheap and close > sma(3)"
timeframe = "5m"
columns = {mean = "sma(3)", "close - open" = "close - open"}
sort = "close"
ascending = true
universe = "nifty50"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "screens.toml"


def test_a_file_is_read_as_it_is_written(file: Path):
    file.write_text(GOOD)
    first, second = read_screens(file).values()
    assert first == SavedScreen("cheap", "close < 300")
    assert second == SavedScreen(
        name="cheap_up",
        condition="cheap and close > sma(3)",
        timeframe="5m",
        columns={"mean": "sma(3)", "close - open": "close - open"},
        sort="close",
        ascending=True,
        universe="nifty50",
        description="Cheap, and going up",
    )


def test_columns_in_a_list_are_called_as_they_are_written(file: Path):
    file.write_text('[a]\ncondition = "close > 1"\ncolumns = ["rsi(14)"]\n')
    assert read_screens(file)["a"].columns == {"rsi(14)": "rsi(14)"}


def test_an_engine_takes_a_file(file: Path):
    file.write_text(GOOD)
    given: Any = {"candles": market(("A", "B", "C")), "timeframe": "5m"}
    found = AnalyticsEngine().screen("cheap_up", saved=file, **given)
    written = AnalyticsEngine().screen("close < 300 and close > sma(3)", **given)
    assert found.frame.equals(written.frame)
    swept = AnalyticsEngine().sweep("cheap and close > sma(3..4)", saved=str(file), **given)
    assert swept.frame["matched"][0] == written.counts["matched"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("condition = 3", "'condition'; is no table; write [name]"),
        ("[a]\ntimeframe = '1d'", "'a': no condition; must be text, such as condition = "),
        ("[a]\ncondition = 3", "'a': condition=3; must be text"),
        ("[a]\nconditions = 'close > 1'", "'a': 'conditions'; unknown key; did you mean condition"),
        ("[a]\ncondition = 'close > 1'\nascending = 1", "'a': ascending=1; must be true or false"),
        ("[a]\ncondition = 'close > 1'\ncolumns = [3]", "'a': columns=3; must be a list of texts"),
        ("[a]\ncondition = 'close > 1'\ntimeframe = '7x'", "7x"),
        ("[ema]\ncondition = 'close > 1'", "'ema': the name is a word of the language"),
        ("['a b']\ncondition = 'close > 1'", "'a b': the name must be letters"),
        ("[a", "is no TOML"),
    ],
)
def test_a_mistake_is_told_with_its_place(file: Path, text: str, said: str):
    file.write_text(text)
    with pytest.raises(ScreenError) as caught:
        read_screens(file)
    assert str(caught.value).startswith(f"screens: {file}")
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_told(file: Path):
    with pytest.raises(ScreenError, match="no such file"):
        read_screens(file)


def test_a_file_may_have_so_many_screens(file: Path):
    file.write_text("".join(f"[s{k}]\ncondition = 'close > 1'\n" for k in range(1_001)))
    with pytest.raises(ScreenError, match="1,001 screens; at most 1,000"):
        read_screens(file)

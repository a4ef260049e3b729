"""Goal: whoever knows an indicator by another library's name finds it, and no other.

Method: every name that a declaration tells of another library is looked up as a spec would, and in
the library's own list; TA-Lib's is the library's.
"""

from __future__ import annotations

from collections import Counter

import pytest
import talib

from tallow.core.operator import Library
from tallow.core.registry import registry
from tallow.serve.other_names import NAMES
from tallow.serve.reference import missing

EVERY = tuple(registry().by_name.values())
ARITHMETIC = """ACOS ADD ASIN ATAN CEIL COS COSH CUMSUM DIV EXP FLOOR LN LOG10 MAX MAXINDEX MIN
MININDEX MINMAX MINMAXINDEX MULT SIN SINH SQRT SUB SUM TAN TANH"""


def test_the_list_of_talib_is_its_own():
    assert {*NAMES["talib"], *ARITHMETIC.split()} == {*talib.get_functions()}


@pytest.mark.parametrize("library", NAMES)
def test_a_name_elsewhere_is_understood(library: Library):
    for each in EVERY:
        for name in each.names.get(library, "").split()[:1]:
            assert registry().get(name.removeprefix("ta.")) is each, name


@pytest.mark.parametrize("library", NAMES)
def test_a_name_elsewhere_is_one_indicators_and_in_the_list(library: Library):
    told = Counter(name for each in EVERY for name in each.names.get(library, "").split())
    assert set(told) <= set(NAMES[library])
    assert [name for name, times in told.items() if times > 1] == []
    assert len(missing(library)) == len(NAMES[library]) - len(told)


# TA-Lib's stochastic momentum index; pandas-ta calls the true strength index of another page so.
# The squeeze of Bollinger's bands by themselves; pandas-ta's is that within Keltner's channel.
ELSEWHERE = {("pandas_ta", "smi"), ("pandas_ta", "squeeze")}


def test_an_alias_means_nothing_else_elsewhere():
    for library, names in NAMES.items():
        owner = {name: each for each in EVERY for name in each.names.get(library, "").split()}
        for name in names:
            found = registry().get(name.removeprefix("ta."))
            is_own = found is None or found is owner.get(name)
            assert is_own != ((library, name) in ELSEWHERE), (library, name)

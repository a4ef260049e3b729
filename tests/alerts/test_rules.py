"""Goal: a rule that cannot be meant is refused where it is written, with the key and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tallow.alerts import AlertRule, indicators_of, pattern, read_rules, release, threshold
from tallow.core.errors import AlertError, TallowError

FILE = """
[near]
alert = "threshold"
within = 0.5
timeframe = "15m"
cooldown = 600

[falling]
alert = "pattern"
contracting = 4

[out]
alert = "release"
squeeze = "squeeze(20, 2, 50, 1)"

[mine]
condition = "close > ema(20)@1h"
hourly_cap = 3
[mine.numbers]
rsi = "rsi(14)"
"""


def test_a_file_has_the_rules_that_python_makes(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(FILE)
    found = read_rules(path)
    assert found == [
        threshold(0.5, name="near", timeframe="15m", cooldown=600),
        pattern(4, name="falling"),
        release(squeeze="squeeze(20, 2, 50, 1)", name="out"),
        AlertRule("mine", "close > ema(20)@1h", numbers={"rsi": "rsi(14)"}, hourly_cap=3),
    ]
    assert len({rule.identity for rule in found}) == 4
    specs = indicators_of(found)
    assert [each.partition("(")[0] for each in specs] == ["squeeze", "squeeze", "rsi", "ema"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a]\nwithin = 1", "unknown key; did you mean"),
        ('[a]\nalert = "treshold"', "must be one of threshold, pattern, release, screen; did you"),
        ("[a]\n", "no condition; add condition"),
        ("a = 1", "is no table; write"),
        ('[a]\nalert = "threshold"\nwithin = -1', "within=-1; must be a number"),
        ('[a]\nalert = "threshold"\nwithin = true', "within=True; must be a number"),
        ('[a]\ncondition = "close > 1"\ncooldown = "x"', "cooldown='x'; must be a number, 0.."),
        ('[a]\ncondition = "close > 1"\nhourly_cap = 0', "hourly_cap=0; must be a number, 1.."),
        ('[a]\ncondition = "close > 1"\nhourly_cap = 1.5', "hourly_cap=1.5; must be a whole"),
        ('[a]\ncondition = "close > 1"\ntimeframe = "7x"', "7x"),
        ('[a]\ncondition = "close > 1"\nwords = "{x}"', "words: 'x'; is none of its numbers"),
        ('[a]\ncondition = "close > 1"\nwords = "{"', "words='{'"),
        ("[a", "rules"),
    ],
)
def test_a_file_that_breaks_a_rule_says_which(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(AlertError, match=problem) as caught:
        read_rules(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "given", [{"condition": ""}, {"condition": 5}, {"name": 5}, {"cooldown": -1}]
)
def test_a_rule_that_cannot_be_meant_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(TallowError, match="must be"):
        AlertRule(**({"name": "a", "condition": "close > 1"} | given))

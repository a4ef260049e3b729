"""Goal: a flag's shares are sticky, even and only grow; a wrong file is refused with what is wrong.

Method: the place of one target is what `b2sum -l 64` prints; shares are counted over 10,000 keys
against the binomial distribution; each mistake of a file is made once.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallow.core.errors import FlagError
from tallow.migrate.flags.flag import Flag, parse_flags, point

VARIANTS = {"off": "off", "shadow": "shadow", "candidate": "candidate"}
KEYS = [f"NSE_EQ|INE{number:06}" for number in range(10_000)]

GOOD = """
[flags.engine]
description = "new or old"
default = "shadow"
variants = { off = "off", shadow = "shadow", candidate = "candidate" }
share = { candidate = 12.5 }
instruments = { "A B" = "off" }
metadata = { owner = "desk" }
"""


def split(share: float, key: str = "engine") -> Flag:
    return Flag(key, VARIANTS, "shadow", share={"candidate": share})


def chosen(flag: Flag) -> set[str]:
    return {key for key in KEYS if flag.choose(key)[0] == "candidate"}


def test_a_target_has_its_place_in_every_process() -> None:
    # printf 'new-engine\0NSE_EQ|INE301A01014' | b2sum -l 64
    assert point("new-engine", "NSE_EQ|INE301A01014") == 0x294AB11AA3DBCD77
    code = "from tallow.migrate.flags.flag import point; print(point('engine', 'A\\ud800'))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {b"%d\n" % point("engine", "A\ud800")}


@given(st.floats(0, 100), st.floats(0, 100), st.text())
def test_a_larger_share_only_adds_targets(one: float, other: float, target: str) -> None:
    small, large = sorted((one, other))
    if split(small).choose(target)[0] == "candidate":
        assert split(large).choose(target)[0] == "candidate"


@pytest.mark.parametrize("share", [1, 10, 50, 99.5])
def test_a_share_is_met_within_five_deviations(share: float) -> None:
    expected = share / 100 * len(KEYS)
    deviation = (expected * (1 - share / 100)) ** 0.5
    assert abs(len(chosen(split(share))) - expected) < 5 * deviation


def test_nobody_is_in_none_and_everybody_in_all() -> None:
    assert chosen(split(0)) == set()
    assert chosen(split(100)) == set(KEYS)


def test_two_flags_choose_independently() -> None:
    both = chosen(split(50, "one")) & chosen(split(50, "two"))
    assert abs(len(both) - 2_500) < 5 * (10_000 * 0.25 * 0.75) ** 0.5


def test_several_shares_lie_one_after_the_other() -> None:
    flag = Flag("engine", VARIANTS, "off", share={"candidate": 20, "shadow": 30})
    counts = [sum(flag.choose(key)[0] == name for key in KEYS) for name in flag.variants]
    assert counts == pytest.approx([5_000, 3_000, 2_000], abs=250)
    assert {key for key in KEYS if flag.choose(key)[0] == "candidate"} == chosen(split(20))


def test_an_instrument_of_its_own_comes_before_the_shares() -> None:
    flag = parse_flags(GOOD.encode(), "flags.toml")["engine"]
    assert flag.choose("A B") == ("off", "target")
    assert flag.choose(None) == ("shadow", "no target")
    assert (flag.metadata, flag.enabled) == ({"owner": "desk"}, True)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("flags.engine", "flag.engine", "has no table of flags"),
        ('default = "shadow"', "", "flags.engine.default: variant=None; must be one of its own"),
        ('default = "shadow"', 'default = "shade"', "did you mean shadow?"),
        ('default = "shadow"', 'default = "shadow"\nenable = true', "did you mean enabled?"),
        ('default = "shadow"', 'default = "shadow"\nenabled = "no"', "must be true or false"),
        ("12.5", "101", "flags.engine.share.candidate=101; must be 0..100 percent"),
        ("12.5", "true", "must be 0..100 percent"),
        ("12.5", "nan", "must be 0..100 percent"),
        ("candidate = 12.5", "candidate = 60, off = 60", "sum=120; must be at most 100"),
        ('off = "off"', "off = 1", "types=int, str"),
        ("candidate = 12.5", "canary = 1", "did you mean candidate?"),
        ('= "off" }\nmeta', '= "of" }\nmeta', "flags.engine.instruments.A B: variant='of'"),
        ('off = "off"', "off = false", "types=bool, str; all must be of one"),
        ('{ off = "off", shadow = "shadow", candidate = "candidate" }', "{}", "must have variants"),
        ("12.5 }", "12.5", "cannot be read"),
        ("share = { candidate = 12.5 }", "share = 12.5", "must be a table"),
    ],
)
def test_a_mistake_is_named(was: str, becomes: str, said: str) -> None:
    assert was in GOOD
    with pytest.raises(FlagError) as raised:
        parse_flags(GOOD.replace(was, becomes).encode(), "flags.toml")
    assert said in str(raised.value)

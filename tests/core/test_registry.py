"""Goal: a user's indicators, in packages of their own, are found, and a broken one harms no other.

Method: entry points are put in place of the installed ones, and the registry is built again. What a
whole foreign package can do is shown in `tests/test_plugin.py`.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from tallow.core import plugins as module
from tallow.core.errors import DeclarationError, SpecError, TallowWarning
from tallow.core.plugins import LazyDeclaration
from tallow.core.registry import registry
from tallow.core.screen_words import RESERVED

BUILT_IN = EntryPoint("tallow", "tallow.indicators:builtin", "tallow.indicators")


@pytest.fixture
def discover(monkeypatch):
    """Return what builds a registry from the built-in entry point and from plug-ins by name."""

    def build(**plugins):
        entries = [fake(name, loaded) for name, loaded in plugins.items()]
        monkeypatch.setattr(module, "entry_points", lambda group: [*entries, BUILT_IN])
        return registry.__wrapped__()

    return build


def fake(name, loaded):
    def load():
        if isinstance(loaded, BaseException):
            raise loaded
        return loaded

    return SimpleNamespace(name=name, value=f"their.{name}:INDICATOR", load=load)


def named(name):
    return replace(registry().find("ema"), name=name)


def test_one_indicator_or_a_function_that_returns_several(discover):
    found = discover(a=named("mine"), b=lambda: [named("yours"), named("theirs")])
    assert {"mine", "yours", "theirs", "ema"} <= set(found.by_name)
    assert found.failures == {}
    assert found.find("Mine").name == "mine"


def test_a_built_in_name_is_not_taken_over(discover):
    found = discover(a=named("rsi"))
    assert found.by_name["rsi"].title != named("rsi").title
    assert found.failures == {
        "a = their.a:INDICATOR": "DeclarationError: rsi: the name is taken; choose another"
    }


def test_another_name_is_nobody_elses(discover):
    ema = registry().find("ema")
    one, two = (replace(ema, name=name, aliases=("my_ema",)) for name in ("one", "two"))
    found = discover(a=one, b=two, c=named("bb"), d=replace(ema, name="e", aliases=("rsi",)))
    assert found.find("MY_EMA") is one
    assert list(found.failures.values()) == [
        "DeclarationError: two: the alias my_ema is taken; leave it out",
        "DeclarationError: bb: the name is taken; choose another",
        "DeclarationError: e: the alias rsi is taken; leave it out",
    ]
    with pytest.raises(SpecError, match=r"'my_em'; unknown; did you mean my_ema"):
        found.find("my_em")
    with pytest.raises(DeclarationError, match="name='My'; must be lower-case"):
        replace(ema, aliases=("My",))


def test_a_word_of_screens_is_told_where_it_is_registered(discover):
    told = "indicator: highest; is a word of the language of screens, .* rename it"
    with pytest.warns(TallowWarning, match=told):
        found = discover(a=named("highest"))
    assert found.find("highest").name == "highest"
    with pytest.warns(TallowWarning, match="indicator: within; is a word"):
        discover(a=replace(named("mine"), aliases=("within",)))


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (ImportError("no module named scipy"), "ImportError: no module named scipy"),
        (lambda: ["ema"], "DeclarationError: 'ema' is no tallow.core.operator.Indicator"),
        (7, "TypeError: "),
        (lambda: 1 / 0, "ZeroDivisionError: "),
    ],
)
def test_a_broken_plug_in_is_told_and_harms_no_other(discover, plugin, reason):
    found = discover(bad=plugin, good=named("mine"))
    assert "mine" in found.by_name
    assert "ema" in found.by_name
    (why,) = found.failures.values()
    assert why.startswith(reason)
    with pytest.raises(
        SpecError, match=r"'their_own'; unknown; .*; bad = their\.bad:INDICATOR failed"
    ):
        found.find("their_own")


ASKS = """
import sys
from tallow.core.registry import registry
from tallow.core.spec import parse_specs
def imported():
    return [name for name in registry().by_name if f"tallow.indicators.{name}" in sys.modules]
assert registry().aliases["bb"] == "bollinger" and imported() == []
parse_specs("ema(9), wma(hl2, 3)")
print(*imported())
parse_specs("BB(20, 2)")
print(*imported())
"""


def test_what_is_not_asked_for_is_not_imported():
    done = subprocess.run([sys.executable, "-c", ASKS], check=True, capture_output=True, text=True)
    assert done.stdout.split("\n") == ["ema hl2 wma", "bollinger ema hl2 wma", ""]


def test_what_is_said_of_a_built_in_before_it_is_imported_is_what_it_declares():
    own = [each for each in registry().declared.values() if isinstance(each, LazyDeclaration)]
    said = {each.name: tuple(each.aliases) for each in own}
    assert said == {name: registry().by_name[name].aliases for name in said}
    assert all(each.load().name == each.name for each in own)
    aliases = [alias for each in own for alias in each.aliases]
    assert len({*aliases, *said}) == len(aliases) + len(said) > 27
    assert not RESERVED & {*aliases, *said}


def test_the_installed_registry_is_built_once():
    assert registry() is registry()
    assert registry().failures == {}

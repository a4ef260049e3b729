"""Goal: a user's indicators, in packages of their own, are found, and a broken one harms no other.

Method: entry points are put in place of the installed ones, and the registry is built again. What a
whole foreign package can do is shown in `tests/test_plugin.py`.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from tallow.core import plugins as module
from tallow.core.errors import SpecError
from tallow.core.registry import registry

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


def test_the_installed_registry_is_built_once():
    assert registry() is registry()
    assert registry().failures == {}

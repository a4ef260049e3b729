"""Goal: `tallow indicators` shows every indicator that exists, in full, and as it is declared.

Method: each page is searched for what the declaration says, and its example is parsed; a made-up
plug-in stands for those of users.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner, Result

from tallow.core.operator import CONVENTIONS, Output
from tallow.core.registry import registry
from tallow.core.spec import parse_specs
from tallow.serve.cli import app

NAMES = sorted(registry().by_name)
PAGES = [
    *(name for name in NAMES if registry().by_name[name].family is None),
    *("cdl_darkcloudcover", "patterns"),
]
"""Of candle patterns one stands for all."""


def tallow_indicators(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["indicators", *arguments])


def somebodys_kernel(*_: object) -> None:
    """Stand for a kernel of another package."""


def test_the_list_has_every_indicator_with_its_columns() -> None:
    result = tallow_indicators()
    assert result.exit_code == 0
    first_words = [
        line.split()[0].rstrip("*") for line in result.stdout.splitlines() if line.strip()
    ]
    assert set(NAMES) <= set(first_words)
    assert "bb_upper_20_2" in result.stdout
    for names in ("bb, bbands for bollinger;", "kc for keltner;", "stdev for stddev;"):
        assert names in " ".join(result.stdout.split())
    assert "sma(20, source=hl2), ema(rsi(14), 9)" in result.stdout


def test_the_list_as_json_names_the_default_set() -> None:
    entries = json.loads(tallow_indicators("--json").stdout)
    assert [entry["name"] for entry in entries] == NAMES
    default = {entry["name"] for entry in entries if entry["in_default_set"]}
    assert default == {"sma", "bollinger", "vwap", "ema", "atr", "rsi"}
    assert next(entry for entry in entries if entry["name"] == "rsi") == {
        "name": "rsi",
        "aliases": [],
        "title": "Relative strength index",
        "columns": ["rsi_14"],
        "memory": "recursive",
        "warmup": [14],
        "in_default_set": True,
        "package": "tallow",
    }


def test_a_page_says_what_may_be_the_source() -> None:
    assert tallow_indicators("bb").stdout == (page := tallow_indicators("bollinger")).stdout
    assert "instead of close: bollinger(source=hl2), bollinger(rsi(14))" in page.stdout
    assert "none: it takes these of every row" in tallow_indicators("atr").stdout
    assert json.loads(tallow_indicators("sma", "--json").stdout)["source_input"] == "close"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_declaration_says(name: str) -> None:
    indicator = registry().by_name[name]
    # A long text is broken into lines.
    page = " ".join(tallow_indicators(name).stdout.split())
    told = [indicator.title, indicator.formula, indicator.reference, indicator.flat, *CONVENTIONS]
    for parameter in indicator.parameters:
        told += [parameter.name, parameter.rule, parameter.description]
    for output in indicator.outputs:
        told += [output.name, output.unit, output.description]
    assert [words for words in told if " ".join(words.split()) not in page] == []


@pytest.mark.parametrize("name", PAGES)
def test_the_example_gives_the_columns_by_default(name: str) -> None:
    details = json.loads(tallow_indicators(name, "--json").stdout)
    (spec,) = parse_specs(details["example"])
    assert list(spec.columns) == details["columns"]
    usual = [output["column"] for output in details["outputs"] if not output["on_request"]]
    assert usual == details["columns"]
    assert [parameter["name"] for parameter in details["parameters"]] == list(dict(spec.values))


def test_presets_show_their_differences() -> None:
    assert json.loads(tallow_indicators("atr", "--json").stdout)["presets"] == {
        "tradingview": {"parameters": {}, "warmup": [13]},
        "talib": {"parameters": {"first_range": "none"}, "warmup": [14]},
    }
    assert "first_range=none" in tallow_indicators("atr").stdout


def test_an_unknown_name_exits_with_2_and_near_matches() -> None:
    result = tallow_indicators("bolinger")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean bollinger" in result.stderr


def test_a_plug_in_stands_beside_the_others_and_says_where_it_is_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outputs = (
        Output("a", "theirs_a", "furlongs", "at least 1", 1.0),
        Output("b", "theirs_b", "furlongs", "at most 2", maximum=2.0),
    )
    theirs = replace(
        registry().by_name["obv"],
        name="theirs",
        outputs=outputs,
        advance=somebodys_kernel,
        warmup=lambda _: (3, 4),
    )
    found = replace(registry(), declared={**registry().declared, "theirs": theirs})
    monkeypatch.setattr("tallow.serve.indicators.registry", lambda: found)
    text = tallow_indicators().stdout
    package = somebodys_kernel.__module__.partition(".")[0]
    assert f"(from {package})" in text
    assert text.index("furlongs") < text.index("theirs_a, theirs_b")
    page = tallow_indicators("theirs").stdout
    assert ">= 1" in page
    assert "<= 2" in page
    assert json.loads(tallow_indicators("theirs", "--json").stdout)["outputs"][0]["maximum"] is None

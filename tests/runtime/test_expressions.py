"""Goal: an indicator as a Polars expression has the values of `calculate_indicators`.

Method: the same candles through both, for every indicator that needs no calendar, eagerly, lazily
and over groups; then every way to say it wrongly.
"""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import polars as pl
import pytest

from tallow import AnalyticsEngine
from tallow.core.errors import ParameterError, SpecError, TallowError
from tallow.core.registry import registry
from tallow.runtime import expressions
from tests.frames import assert_same_frame, market
from tests.running import all_indicators
from tests.runtime.test_batch import FRAGILE

FRAME = market(["A", "B", "C"])
PLAIN = [
    name
    for name, indicator in all_indicators().items()
    if set(indicator.inputs) <= {"open", "high", "low", "close", "volume"}
]

YEARLY = [name for name, indicator in all_indicators().items() if "year_rows" in indicator.inputs]


def tallow(expression: pl.Expr):
    """Return the namespace, which Polars' types do not know."""
    return expression.tallow  # type: ignore[attr-defined]


def own_input(name: str) -> str:
    inputs = registry().find(name).inputs
    return "close" if "close" in inputs else inputs[0]


def outputs(column: pl.Series) -> pl.DataFrame:
    return column.struct.unnest() if column.dtype == pl.Struct else column.to_frame()


@pytest.mark.parametrize("convention", ["tradingview", "talib"])
@pytest.mark.parametrize("name", PLAIN)
def test_values_are_those_of_the_engine(name, convention):
    made = getattr(tallow(pl.col(own_input(name))), name)(convention=convention)
    found = outputs(FRAME.select(made.over("instrument")).to_series())
    engine = AnalyticsEngine(convention=convention, threads=1)
    assert_same_frame(found, engine.calculate_indicators(FRAME, name).select(found.columns))


def test_what_needs_a_calendar_says_so():
    assert "vwap" not in PLAIN
    with pytest.raises(SpecError, match="vwap: needs a calendar; use AnalyticsEngine"):
        tallow(pl.col("close")).vwap()


@pytest.mark.parametrize("name", YEARLY)
def test_a_volatility_needs_no_calendar_where_its_year_is_given(name):
    made = getattr(tallow(pl.col(own_input(name))), name)(length=3, rows_per_year=252)
    found = FRAME.select(made.over("instrument"))
    wanted = AnalyticsEngine(threads=1).calculate_indicators(FRAME, f"{name}(3, 252)")
    assert_same_frame(found, wanted.select(found.columns))
    with pytest.raises(SpecError, match=f"{name}: needs a calendar, or its rows_per_year; use A"):
        getattr(tallow(pl.col("close")), name)()


def test_parameters_are_those_of_a_spec():
    (a, b, c) = (
        tallow(pl.col("close")).ema(9),
        tallow(pl.col("close")).ema(length=9),
        tallow(pl.col("close")).ema(),
    )
    frame = FRAME.select(a, b.alias("b"), c.alias("c"))
    assert frame.columns == ["ema_9", "b", "c"]
    assert frame["ema_9"].equals(frame["b"])
    assert frame["ema_9"].equals(frame["c"])


def test_a_chain_is_one_expression_after_the_other():
    frame = FRAME.with_columns(tallow(pl.col("close")).rsi(5).over("instrument"))
    made = frame.select(tallow(pl.col("rsi_5")).ema(3).over("instrument").alias("x"))
    engine = AnalyticsEngine(threads=1)
    wanted = engine.calculate_indicators(FRAME, "ema(rsi(5), 3)")["ema_3_of_rsi_5"]
    assert_same_frame(made, wanted.alias("x").to_frame())


@pytest.mark.parametrize(
    "text",
    [
        "ema(rsi(14), 9)",
        "sma(20, source=hl2)",
        "rsi(volume, 5)",
        "bb(bb(5, 2)[percent_b], 4, 2)",
        "wma(roc(true_range, 3), 2)",
        "EMA(close, 9)",
        "cs_rank(volume)",
    ],
)
@pytest.mark.parametrize("convention", ["tradingview", "talib"])
def test_a_text_has_the_bits_that_it_has_everywhere(text, convention):
    made = tallow(pl.col("close"))(text, convention=convention)
    apart = "timestamp" if text.startswith("cs_") else "instrument"
    found = outputs(FRAME.select(made.over(apart)).to_series())
    engine = AnalyticsEngine(convention=convention, threads=1)
    assert_same_frame(found, engine.calculate_indicators(FRAME, text).select(found.columns))


def test_inputs_of_a_text_may_be_other_columns():
    renamed = FRAME.rename({"high": "h", "low": "l", "close": "c"})
    made = tallow(pl.col("c"))("sma(atr(5), 3)", high=pl.col("h"), low=pl.col("l"))
    assert_same_frame(renamed.select(made), FRAME.select(tallow(pl.col("close"))("sma(atr(5), 3)")))
    (upper,) = FRAME.select(tallow(pl.col("close"))("bb(5, 2)", output="upper"))
    assert_same_frame(FRAME.select(tallow(pl.col("close"))("bb(5, 2)[upper]")), upper.to_frame())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t("ema(9), rsi(14)"), "must be one indicator, such as ema"),
        (lambda t: t("emma(9)"), "indicator: 'emma'; unknown; did you mean"),
        (lambda t: t("sma(vwap, 3)"), "needs a calendar; use AnalyticsEngine"),
        (lambda t: t('security(close, "A")'), "needs the instruments' names"),
        (lambda t: t("cs_rank(rsi(14))"), "goes on from instruments to moments or back; use"),
        (lambda t: t("ema(rsi(14), 9)", close=pl.col("c")), "close=; takes close, where close is"),
        (lambda t: t("ema(9)", high=pl.col("h")), "high=; takes close"),
        (lambda t: tallow(pl.col("x"))("sma(20, source=hl2)"), "takes high, low, and not the cl"),
    ],
)
def test_mistakes_of_texts_are_told(call, message):
    with pytest.raises(SpecError, match=message):
        call(tallow(pl.col("close")))


def test_lazily_and_streaming():
    made = tallow(pl.col("close")).rsi(5).over("instrument")
    eager = FRAME.select(made)
    assert_same_frame(FRAME.lazy().select(made).collect(), eager)
    assert_same_frame(FRAME.lazy().select(made).collect(engine="streaming"), eager)


def test_rows_of_a_group_are_a_history_of_their_own():
    made = tallow(pl.col("close")).ema(4)
    alone = [part.select(made) for part in FRAME.partition_by("instrument", maintain_order=True)]
    assert_same_frame(FRAME.select(made.over("instrument")), pl.concat(alone))
    group_blocks = FRAME.group_by("instrument", maintain_order=True).agg(made).explode("ema_4")
    assert_same_frame(group_blocks.select("ema_4"), pl.concat(alone))


def test_several_outputs_are_a_struct_or_the_one_asked_for():
    bands = FRAME.select(tallow(pl.col("close")).bollinger(5, 2.5))
    assert bands.columns == ["bollinger"]
    fields = bands.unnest("bollinger")
    assert fields.columns[:2] == ["bb_upper_5_2p5", "bb_middle_5_2p5"]
    upper = FRAME.select(tallow(pl.col("close")).bollinger(5, 2.5, output="upper"))
    assert_same_frame(upper, fields.select("bb_upper_5_2p5"))


def test_other_columns_may_be_the_inputs():
    renamed = FRAME.rename({"high": "h", "low": "l", "close": "c"})
    made = tallow(pl.col("c")).atr(5, high=pl.col("h"), low=pl.col("l"))
    assert_same_frame(renamed.select(made), FRAME.select(tallow(pl.col("close")).atr(5)))


def test_whole_numbers_nulls_and_chunks():
    numbers = pl.DataFrame({"close": [1, 2, None, 4, 6]})
    made = numbers.select(tallow(pl.col("close")).sma(2)).to_series()
    assert made.to_list() == [None, 1.5, None, None, 5.0]
    assert made.dtype == pl.Float64
    chunks = pl.concat([numbers[:2], numbers[2:]], rechunk=False)
    assert chunks.select(tallow(pl.col("close")).sma(2)).to_series().equals(made)
    assert len(numbers.clear().select(tallow(pl.col("close")).sma(2))) == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: t.emma(9), SpecError, "indicator: 'emma'; unknown; did you mean"),
        (lambda t: t.ema(0), ParameterError, r"ema: length=0; must be 1\.\.5000"),
        (lambda t: t.ema(size=3), ParameterError, "ema: size; unknown"),
        (lambda t: t.atr(close=pl.col("c")), SpecError, "atr: close; is the expression itself"),
        (lambda t: t.macd(output="sign"), SpecError, "macd: output='sign'; must be one of macd, "),
        (lambda t: t.ema(9, source="hl2"), SpecError, "ema: source='hl2'; is the expression its"),
        (lambda t: t.supertrend(3, 10), ParameterError, r"give supertrend\(10, 3\)"),
        (lambda t: t.ema(9, convention="x"), SpecError, "convention: 'x'; unknown"),
    ],
)
def test_mistakes_are_told_where_they_are_made(call, error, message):
    with pytest.raises(error, match=message):
        call(tallow(pl.col("close")))
    assert issubclass(error, TallowError)


def test_what_a_kernel_raises_is_raised(monkeypatch):
    found = SimpleNamespace(find=lambda _name: FRAGILE)
    monkeypatch.setattr(expressions, "registry", lambda: found)
    frame = pl.DataFrame({"close": [1.0, 950.0, 2.0]})
    with pytest.raises(ArithmeticError, match=r"close=950\.0"):
        frame.select(tallow(pl.col("close")).fragile())
    assert frame[:1].select(tallow(pl.col("close")).fragile()).to_series().to_list() == [1.0]


def test_the_namespace_lists_what_there_is():
    namespace = tallow(pl.col("close"))
    assert {"ema", "rsi", "supertrend"} <= set(dir(namespace))
    assert namespace.rsi.__doc__.startswith("Relative strength index: ")
    assert not hasattr(namespace, "_repr_html_")


@pytest.mark.parametrize("order", ["import polars, tallow", "import tallow, polars"])
def test_the_namespace_is_there_whichever_is_imported_first(order):
    code = f"""
{order}
tallow.AnalyticsEngine
frame = polars.DataFrame({{"close": [1.0, 2.0]}})
print(frame.select(polars.col("close").tallow.sma(2)).to_series().to_list())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[None, 1.5]"

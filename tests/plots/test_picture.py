"""Goal: pictures have the content of the page: a candle for each bar, marks, lines and their names.

Method: SVG is read back as XML, where candles are counted and texts are text; PNG by its header.
What is not installed is taken away from the imports.
"""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import tallow
from tallow.core.errors import OutputError
from tallow.plots.numbers import PLAIN, SCIENTIFIC, SHORT, Numbers, number_text, numbers_of
from tallow.plots.picture import BARS_MOST
from tallow.plots.plot import Plot
from tests.plots.bars import EVIL, candles_of, simulated

SVG = "{http://www.w3.org/2000/svg}"


def plotted(indicators: str = "ema(9), macd", name: str | None = None) -> Plot:
    engine = tallow.AnalyticsEngine()
    return engine.process_candles(simulated(2, name), "15m", indicators).plot()


def group(root: ElementTree.Element, name: str) -> ElementTree.Element:
    (found,) = (each for each in root.iter(f"{SVG}g") if each.get("id") == name)
    return found


def shapes(element: ElementTree.Element) -> int:
    drawn = [each for each in element.iter(f"{SVG}path") if "style" in each.attrib]
    return len(drawn) + sum(1 for _ in element.iter(f"{SVG}use"))


def test_a_drawing_has_a_candle_for_each_bar_and_its_texts(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot = plotted("ema(9), macd, heikin_ashi, cdl_engulfing, fractal(2, 2)", EVIL)
    root = ElementTree.parse(plot.write(tmp_path / "chart.svg")).getroot()
    for name in ("candles", "volume", "heikin_ashi"):
        assert shapes(group(root, name)) == plot.drawing.bars == 50
    group(root, "ema_9")
    texts = [each.text or "" for each in root.iter(f"{SVG}text")]
    # As it is: no script, and no mathematics.
    assert EVIL.replace("\u2028", "\\u2028") in texts
    assert any(text.startswith("macd_signal_12_26_9 ") for text in texts)
    assert "last bar forming" in texts
    assert {"14 Jul", "15 Jul", "12:00"} <= set(texts)
    signs = sum(1 for each in root.iter(f"{SVG}g") if each.get("id", "").startswith("mark "))
    assert signs == len(plot.drawing.marks) > 0


def test_the_same_bars_make_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    first, second = (plotted().write(tmp_path / f"{k}.svg").read_bytes() for k in "12")
    assert first == second


def test_a_picture_is_a_png_of_its_size(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    header = plotted().write(tmp_path / "chart.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:])
    # The candles, and two panes below them.
    assert (width, height) == (1400, 880)


def test_more_bars_than_pixels_are_drawn_several_as_one(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    count = BARS_MOST + 1
    candles = simulated(8).head(count)
    plot = tallow.AnalyticsEngine().process_candles(candles, "1m", "").plot()
    assert plot.drawing.bars > BARS_MOST
    root = ElementTree.parse(plot.write(tmp_path / "chart.svg")).getroot()
    assert shapes(group(root, "candles")) == -(-plot.drawing.bars // 2)
    assert any("2 bars drawn as one" in (each.text or "") for each in root.iter(f"{SVG}text"))


@pytest.mark.parametrize("scale", [1e-11, 1e11])
def test_tiny_and_huge_prices_are_drawn(scale: float, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    candles = candles_of([2.0 * scale, 3.0 * scale], [1.0 * scale, 2.0 * scale])
    plot = tallow.AnalyticsEngine().process_candles(candles, "1m", "sma(1)").plot()
    root = ElementTree.parse(plot.write(tmp_path / "chart.svg")).getroot()
    assert shapes(group(root, "candles")) == 2


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    target = tmp_path / "chart.png"
    with pytest.raises(OutputError, match=re.escape("pip install 'tallow[plot]', or write .html")):
        plotted().write(target)
    assert not target.exists()
    assert plotted().write(tmp_path / "chart.html").exists()


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"must end in \.html, \.png, \.svg"):
        plotted().write(tmp_path / "chart.gif")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (9_999.0, "9,999"), (12_500.0, "12.5K"), (-2e6, "\u22122M"), (3.25e9, "3.25B")],
)
def test_volumes_are_written_short(value: float, text: str) -> None:
    assert number_text(value, Numbers(SHORT, 0, 1.0)) == text


@pytest.mark.parametrize(
    ("largest", "style", "decimals"),
    [(71.45, PLAIN, 2), (0.0123, PLAIN, 5), (8e-12, SCIENTIFIC, 15), (4e14, SHORT, 0)],
)
def test_numbers_are_given_in_a_size_that_can_be_drawn_without_losing_a_bit(
    largest: float, style: str, decimals: int
) -> None:
    values = np.array([largest, -largest / 3, np.nan, 0.0])
    numbers = numbers_of([values])
    assert (numbers.style, numbers.decimals) == (style, decimals)
    given = values * numbers.scale
    np.testing.assert_array_equal(given / numbers.scale, values)
    assert numbers.scale == 1.0 or 1.0 <= given[0] < 2.0
    assert (numbers.scale == 1.0) == (1e-5 <= largest <= 9e13)

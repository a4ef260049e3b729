"""Goal: a user's indicator, in a package of its own, works everywhere where a built-in one does.

Method: a package with its metadata is written to a folder, and used by a fresh interpreter that has
the folder on its path, as if it had been installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from textwrap import dedent

import pytest

INDICATORS = '''
import numpy as np
from numba import njit
from tallow import RECURSIVE, WINDOW, Indicator, Output, Parameter


@njit(nogil=True)
def mid(state, params, offsets, high, low, out):
    for row in range(offsets[0], offsets[-1]):
        out[row] = params[0] * (high[row] + low[row])


def rows(state, params, offsets, close, out):
    """Plain Python; and it does not like prices above 900."""
    for i in range(len(state)):
        for row in range(offsets[i], offsets[i + 1]):
            state[i, 0] += 1
            out[row] = state[i, 0] if row % 2 else np.nan
            if close[row] > 900:
                raise ValueError("too dear")


MID = Indicator(
    name="mid", title="Middle", inputs=("high", "low"),
    outputs=(Output("mid", "mid_{share}", "price", "share of high plus low"),),
    parameters=(Parameter("share", 0.5, "share", minimum=0.0, maximum=1.0),),
    memory=WINDOW, warmup=lambda _: (0,), state_size=lambda _: 0, advance=mid,
    formula="share x (high + low)", reference="none",
)
ROWS = Indicator(
    name="rows", title="Rows", inputs=("close",),
    outputs=(Output("rows", "rows", "rows", "rows so far"),), parameters=(),
    memory=RECURSIVE, warmup=lambda _: (0,), state_size=lambda _: 1, advance=rows,
    formula="row number", reference="none",
)
'''

SETUP = """
    import json, warnings
    import polars as pl
    import tallow
    times = [f"2025-06-02T09:{m}:00+05:30" for m in range(15, 21)]
    def one(name, price):
        return pl.DataFrame({
            "symbol": [name] * 6, "ts": times, "open": [price] * 6, "high": [price + 2] * 6,
            "low": [price] * 6, "close": [price + 1] * 6, "volume": [5] * 6,
        })
    frame = pl.concat([one("A", 100.0), one("DEAR", 990.0)])
    engine = tallow.AnalyticsEngine("XNSE", threads=1)
"""

USES = {
    "text": (
        'print(json.dumps([s.columns for s in tallow.parse_specs("mid(0.25), rows")]))',
        [["mid_0p25"], ["rows"]],
    ),
    "process_candles": (
        """
        result = engine.process_candles(frame, "3m", "mid, rows, ema(1)")
        print(json.dumps([
            result.frame["mid_0p5"].to_list(), result.frame["rows"].to_list(),
            result.frame["ema_1"].to_list(), result.report.failures,
        ]))
        """,
        [
            [101.0, 101.0, 991.0, 991.0],
            [None, 2.0, None, None],
            [101.0, 101.0, 991.0, 991.0],
            {"DEAR": "rows: ValueError: too dear"},
        ],
    ),
    "calculate_indicators": (
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            out = engine.calculate_indicators(frame, ["mid", "rows"])
        print(json.dumps([
            out["mid_0p5"].to_list(), out["rows"].to_list(), [str(w.message) for w in caught],
        ]))
        """,
        [
            [101.0] * 6 + [991.0] * 6,
            [None, 2.0, None, 4.0, None, 6.0] + [None] * 6,
            ["DEAR: rows: ValueError: too dear"],
        ],
    ),
    "everything fails": (
        """
        for call in (engine.process_candles, engine.calculate_indicators):
            try:
                call(frame.filter(pl.col("symbol") == "DEAR"), indicators="rows")
            except tallow.TallowError as error:
                print(json.dumps([type(error).__name__, str(error)]))
        """,
        ["AllFailedError", "DEAR: rows: ValueError: too dear"],
    ),
    "warm-up": (
        """
        print(json.dumps([engine.is_warm("rows"), engine.warm_up("mid, rows")]))
        """,
        [True, None],
    ),
}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Return a folder with a package and its metadata, as an installer leaves them."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "their_indicators.py").write_text(INDICATORS)
    metadata = folder / "their_indicators-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: their-indicators\nVersion: 1.0\n"
    )
    (metadata / "entry_points.txt").write_text(
        "[tallow.indicators]\nmid = their_indicators:MID\nrows = their_indicators:ROWS\n"
    )
    return folder


def run(folder, program):
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    code = dedent(SETUP) + dedent(program)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("use", USES)
def test_a_users_indicator_is_nothing_special(use, package):
    program, expected = USES[use]
    printed = run(package, program)
    assert printed
    assert all(line == expected for line in printed)


def test_a_users_indicator_is_an_expression(package):
    program = """
        named = pl.col("high").tallow.mid(0.25)
        swapped = pl.col("low").tallow.mid(low=pl.col("high"))
        out = frame.select(named, swapped.alias("swapped"))
        print(json.dumps([out.columns, out.row(0)]))
        """
    assert run(package, program) == [[["mid_0p25", "swapped"], [50.5, 101.0]]]

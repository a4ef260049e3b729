"""One library's indicators in a process and an environment of its own: it reads what to run.

    python peer_process.py LIBRARY ARRAYS

`ARRAYS` is an .npz with the columns and ``offsets`` of many instruments. The first line that is
printed is the library's version; then each line read, ``run ema 9`` or ``values ema 9 FILE``, is
answered by one: the seconds that all instruments took, wall and processor, or where the first
instrument's values lie. Whoever has TA-Lib's names runs any of its functions: ``run
ADX:high,low,close:14 0``. It needs NumPy and the library, and nothing of Tallow.

Each library in its fastest form of those tried: Wickra's ``batch_fast``; those on Polars in
a query an instrument over frames that are there (one query ``.over`` all of them takes a third
longer). talipp takes a candle at a time: it is measured on one instrument, and its time told for as
many rows.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np

Columns = dict[str, Any]
Run = Callable[[Columns, str, int], Any]
"""From an instrument's columns, an indicator and its length to one or several arrays."""


def talib_like(module: Any) -> Run:
    """Return the calls that TA-Lib and whoever has its names take."""
    calls = {
        "sma": lambda c, n: module.SMA(c["close"], n),
        "ema": lambda c, n: module.EMA(c["close"], n),
        "rsi": lambda c, n: module.RSI(c["close"], n),
        "atr": lambda c, n: module.ATR(c["high"], c["low"], c["close"], n),
        "bollinger": lambda c, n: module.BBANDS(c["close"], n, 2.0, 2.0),
    }

    def run(columns: Columns, name: str, length: int) -> Any:
        if name in calls:
            return calls[name](columns, length)
        function, inputs, values = name.split(":")
        numbers = [float(x) if "." in x else int(x) for x in values.split(",") if x]
        return getattr(module, function)(*map(columns.get, inputs.split(",")), *numbers)

    return run


def takt() -> Run:
    import talib

    return talib_like(talib)


def ferro() -> Run:
    import ferro_ta

    return talib_like(ferro_ta)


def wickra() -> Run:
    import wickra as w

    calls = {
        "sma": lambda c, n: w.SMA(n).batch_fast(c["close"]),
        "ema": lambda c, n: w.EMA(n).batch_fast(c["close"]),
        "rsi": lambda c, n: w.RSI(n).batch_fast(c["close"]),
        "atr": lambda c, n: w.ATR(n).batch_fast(c["high"], c["low"], c["close"]),
        "bollinger": lambda c, n: w.BollingerBands(n, 2.0).batch_fast(c["close"]),
    }
    return lambda columns, name, length: calls[name](columns, length)


def talipp() -> Run:
    from talipp.indicators import ATR, BB, EMA, RSI, SMA
    from talipp.ohlcv import OHLCV

    made = {"sma": SMA, "ema": EMA, "rsi": RSI, "atr": ATR, "bollinger": lambda n: BB(n, 2.0)}

    def run(columns: Columns, name: str, length: int) -> Any:
        indicator = made[name](length)
        high, low, close = (columns[key].tolist() for key in ("high", "low", "close"))
        rows = map(OHLCV, close, high, low, close) if name == "atr" else close
        for row in rows:
            indicator.add(row)
        if name == "bollinger":
            bands = [(b.ub, b.cb, b.lb) if b else (np.nan,) * 3 for b in indicator]
            return np.array(bands).T
        return np.array([np.nan if value is None else value for value in indicator])

    return run


def on_polars(expressions: dict[str, Callable[[int], Any]]) -> Run:
    """Return runs of Polars expressions; frames are made once."""
    import polars as pl

    frames: dict[int, Any] = {}

    def run(columns: Columns, name: str, length: int) -> Any:
        frame = frames.setdefault(id(columns), None)
        if frame is None:
            frame = frames[id(columns)] = pl.DataFrame(columns)
        return frame.select(x=expressions[name](length))["x"]

    return run


def plugin(module: Any) -> Run:
    import polars as pl

    high, low, close = map(pl.col, ("high", "low", "close"))
    bands = {"nbdevup": 2.0, "nbdevdn": 2.0}
    return on_polars(
        {
            "sma": lambda n: module.sma(close, timeperiod=n),
            "ema": lambda n: module.ema(close, timeperiod=n),
            "rsi": lambda n: module.rsi(close, timeperiod=n),
            "atr": lambda n: module.atr(high, low, close, timeperiod=n),
            "bollinger": lambda n: module.bbands(close, timeperiod=n, **bands),
        }
    )


def polars_talib() -> Run:
    import polars_talib as module

    return plugin(module)


def polars_talib_fast() -> Run:
    import polars_talib_fast as module

    return plugin(module)


def quantwave() -> Run:
    import polars as pl
    import quantwave  # noqa: F401

    close = pl.col("close").ta
    return on_polars(
        {
            "sma": close.sma,
            "ema": close.ema,
            "rsi": close.rsi,
            "atr": lambda n: close.atr("high", "low", n),
            "bollinger": lambda n: close.bbands(n, 2.0, 2.0),
        }
    )


LIBRARIES: dict[str, Callable[[], Run]] = {
    "ta-lib-takt": takt,
    "ferro-ta": ferro,
    "wickra": wickra,
    "talipp": talipp,
    "polars-talib": polars_talib,
    "polars-talib-fast": polars_talib_fast,
    "quantwave": quantwave,
}
POLARS = ("polars-talib", "polars-talib-fast", "quantwave")


def read(path: str) -> list[Columns]:
    """Return the columns of each instrument."""
    kept = np.load(path)
    offsets, columns = (
        kept["offsets"],
        {name: kept[name] for name in kept.files if name != "offsets"},
    )
    ends = itertools.pairwise(offsets)
    return [{name: column[a:z] for name, column in columns.items()} for a, z in ends]


def as_rows(library: str, name: str, found: Any) -> Any:
    """Return one indicator's outputs as an array ``[outputs, rows]``."""
    if library in POLARS:
        found = found.struct.unnest().to_numpy().T if name == "bollinger" else found.to_numpy()
    elif library == "wickra" and name == "bollinger":
        found = np.array(found.tolist()).T
    return np.atleast_2d(np.array(found))


def main() -> None:
    """Answer each line that is read."""
    library, path = sys.argv[1:]
    run = LIBRARIES[library]()
    print(metadata.version(library), flush=True)
    instruments = read(path)
    some = instruments[:1] if library == "talipp" else instruments
    rows, done = (sum(len(each["close"]) for each in part) for part in (instruments, some))
    for line in sys.stdin:
        verb, name, length, *target = line.split()
        if verb == "values":
            np.save(target[0], as_rows(library, name, run(instruments[0], name, int(length))))
            print(target[0], flush=True)
            continue
        began, cpu_began = time.perf_counter(), time.process_time()
        for columns in some:
            run(columns, name, int(length))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        print(wall * rows / done, cpu * rows / done, flush=True)


if __name__ == "__main__":
    main()

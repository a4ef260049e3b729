"""What a live engine may be made with."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tallow import LiveEngine
from tallow.core.timeframe import parse_timeframe
from tallow.data.store.store import Store
from tallow.testing.cases import Case
from tests.contract.cases import CASES
from tests.runtime.live.markets import CALENDAR, NAMES

TIMEFRAMES = ("1m", "5m", "7m", "1h", "1d", "1w", "1mo")


@dataclass(frozen=True)
class Setup:
    """What a live engine is made with."""

    timeframes: Sequence[str]
    indicators: str
    convention: str = "tradingview"
    no_trade: Any = "drop"
    grace: float = 2.0
    keep: int = 20
    names: Sequence[str] = NAMES
    interest: bool = False

    @classmethod
    def drawn(cls, draw: random.Random) -> Setup:
        """Return any setup; `keep` is often shorter than what indicators look back."""
        convention = draw.choice(["tradingview", "tradingview", "talib"])
        timeframes = draw.sample(TIMEFRAMES, draw.choice([1, 2, 3]))
        return cls(
            timeframes=timeframes,
            indicators=drawn_indicators(draw, convention, timeframes),
            convention=convention,
            no_trade=draw.choice(["drop", "drop", "keep"]),
            grace=draw.choice([0.0, 2.0, 90.0]),
            keep=draw.choice([1, 2, 7, 20, 100]),
            names=draw.sample(NAMES, draw.choice([1, 2, 5])),
            interest=draw.random() < 0.3,
        )

    def engine(self, store: Store | None = None) -> LiveEngine:
        """Return a new engine."""
        return LiveEngine(**self.options(store))

    def options(self, store: Store | None = None) -> dict[str, Any]:
        """Return a live engine's arguments."""
        return {
            "timeframes": self.timeframes,
            "indicators": self.indicators,
            "calendar": CALENDAR,
            "convention": self.convention,
            "no_trade": self.no_trade,
            "grace": self.grace,
            "keep": self.keep,
            "store": store,
        }


def drawn_indicators(draw: random.Random, convention: str, timeframes: Sequence[str]) -> str:
    """Return up to three of the contract's cases, of different indicators, and often a chain."""
    lengths = [size.minutes for size in map(parse_timeframe, timeframes) if size.minutes]
    fitting = [case for case in CASES if case.convention == convention and waits_fit(case, lengths)]
    one_each = {case.indicator.name: case.spec for case in draw.sample(fitting, len(fitting))}
    found = draw.sample(list(one_each.values()), draw.choice([1, 2, 3]))
    if draw.random() < 0.6:
        found.append(drawn_chain(draw, fitting))
    return ", ".join(found)


def waits_fit(case: Case, lengths: Sequence[int]) -> bool:
    """Say whether what a case waits for is a whole number of bars of each length."""
    waits = case.indicator.waits
    return waits is None or not any(float(case.values[waits]) % minutes for minutes in lengths)


def drawn_chain(draw: random.Random, cases: Sequence[Case]) -> str:
    """Return a chain of two or three of some cases; many are of short windows."""
    short = [case for case in cases if max(case.warmup) < 20]
    inner = draw.choice(cases if draw.random() < 0.2 else short)
    text = f"{inner.spec}[{draw.choice(inner.indicator.outputs).name}]"
    outer = [case for case in short if case.indicator.source_input(case.values)]
    for case in draw.sample(outer, draw.choice([1, 1, 2])):
        given = [f"{name}={value}" for name, value in case.values.items()]
        name = draw.choice(case.indicator.outputs).name
        text = f"{case.indicator.name}({', '.join([*given, f'source={text}'])})[{name}]"
    return text

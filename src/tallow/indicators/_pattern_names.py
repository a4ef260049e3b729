"""What candle patterns there are: TA-Lib's names in small letters, without what all begin with.

Their table is not imported before one of them is asked for.
"""

from __future__ import annotations

_TEXT = """
2crows 3blackcrows 3inside 3linestrike 3outside 3starsinsouth 3whitesoldiers abandonedbaby
advanceblock belthold breakaway closingmarubozu concealbabyswall counterattack darkcloudcover doji
dojistar dragonflydoji engulfing eveningdojistar eveningstar gapsidesidewhite gravestonedoji
hammer hangingman harami haramicross highwave hikkake hikkakemod homingpigeon identical3crows
inneck invertedhammer kicking kickingbylength ladderbottom longleggeddoji longline marubozu
matchinglow mathold morningdojistar morningstar onneck piercing rickshawman risefall3methods
separatinglines shootingstar shortline spinningtop stalledpattern sticksandwich takuri tasukigap
thrusting tristar unique3river upsidegap2crows xsidegap3methods
"""
NAMES = tuple(_TEXT.split())


def aliases(name: str) -> tuple[str, ...]:
    """Return TA-Lib's own name of a pattern, in small letters."""
    return (f"cdl{name}",)

"""Timeframes: ``1m 3m 5m 15m 30m 1h 2h 4h 1d 1w 1mo`` and any whole number of minutes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NoReturn

from tallow.core.errors import TimeframeError, excerpt
from tallow.core.limits import TIMEFRAME_MINUTES_MAX, TIMEFRAMES

Unit = Literal["minute", "day", "week", "month"]

_CALENDAR_UNITS: dict[str, Unit] = {"1d": "day", "1w": "week", "1mo": "month"}
_RANK: dict[Unit, int] = {"minute": 0, "day": 1, "week": 2, "month": 3}


@dataclass(frozen=True)
class Timeframe:
    """One bar size; `minutes` is 0 for days, weeks and months, which the calendar measures."""

    text: str
    unit: Unit
    minutes: int

    def __str__(self) -> str:
        return self.text

    def can_be_built_from(self, source: Timeframe) -> bool:
        """Say whether whole `source` bars fill bars of this size."""
        if self.unit == "minute":
            return source.unit == "minute" and self.minutes % source.minutes == 0
        # Weeks cut months, so a month cannot be built from weeks.
        if source.unit == "week":
            return self.unit == "week"
        return _RANK[source.unit] <= _RANK[self.unit]


def parse_timeframe(text: str | Timeframe) -> Timeframe:
    """Read a timeframe.

    Raises
    ------
    TimeframeError
        If `text` is not a timeframe of the design.

    Examples
    --------
    >>> parse_timeframe("60m").text
    '1h'
    >>> parse_timeframe("1d").unit
    'day'
    """
    if isinstance(text, Timeframe):
        return text
    given: object = text
    # A caller may give anything, and str() of that may raise.
    return _parse(given.strip()) if isinstance(given, str) else _refuse(given)


def parse_timeframes(
    given: str | Timeframe | Iterable[str | Timeframe],
) -> tuple[Timeframe, ...]:
    """Read one timeframe, or several.

    Raises
    ------
    TimeframeError
        As `parse_timeframe`; if there is none, or one is given twice.

    Examples
    --------
    >>> [size.text for size in parse_timeframes(["5m", "1h"])]
    ['5m', '1h']
    """
    texts = [given] if isinstance(given, str | Timeframe) else _listed(given)
    sizes = tuple(map(parse_timeframe, texts))
    if not sizes:
        raise TimeframeError("timeframe: []; must name one at least; for example 5m, 1h")
    again = [place for place, size in enumerate(sizes) if size in sizes[:place]]
    if again:
        place = sizes.index(sizes[again[0]])
        raise TimeframeError(
            f"timeframe: {texts[place]} and {texts[again[0]]}; must be different ones; "
            "leave one out"
        )
    return sizes


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, Iterable) else [given]


_UNITS = {
    **dict.fromkeys(("", "m", "t", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "hourly"), "h"),
    **dict.fromkeys(("d", "day", "days", "daily"), "d"),
    **dict.fromkeys(("w", "wk", "week", "weeks", "weekly"), "w"),
    **dict.fromkeys(("mo", "mon", "mth", "month", "months", "monthly"), "mo"),
}
"""Other spellings of units, in lower case: they are no timeframes, but what is meant is plain."""


@lru_cache(maxsize=TIMEFRAMES)
def _parse(text: str) -> Timeframe:
    if text in _CALENDAR_UNITS:
        return Timeframe(text, _CALENDAR_UNITS[text], 0)
    match = re.fullmatch(r"([0-9]{1,4})(m|min|h)", text)
    minutes = int(match[1]) * (60 if match[2] == "h" else 1) if match else 0
    if not 1 <= minutes <= TIMEFRAME_MINUTES_MAX:
        return _refuse(text)
    hours, rest = divmod(minutes, 60)
    return Timeframe(f"{hours}h" if rest == 0 else f"{minutes}m", "minute", minutes)


def _refuse(text: object) -> NoReturn:
    hint = _meant(str(text)) if isinstance(text, str | int) else ""
    raise TimeframeError(
        f"timeframe: {excerpt(text)}; must be 1d, 1w, 1mo, or whole minutes or hours "
        f"from 1m to {TIMEFRAME_MINUTES_MAX}m; {hint or 'for example 5m, 15m, 1h, 1d'}"
    )


def meant_timeframe(text: str) -> str | None:
    """Return the one timeframe that others write so; None where it is none, or may be two.

    Examples
    --------
    >>> [meant_timeframe(text) for text in ("60min", "5 minutes", "hourly", "1M", "soon")]
    ['1h', '5m', '1h', None, None]
    """
    near = re.fullmatch(r"did you mean ([0-9a-z]+)\?", _meant(text))
    try:
        return parse_timeframe(near[1] if near else text).text
    except TimeframeError:
        return None


def _meant(text: str) -> str:
    """Return what `text` may mean: ``5`` and ``5 minutes`` are 5m, ``1H`` and ``hourly`` 1h."""
    match = re.fullmatch(r"([0-9]{0,4})[ _-]?([A-Za-z]*)", text.strip())
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        return ""
    near = f"{int(match[1] or 1)}{unit}"
    minutes = int(match[1] or 1) * {"m": 1, "h": 60}.get(unit, 0)
    is_one = near in _CALENDAR_UNITS or 0 < minutes <= TIMEFRAME_MINUTES_MAX
    months = " or 1mo" if match[2] == "M" and near == "1m" else ""
    return f"did you mean {near}{months}?" if is_one else ""


def require_multiple(target: Timeframe, source: Timeframe) -> None:
    """Raise `TimeframeError` unless `target` bars can be built from whole `source` bars."""
    if not target.can_be_built_from(source):
        raise TimeframeError(
            f"timeframe: {target} from source_timeframe={source}; the target must be a whole "
            "multiple of the source; choose a coarser target or give finer candles"
        )

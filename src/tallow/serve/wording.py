"""Messages in the words of the command line: ``--calendar-dates`` for ``calendar_dates=``."""

from __future__ import annotations

import re

_OPTIONS = {
    "adjustment": "--adjustment",
    "beyond_coverage": "--beyond-coverage",
    "calendar_dates": "--calendar-dates",
    "feed": "--feed",
    "format": "--format",
    "grace": "--grace",
    "instrument": "--instrument",
    "keep": "--keep",
    "no_volume": "--no-volume",
    "pattern": "--pattern",
    "source_timeframe": "--source-timeframe",
    "speed": "--speed",
    "stamped": "--stamped",
    "time_format": "--time-format",
    "subscribe": "--subscribe",
    "timeframe": "--timeframe",
    "timezone": "--timezone",
}
"""Parameters that messages name, and their options."""

_OPTIONS_OF = {
    "run": {"instrument": "--instrument-key"},
    "live": {
        "instrument": "--instrument-key",
        "source_timeframe": "--source-timeframe of tallow run",
    },
    "compare": {
        "instrument": "--instrument-key",
        "source_timeframe": "--source-timeframe of tallow run",
    },
    "doctor": {"calendar_dates": "--calendar-dates of tallow run"},
    "ingest": {"source_timeframe": "--timeframe"},
}
"""Where a verb's option is called otherwise."""

_PARAMETER = re.compile(rf"\b({'|'.join(_OPTIONS)})=(?:True\b|(?=(\S?)))")


def in_options(message: str, verb: str = "run") -> str:
    """Return a message with the names of a verb's options for those of parameters.

    Examples
    --------
    >>> in_options('give a TOML file as calendar_dates=, or ask for beyond_coverage="weekdays"')
    'give a TOML file as --calendar-dates, or ask for --beyond-coverage "weekdays"'
    """
    options = _OPTIONS | _OPTIONS_OF.get(verb, {})

    def option(match: re.Match[str]) -> str:
        # A value follows, or the sentence goes on: "as calendar_dates=, with ...".
        follows = match[2] or ""
        has_value = follows.isalnum() or follows in {'"', "'", "-"}
        return options[match[1]] + " " * has_value

    return _PARAMETER.sub(option, message)

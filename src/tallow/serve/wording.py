"""Messages in the words of the command line: ``--calendar-dates`` for ``calendar_dates=``."""

from __future__ import annotations

import re

_OPTIONS = {
    "beyond_coverage": "--beyond-coverage",
    "calendar_dates": "--calendar-dates",
    "instrument": "--instrument-key",
    "source_timeframe": "--source-timeframe",
    "timezone": "--timezone",
}
"""Parameters that the hints of messages name, and their options."""

_PARAMETER = re.compile(rf"\b({'|'.join(_OPTIONS)})=(?=(\S?))")


def in_options(message: str) -> str:
    """Return a message with the names of options for those of parameters.

    Examples
    --------
    >>> in_options('give a TOML file as calendar_dates=, or ask for beyond_coverage="weekdays"')
    'give a TOML file as --calendar-dates, or ask for --beyond-coverage "weekdays"'
    """
    return _PARAMETER.sub(_option, message)


def _option(match: re.Match[str]) -> str:
    # A value follows, or the sentence goes on: "as calendar_dates=, with ...".
    has_value = match[2].isalnum() or match[2] in {'"', "'"}
    return _OPTIONS[match[1]] + " " * has_value

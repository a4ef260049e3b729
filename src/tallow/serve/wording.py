"""Messages in the words of the command line: ``--calendar-dates`` for ``calendar_dates=``.

A verb's words are its own options: a message never names one that the verb does not have.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import typer

_OTHERS = {
    "run": {"instrument": "--instrument-key"},
    "live": {
        "instrument": "--instrument-key",
        "source_timeframe": "--source-timeframe of tallow run",
    },
    "compare": {
        "instrument": "--instrument-key",
        "source_timeframe": "--source-timeframe of tallow run",
        "thresholds: values": "thresholds: --agree",
        "thresholds: decisions": "thresholds: --agree-decisions",
        "thresholds: time": "thresholds: --less-time",
        "thresholds: memory": "thresholds: --less-memory",
    },
    "ingest": {"source_timeframe": "--timeframe"},
    "doctor": {"calendar_dates": "--calendar-dates of tallow run"},
}
"""Where a parameter's name is not that of the verb's option."""


def in_options(message: str, verb: str = "run") -> str:
    """Return a message with the names of a verb's options for those of parameters.

    Examples
    --------
    >>> in_options('give a TOML file as calendar_dates=, or ask for beyond_coverage="weekdays"')
    'give a TOML file as --calendar-dates, or ask for --beyond-coverage "weekdays"'
    """
    words, parameter = _words_of(verb)

    def option(match: re.Match[str]) -> str:
        # A value follows, or the sentence goes on: "as calendar_dates=, with ...".
        follows = match[2] or ""
        has_value = follows.isalnum() or follows in {'"', "'", "-"}
        return words[match[1]] + " " * has_value

    return parameter.sub(option, message)


@cache
def _words_of(verb: str) -> tuple[dict[str, str], re.Pattern[str]]:
    """Return what a verb calls parameters, and an expression that finds them in messages."""
    from tallow.serve.cli import app

    options = (
        each
        for each in find_verb(typer.main.get_command(app), verb).params
        if each.param_type_name == "option"
    )
    words = {str(each.name): max(each.opts, key=len) for each in options} | _OTHERS.get(verb, {})
    names = "|".join(sorted(words, key=len, reverse=True))
    return words, re.compile(rf"\b({names})=(?:True\b|(?=(\S?)))")


def find_verb(command: Any, name: str) -> Any:
    """Return the verb of a name, below a group too."""
    for each, found in command.commands.items():
        if each == name:
            return found
        if hasattr(found, "commands") and name in found.commands:
            return found.commands[name]
    raise KeyError(name)

"""Messages in the words of the command line: ``--calendar-dates`` for ``calendar_dates=``.

A verb's words are its own options: a message never names one that the verb does not have. All text
of verbs that no console draws is printed here, in plain lines on stdout and stderr.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

import typer

from tallow.core.text import printable, printable_json, without_secrets


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text; what would steer a terminal is written out."""
    typer.echo(printable(text), err=err, nl=nl)


def say_json(text: str) -> None:
    """Print JSON on stdout; it reads back the same, and steers no terminal."""
    typer.echo(printable_json(text))


APPS: dict[str, typer.Typer] = {}
"""The command line and its groups of verbs by their names; `make_app` adds each."""

_OTHERS = {
    "compare": {
        "thresholds: values": "thresholds: --agree",
        "thresholds: decisions": "thresholds: --agree-decisions",
        "thresholds: time": "thresholds: --less-time",
        "thresholds: memory": "thresholds: --less-memory",
    },
    "quarantine": {
        name: f"--{name.replace('_', '-')} of tallow live"
        for name in ("calendar_dates", "beyond_coverage", "timezone", "keep")
    },
    "doctor": {"calendar_dates": "--calendar-dates of tallow run"},
    **{verb: {"timeframes": "--timeframe"} for verb in ("serve", "config")},
}
"""Where a parameter's name is not that of the verb's option."""

_IN_A_CALL = re.compile(r"\w\([^()]*\Z")
"""What ends where the arguments of a function's call are: these are Python's, as the call is."""

_SENTENCES = {"assumed", "hint", "why_empty", "failures", "errors"}
"""Keys of reports under which there are sentences, or sentences by name."""


def in_options(message: str, verb: str = "run") -> str:
    """Return a message with the names of a verb's options for those of parameters.

    Examples
    --------
    >>> from tallow.serve import cli  # without it there are no verbs
    >>> in_options('give a TOML file as calendar_dates=, or ask for beyond_coverage="weekdays"')
    'give a TOML file as --calendar-dates, or ask for --beyond-coverage "weekdays"'
    """
    words, parameter = words_of(verb)

    def option(match: re.Match[str]) -> str:
        if _IN_A_CALL.search(message, 0, match.start()):
            return match[0]
        # A value follows, or the sentence goes on: "as calendar_dates=, with ...".
        follows = match[2] or ""
        has_value = follows.isalnum() or follows in {'"', "'", "-"}
        return words[match[1]] + " " * has_value

    return parameter.sub(option, message)


def report_in_options(report: Any, verb: str) -> Any:
    """Return a report, as JSON shows it, with its sentences in the words of a verb's options."""
    if not isinstance(report, Mapping):
        return report
    worded = {name: report_in_options(each, verb) for name, each in report.items()}
    return worded | {name: _sentences(worded[name], verb) for name in _SENTENCES & worded.keys()}


def _sentences(worded: Any, verb: str) -> Any:
    if isinstance(worded, Mapping):
        return {name: in_options(str(why), verb) for name, why in worded.items()}
    return in_options(worded, verb) if isinstance(worded, str) else worded


@cache
def words_of(verb: str) -> tuple[dict[str, str], re.Pattern[str]]:
    """Return what a verb calls parameters, and an expression that finds them in messages."""
    shown = {
        name: spelling(verb, name) for name, each in options_of(verb).items() if not each.hidden
    }
    words = shown | _OTHERS.get(verb.rpartition(" ")[2], {})
    # Of a verb without options, nothing is found.
    names = "|".join(sorted(words, key=len, reverse=True)) or "(?!)"
    return words, re.compile(rf"\b({names})=(?:True\b|(?=(\S?)))")


@cache
def options_of(verb: str) -> dict[str, Any]:
    """Return a verb's options by the names of their parameters, those that no page shows, too."""
    found = find_verb(typer.main.get_command(APPS["tallow"]), verb).params
    return {str(each.name): each for each in found if each.param_type_name == "option"}


def spelling(verb: str, name: str) -> str:
    """Return an option of a verb as it is written: ``--calendar-dates``."""
    return str(max(options_of(verb)[name].opts, key=len))


def find_verb(command: Any, name: str) -> Any:
    """Return the verb of a name, below a group too: ``run``, ``quarantine``, ``rollout run``."""
    group, _, verb = name.rpartition(" ")
    if group:
        return command.commands[group].commands[verb]
    for each, found in command.commands.items():
        if each == name:
            return found
        if hasattr(found, "commands") and name in found.commands:
            return found.commands[name]
    raise KeyError(name)


def command_again(context: typer.Context, *without: str) -> str:
    """Return a verb's command as it was given, but for parameters of some names, and secrets."""
    words = [str(context.info_name)]
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or name in without:
            continue
        value = context.params[name]
        is_option = parameter.param_type_name == "option"
        option = [max(parameter.opts, key=len)] if is_option else []
        for each in value if isinstance(value, list | tuple) else [value]:
            words += option if each is True else [*option, without_secrets(str(each))]
    return f"tallow {shlex.join(words)}"


def venue_words(said: Mapping[str, Any]) -> str:
    """Return the options that say again when the venue trades; nothing for those by default.

    Examples
    --------
    >>> venue_words({"calendar": "24/7", "beyond_coverage": "assume"})
    ' --calendar 24/7'
    """
    usual = {"calendar": "XNSE", "calendar_dates": None, "beyond_coverage": "assume"}
    words = [
        f" --{name.replace('_', '-')} {shlex.quote(str(said[name]))}"
        for name, default in usual.items()
        if said.get(name, default) != default
    ]
    return "".join(words)

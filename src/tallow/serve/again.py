"""The command that was given, for hints that change one thing of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import typer

from tallow.core.text import without_secrets


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

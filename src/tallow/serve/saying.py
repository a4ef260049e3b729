"""Plain lines on stdout and stderr: the door for all text of verbs that no console draws."""

from __future__ import annotations

import typer

from tallow.core.text import printable, printable_json


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text; what would steer a terminal is written out."""
    typer.echo(printable(text), err=err, nl=nl)


def say_json(text: str) -> None:
    """Print JSON on stdout; it reads back the same, and steers no terminal."""
    typer.echo(printable_json(text))

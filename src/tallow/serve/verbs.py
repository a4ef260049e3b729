"""What the verbs of the command line share: their help pages, exit codes and errors."""

from __future__ import annotations

import functools
import inspect
import signal
import sys
import threading
import warnings
from collections import UserDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from tallow.core.errors import (
    AllFailedError,
    AllRefusedError,
    EmptyWarning,
    NoBarsError,
    TallowError,
    TallowWarning,
)
from tallow.core.text import counted
from tallow.serve.imports import import_at_once
from tallow.serve.options import FORMER
from tallow.serve.wording import APPS, in_options, say, spelling

PROGRAM = "tallow"

EXIT_INCOMPLETE = 1
"""Rows were quarantined and `--strict` was given, an instrument or file failed, or a check did."""

EXIT_USAGE = 2
NOTHING_WRITTEN = "cancelled; nothing was written"

EXIT_CANCELLED = 130
"""As a shell counts it: 128, and 2 for SIGINT."""


_NUMBERS = {"int_parsing": "a whole number", "float_parsing": "a number"}
"""What must be given where a text is none, by the word that Typer's library has for it."""


_SETTINGS = {"help_option_names": ["--help", "-h"], "max_content_width": 100}

_VERBS: dict[str, dict[str, typer.Typer]] = {}
"""By the name of a group: its verbs, each an app of one."""


class VerbCommand(TyperCommand):
    """A verb whose help lists its options under their headings."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Read the options; an error names the value, which Typer's own does not."""
        try:
            return super().make_context(*args, **extra)
        except typer.BadParameter as error:
            found: list[Any] = getattr(error.__cause__, "errors", list)()
            rule = _NUMBERS.get(found[0]["type"]) if found else None
            if rule is not None:
                error.message = f"{found[0]['input']!r}; must be {rule}"
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Write ``INPUT...`` where Typer has ``{INPUT}...``."""
        return [
            piece.strip("{}").replace("}...", "...") for piece in super().collect_usage_pieces(ctx)
        ]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of a command line."""
        rest: list[str] = super().parse_args(ctx, args)
        _require_one_name(ctx, {str(each.name): max(each.opts, key=len) for each in self.params})
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section per heading, in the order in which they come."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
                heading = getattr(parameter, "rich_help_panel", None) or usual
                # Typer writes an argument as ``NAME <type>``, and the type is Python's.
                name = record[0].partition(" <")[0]
                sections.setdefault(heading, []).append((name, record[1]))
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def _require_one_name(ctx: Any, spellings: dict[str, str]) -> None:
    """Raise where an option is given by its former name, and by today's."""
    for name, before in spellings.items():
        both = (name, name.removeprefix(FORMER))
        if name.startswith(FORMER) and all(
            ctx.get_parameter_source(each).name == "COMMANDLINE" for each in both
        ):
            now = spellings[both[1]]
            raise typer.BadParameter(f"{before}, {now}; are two names of one thing; give {now}")


class _Verbs(UserDict[str, Any]):
    """Verbs and groups by name; a verb is made when it is asked for, as its page of help is.

    To make one takes a millisecond or two, most of it for the types of its options.
    """

    def __getitem__(self, name: str) -> Any:
        found = self.data[name]
        if isinstance(found, typer.Typer):
            found = self.data[name] = typer.main.get_command(found)
        return found

    def first_lines(self) -> list[TyperCommand]:
        """Return commands that have no more than a name and a help."""
        helps = {
            name: each.info.help if isinstance(each, typer.Typer) else each.help
            for name, each in self.data.items()
        }
        return [TyperCommand(name, help=text) for name, text in helps.items()]


class VerbGroup(TyperGroup):
    """A group of verbs whose page of help waits for none of them to be made."""

    def __init__(self, *, name: str, commands: dict[str, Any], **rest: Any) -> None:
        self._verbs = _Verbs({**_VERBS[name], **commands})
        super().__init__(name=name, commands=self._verbs, **rest)  # type: ignore[arg-type]

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order in which they are shown."""
        return list(self._verbs)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a line of each."""
        TyperGroup(commands=self._verbs.first_lines()).format_commands(ctx, formatter)


def make_app(name: str, help_: str, epilog: str) -> typer.Typer:
    """Return an app whose help is plain text, which Typer writes without importing rich."""
    _VERBS[name] = {}
    APPS[name] = typer.Typer(
        name=name,
        cls=VerbGroup,
        help=help_,
        epilog=epilog,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_SETTINGS,
    )
    return APPS[name]


def add_verb(
    app: typer.Typer,
    name: str,
    work: str,
    epilog: str = "",
    command: type[VerbCommand] = VerbCommand,
    extra: str | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add a verb, whose function declares its options; errors become messages, not tracebacks.

    `work` is ``module:function`` of this package, which takes the options as keywords and returns
    the exit code. It is imported when the verb runs; `extra` is what must be installed for that.
    """
    path = name if app.info.name == PROGRAM else f"{app.info.name} {name}"

    def add(declared: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(declared)
        def run_verb(**options: Any) -> None:
            try:
                with _saying_warnings(path):
                    code = find_work(work)(**_by_todays_names(options, path))
            except KeyboardInterrupt as interrupt:
                # A verb that knows what became of its files says so.
                say(" ".join(map(str, interrupt.args)) or "cancelled", err=True)
                code = EXIT_CANCELLED
            except TallowError as error:
                hint = f"Try '{PROGRAM} {path} --help' for help."
                say(f"Error: {in_options(str(error), path)}\n{hint}", err=True)
                code = EXIT_INCOMPLETE if isinstance(error, _NOTHING) else EXIT_USAGE
            except ModuleNotFoundError as error:
                if extra is None:
                    raise
                hint = f"install it with: pip install 'tallow[{extra}]'"
                say(f"Error: {path}: needs {error.name}; {hint}", err=True)
                code = EXIT_USAGE
            except BrokenPipeError:
                # Whoever read the output has seen enough.
                raise
            except OSError as error:
                say(f"Error: {_file_words(error)}", err=True)
                code = EXIT_USAGE
            raise typer.Exit(code)

        alone = typer.Typer(
            help=inspect.getdoc(declared),
            add_completion=False,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings=_SETTINGS,
        )
        alone.command(name, cls=command, epilog=epilog)(run_verb)
        _VERBS[str(app.info.name)][name] = alone
        WORKS[path] = (declared, work)
        return run_verb

    return add


def _file_words(error: OSError) -> str:
    """Say what the system has against a file that no other message names."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    place = f"{' and '.join(names)}: " if names else ""
    return f"{place}{error.strerror or error}; check the name, this user's rights and the disk"


_NOTHING = (AllFailedError, AllRefusedError, NoBarsError)
"""What is right as it was asked for, and gives nothing."""

WORKS: dict[str, tuple[Callable[..., None], str]] = {}
"""By the verb: the function that declares its options, and the name of the one for its work."""


def find_work(name: str) -> Callable[..., int]:
    """Return the function ``module:function`` of this package."""
    module, _, function = name.partition(":")
    path = f"tallow.serve.{module}"
    module_found = sys.modules.get(path) or import_at_once(path)
    found: Callable[..., int] = getattr(module_found, function)
    return found


def _by_todays_names(given: dict[str, Any], verb: str) -> dict[str, Any]:
    """Return options, those that were given by a former name under today's, with a warning."""
    former = {name: given.pop(name) for name in list(given) if name.startswith(FORMER)}
    for name, value in former.items():
        if value is not None:
            today = name.removeprefix(FORMER)
            before, now = spelling(verb, name), spelling(verb, today)
            text = f"{verb}: {before} is called {now} now; the next version takes {now} only"
            warnings.warn(text, TallowWarning, stacklevel=2)
            given[today] = value
    return given


ENGINE = ("calendar", "calendar_dates", "beyond_coverage", "convention", "no_trade", "threads")
"""Options that are arguments of `AnalyticsEngine`."""


def is_dirty(quarantined: int, strict: bool) -> bool:
    """Say on stderr that rows are quarantined, and return it, if `--strict` is given."""
    if strict and quarantined:
        say(f"quarantined: {counted(quarantined, 'row')}, and --strict is given", err=True)
    return strict and quarantined > 0


def take_options(options: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Take the options of some names out, as keyword arguments of what they are for."""
    return {name: options.pop(name) for name in names if name in options}


@contextmanager
def _saying_warnings(verb: str) -> Iterator[None]:
    """Print Tallow's warnings as it prints errors, without a place in its source."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, EmptyWarning):
                # The verb says so at its end, where it is seen.
                return
            if issubclass(category, TallowWarning):
                say(f"Warning: {in_options(str(message), verb)}", err=True)
            else:
                others(message, category, *rest, **more)

        warnings.showwarning = show
        warnings.simplefilter("default", TallowWarning)
        yield


@contextmanager
def when_cancelled(sentence: str) -> Iterator[None]:
    """Let Ctrl-C in it be reported with the sentence that says what became of the output."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(sentence) from None


def take_interrupts_back() -> None:
    """Let Ctrl-C be Python's alone again.

    Polars hooks SIGINT when it is imported, and then aborts its own threads in the middle of a
    read: now and then one of them panics, and prints a page of Rust. Python raises between two
    blocks instead, which is soon enough.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)

"""What tests of hints share: the texts of the package, and what of them a reader is told to type:
commands, options and parameters.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import typer

import tallow
from tallow.data.reading.options import ReadKeywords
from tallow.runtime.requests import InputKeywords, RowKeywords
from tallow.serve.cli import app
from tallow.serve.options import FORMER
from tallow.serve.wording import find_verb

PACKAGE = Path(tallow.__file__).parent
FILLED = "\N{HORIZONTAL ELLIPSIS}"
"""Stands for what a text is filled with."""

PROSE = {"again", "did", "does", "has", "is", "itself", "made", "wrote"}
"""Words that follow the program's name where it is no command."""


class Text(NamedTuple):
    """A text that the package may show, and where it is written."""

    module: str
    line: int
    text: str


PROGRAM = re.compile(r"^(from [\w.]+ )?import \w", re.MULTILINE)
"""What a text has that is a program, for another process or a compiler, and shown to nobody."""


def texts() -> Iterator[Text]:
    """Yield every text of the package but the documentation of its code, and programs."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).with_suffix("").as_posix()
        for line, text in _texts_in(ast.parse(path.read_text("utf-8"))):
            if not PROGRAM.search(text):
                yield Text(module, line, text)


def _texts_in(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    text = _text_of(node)
    if text is not None:
        assert isinstance(node, ast.expr)
        yield node.lineno, text
        return
    for child in ast.iter_child_nodes(node):
        yield from _texts_in(child)


def _text_of(node: ast.AST) -> str | None:
    """Return a constant or formatted text, and those that are added to each other."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(getattr(part, "value", "")) if isinstance(part, ast.Constant) else FILLED
                       for part in node.values)  # fmt: skip
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [_text_of(side) for side in (node.left, node.right)]
        return None if None in sides else "".join(map(str, sides))
    return None


# Commands


@cache
def program() -> Any:
    return typer.main.get_command(app)


@cache
def verbs() -> dict[str, Any]:
    """Return every verb by its path, such as ``store backup``."""
    found: dict[str, Any] = {}
    for name, command in program().commands.items():
        below = getattr(command, "commands", None)
        found |= {name: command} if below is None else {f"{name} {v}": c for v, c in below.items()}
    return found


@cache
def options_of(verb: str) -> set[str]:
    """Return the options of a verb, named alone or with its group: ``backup``."""
    found = verbs().get(verb) or find_verb(program(), verb)
    names = {
        name
        for each in found.params
        for name in each.opts
        if each.param_type_name == "option" and not str(each.name).startswith(FORMER)
    }
    return names | {"--help"}


_COMMAND = re.compile(r"\btallow (?=[a-z])[^\n]*")
_BEGIN = re.compile(r"\btallow (?=[a-z])")
_END = re.compile(r"[|>;()`]+|and|or")


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command in a text, up to what is no part of it any more."""
    joined = re.sub(rf"(?<=[a-z]){FILLED}", " X", text.replace("\\\n", " ")).replace(FILLED, "X")
    for found in _BEGIN.finditer(joined):
        line = joined[found.start() :].partition("\n")[0]
        # What lies further off says what it does.
        words: list[str] = []
        for word in _words(re.split(r"\s{2,}", line)[0]):
            if _END.fullmatch(word):
                break
            words.append(word.rstrip(",.:"))
            if words[-1] != word and not word.endswith("..."):
                break
        yield words


def _words(line: str) -> list[str]:
    # Without its first word, so that another one ends it.
    split = shlex.shlex(line.partition(" ")[2], posix=True, punctuation_chars="|>;()`")
    split.whitespace_split, split.commenters = True, ""
    words: list[str] = []
    try:
        words.extend(split)
    except ValueError:
        # An apostrophe of a sentence.
        return line.partition(" ")[2].split()
    return words


def what_is_wrong(words: list[str], *, whole: bool = False) -> str:
    """Say why a command cannot be given so; nothing where it can.

    `whole` are those with all that they need; the others lack their arguments, or sentences go on.
    """
    name, rest = words[0], words[1:]
    if name in PROSE:
        return ""
    command = program().commands.get(name)
    if command is None:
        return f"no verb {name}"
    if hasattr(command, "commands"):
        if not rest:
            return ""
        name, rest = rest[0], rest[1:]
        if name not in command.commands:
            return f"no verb {name} of {words[0]}"
        command = command.commands[name]
    try:
        if whole:
            command.make_context(name, list(rest))
        else:
            context = command.make_context(name, [], resilient_parsing=True)
            context.resilient_parsing = False
            command.make_parser(context).parse_args(list(rest))
    except Exception as error:  # noqa: BLE001 - what it is called differs between versions
        return str(error) or type(error).__name__
    return ""


# Options and parameters

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_OF = re.compile(r"(--[a-z-]+) of (tallow [a-z ]+)")


def bare_options(text: str) -> set[str]:
    """Return the options that a text names, but for those of commands, and of another verb."""
    rest = _COMMAND.sub(lambda found: _after(found[0]), _OF.sub("", text.replace("\\\n", " ")))
    return set(_OPTION.findall(rest))


def _after(command: str) -> str:
    """Return what follows a command in its line: the sentence that it is in may go on."""
    # Of examples, nothing; of hints, what is behind a comma or a bracket.
    return re.split(r"[,;)]", command, maxsplit=1)[1] if re.search(r"[,;)]", command) else ""


def options_of_others(text: str) -> Iterator[tuple[str, str]]:
    """Yield an option, and the verb of which a text says that it is: ``--x of tallow run``."""
    for option, command in _OF.findall(text):
        words = command.split()[1:]
        two = " ".join(words[:2])
        yield option, two if two in verbs() else words[0]


_ASKED = re.compile(
    r"(?<![\w.%&?-])([a-z_]+)=(?=$|[\s,;:.)])"
    r"|\b(?:pass|add|give|with|for|mend|correct|out|see|told|or) ([a-z_]+)="
)
_CALL = re.compile(r"\b([A-Za-z_][\w.]*)\(([^()]*)\)")


def asked_words(text: str) -> set[str]:
    """Return the parameters that a text asks for by name: ``pass timezone=...``, ``see keep=``."""
    return {one or other for one, other in _ASKED.findall(_CALL.sub("", text))}


def calls(text: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the calls in a text, each with the names of its keyword arguments."""
    for name, arguments in _CALL.findall(text):
        yield name, set(re.findall(r"\b([a-z_]+)=", arguments))


def parameters_of(function: Callable[..., Any]) -> set[str]:
    """Return the names of a function's parameters, also of those that come as one typed set."""
    found: set[str] = set()
    for name, parameter in signature(function).parameters.items():
        named = str(parameter.annotation)
        kinds = (each for each in (RowKeywords, InputKeywords) if each.__name__ in named)
        typed = next(kinds, ReadKeywords)
        is_typed = parameter.kind is Parameter.VAR_KEYWORD and "Unpack" in str(parameter.annotation)
        found |= get_type_hints(typed).keys() if is_typed else {name}
    return found

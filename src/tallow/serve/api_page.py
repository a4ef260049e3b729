"""The reference page of the Python interface, written from its docstrings: ``docs/api.md``.

``python -m tallow.serve.api_page`` prints it; a test keeps the file equal to it.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import tallow

HEAD = """\
# Python

Every public name, as its docstring says it. `import tallow` imports nothing heavy; each name is
loaded when it is first used. Of modules below `tallow`, what this page and the others show a reader
how to use.
"""

BELOW = (
    ("tallow.alerts", "AlertRule"),
    ("tallow.alerts", "Watch"),
    ("tallow.alerts", "threshold"),
    ("tallow.alerts", "pattern"),
    ("tallow.alerts", "release"),
    ("tallow.alerts", "read_rules"),
    ("tallow.alerts", "indicators_of"),
    ("tallow.alerts", "Alert"),
    ("tallow.alerts", "AlertSink"),
    ("tallow.alerts", "LogSink"),
    ("tallow.alerts", "WebhookSink"),
    ("tallow.data.store.write", "WriteReport"),
    ("tallow.analysis.sequence_result", "SequenceResult"),
    ("tallow.explain.explanation", "Explanation"),
    ("tallow.explain.explanation", "ExplainedBar"),
    ("tallow.explain.explanation", "ExplainedCandle"),
    ("tallow.explain.explanation", "ExplainedValue"),
    ("tallow.explain.explanation", "IndicatorFacts"),
    ("tallow.explain.explanation", "WarmUp"),
    ("tallow.explain.explanation", "Beside"),
    ("tallow.explain.explanation", "Population"),
    ("tallow.explain.explanation", "SessionFacts"),
    ("tallow.explain.explanation", "Origin"),
    ("tallow.explain.explanation", "ExplainedKey"),
    ("tallow.runtime.live.updates", "LiveUpdate"),
    ("tallow.plots.plot", "Plot"),
    ("tallow.migrate.flags", "FileProvider"),
    ("tallow.migrate.flags", "decide"),
    ("tallow.migrate.shadow", "Experiment"),
    ("tallow.testing", "check_indicator"),
    ("tallow.testing", "check_leaks"),
    ("tallow.testing", "LeakReport"),
    ("tallow.testing", "ColumnCheck"),
    ("tallow.testing", "Leak"),
)
"""What is not among the names of `tallow` itself, but returned by them, or shown in the pages."""

CONSTANTS = """\

## CROSS, RECURSIVE, WINDOW

What `Indicator(memory=...)` is given: a value of `WINDOW` depends on the last rows alone, one of
`RECURSIVE` on all before it, one of `CROSS` on all instruments' rows at one bar time.
"""

_CODE = re.compile(r"(?<!`)``([^`]+)``(?!`)")


def markdown() -> str:
    """Return the page."""
    names = [name for name in tallow.__all__ if name not in ("CROSS", "RECURSIVE", "WINDOW")]
    classes = [name for name in names if inspect.isclass(getattr(tallow, name))]
    functions = [name for name in names if name not in classes]
    lines = [HEAD]
    below = {f"{module}.{name}": getattr(import_module(module), name) for module, name in BELOW}
    shown = [*functions, *classes, *below, "CROSS, RECURSIVE, WINDOW"]
    lines += [f"- [`{name}`](#{_anchor(name)})" for name in shown]
    for name in functions:
        lines += _function(name, getattr(tallow, name), "##")
    for name in classes:
        lines += _class(name, getattr(tallow, name))
    for name, what in below.items():
        lines += _class(name, what) if inspect.isclass(what) else _function(name, what, "##")
    lines.append(CONSTANTS)
    return "\n".join(lines).rstrip() + "\n"


def _anchor(name: str) -> str:
    """Return what a heading is called in addresses."""
    return re.sub(r"[^\w-]", "", name.lower().replace(" ", "-"))


def _class(name: str, kind: type) -> Iterator[str]:
    yield f"\n## {name}\n"
    if not issubclass(kind, Exception):
        yield _signature(name, kind)
    yield from _docstring(kind)
    own = [base for base in kind.__mro__[::-1] if base.__module__.startswith("tallow.")]
    members = {name: each for base in own for name, each in vars(base).items()}
    for attribute, member in members.items():
        if attribute.startswith("_"):
            continue
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if isinstance(member, property):
            yield f"\n### {name}.{attribute}\n"
            yield from _docstring(member)
        elif inspect.isfunction(plain):
            yield from _function(f"{name}.{attribute}", plain, "###")


def _function(name: str, function: Any, level: str) -> Iterator[str]:
    yield f"\n{level} {name}\n"
    yield _signature(name, function)
    yield from _docstring(function)


def _signature(name: str, what: Any) -> str:
    """Return a call as code, one parameter a line where it is long."""
    signature = inspect.signature(what)
    found = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    shown = signature.replace(parameters=found)
    text = f"{name}{_plain(str(shown))}"
    if len(text) > 96:
        parts, starred = [], False
        for each in found:
            if each.kind is each.KEYWORD_ONLY and not starred:
                parts.append("*")
                starred = True
            parts.append(_plain(str(each)))
        gives = signature.return_annotation
        arrow = "" if gives is signature.empty else f" -> {_plain(str(gives))}"
        text = f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){arrow}"
    return f"```python\n{text}\n```\n"


def _plain(text: str) -> str:
    """Return a signature without quotes around annotations, and functions by their names."""
    text = re.sub(r"<(?:function|class) '?(?:[\w.]+\.)?(\w+)'?(?: at \w+)?>", r"\1", text)
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)


def _docstring(what: Any) -> Iterator[str]:
    """Yield a docstring as Markdown: its sections become lists, its examples code."""
    sections = re.split(r"^(\w+)\n-+$", inspect.getdoc(what) or "", flags=re.MULTILINE)
    yield _text(sections[0])
    for name, body in zip(sections[1::2], sections[2::2], strict=True):
        yield f"\n**{name}**\n"
        if name == "Examples":
            yield f"```pycon\n{body.strip()}\n```"
            continue
        if name == "Notes":
            yield _text(body)
            continue
        for field in re.split(r"^(?=\S)", body.strip(), flags=re.MULTILINE)[1:]:
            named, _, description = field.partition("\n")
            yield f"- `{named}`"
            yield textwrap.indent(_text(textwrap.dedent(description)), "  ")


def _text(text: str) -> str:
    """Return a paragraph; what follows two colons is indented further, which makes it code."""
    return re.sub(r"::$", ":", _CODE.sub(r"`\1`", text.strip()), flags=re.MULTILINE)


if __name__ == "__main__":
    sys.stdout.write(markdown())

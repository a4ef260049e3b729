"""`tallow indicators new`: a package with an indicator that works, to be changed into one's own."""

from __future__ import annotations

import keyword
import re
import shlex
import sys
from pathlib import Path
from string import Template

from rich.markup import escape

from tallow.core.errors import OutputError, ParameterError, excerpt
from tallow.core.registry import name_is_a_word, registry
from tallow.core.screen_words import RESERVED
from tallow.serve.console import QUIET, make_console, next_text

_PROJECT = Template("""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "$project"
version = "0.1.0"
description = "An indicator for Tallow"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["tallow", "numba", "numpy"]

[project.optional-dependencies]
test = ["pytest"]

[project.entry-points."tallow.indicators"]
$name = "$name:INDICATOR"

[tool.hatch.build.targets.wheel]
only-include = ["$name.py"]
""")

_README = Template("""\
# $name

An indicator for Tallow. In this folder, and an environment that has Tallow:

```
python -m pip install -e '.[test]'
tallow indicators $name
python -m pytest
```

`$name.py` is the indicator: a compiled function and its declaration. `test_$name.py` runs Tallow's
contract on it, and compares its values with those of plain Python. Change the two together.
""")

_MODULE = Template('''\
"""How far the close lies above or below its own moving average."""

import numpy as np
from numba import njit

from tallow import RECURSIVE, Indicator, Output, Parameter


@njit(nogil=True, cache=True)
def advance(state, params, offsets, close, out):
    """State, one row for each instrument: how many closes there were, and their average."""
    length = params[0]
    weight = 2.0 / (length + 1.0)
    for i in range(len(state)):
        count, average = state[i, 0], state[i, 1]
        for row in range(offsets[i], offsets[i + 1]):
            out[row] = np.nan
            price = close[row]
            if np.isnan(price):
                # A missing row: no value, and all that is remembered stays as it was.
                continue
            average = price if count == 0.0 else average + weight * (price - average)
            count += 1.0
            if count >= length and average != 0.0:
                out[row] = 100.0 * (price - average) / average
        state[i, 0], state[i, 1] = count, average


INDICATOR = Indicator(
    name="$name",
    title="Distance from the average",
    inputs=("close",),
    outputs=(
        Output("$name", "${name}_{length}", "percent", "the close above its average"),
    ),
    parameters=(
        Parameter("length", 9, "weight of the average, as in ema", minimum=1, maximum=5000),
    ),
    memory=RECURSIVE,
    warmup=lambda values: (int(values["length"]) - 1,),
    state_size=lambda values: 2,
    advance=advance,
    formula="100 (close - average) / average",
    reference="your own",
    flat="null where the average is zero",
)
''')

_TEST = Template('''\
"""The indicator keeps Tallow's contract, and its values are those of plain Python."""

from tallow.testing import check_indicator

from $name import INDICATOR


def textbook(values, close):
    """Return the same from the definition: one list for each output, None where there is none."""
    length, closes, column = values["length"], [], []
    weight = 2.0 / (length + 1.0)
    for price in close:
        if price is None:
            column.append(None)
            continue
        closes.append(price)
        average = closes[0]
        for each in closes[1:]:
            average += weight * (each - average)
        known = len(closes) >= length
        column.append(100.0 * (price - average) / average if known else None)
    return [column]


def test_contract():
    check_indicator(INDICATOR, textbook)
''')


def create_indicator(name: str | None) -> int:
    """Write a package with an indicator of this name; return the exit code.

    Raises
    ------
    ParameterError
        If the name cannot be one, or an indicator has it.
    OutputError
        If the folder is there already, or cannot be written.
    """
    name = _checked(name)
    folder = Path(name)
    names = {"name": name, "project": name.replace("_", "-")}
    files = {
        "README.md": _README,
        "pyproject.toml": _PROJECT,
        f"{name}.py": _MODULE,
        f"test_{name}.py": _TEST,
    }
    try:
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text.substitute(names), encoding="utf-8")
    except FileExistsError as error:
        raise OutputError(f"indicators: folder={folder}; exists; choose another name") from error
    except OSError as error:
        raise OutputError(f"indicators: folder={folder}; {error.strerror}") from error
    console = make_console()
    console.print(f"An indicator that works, and its test, in [bold]{escape(name)}/[/]:")
    for file in files:
        console.print(f"  [{QUIET}]{escape(file)}[/]")
    python = shlex.quote(sys.executable)
    console.print(
        next_text(
            (
                f"{python} -m pip install -e './{name}[test]'",
                f"tallow indicators {name}",
                f"{python} -m pytest {name}",
            )
        )
    )
    return 0


def _checked(name: str | None) -> str:
    rule = "must be lower-case letters, digits and underscores, such as my_average"
    if name is None or not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ParameterError(f"indicators: new {excerpt(name) if name else 'NAME'}; {rule}")
    if name in RESERVED:
        raise ParameterError(f"indicators: new {name_is_a_word(name)}")
    if name in registry().by_name or name in sys.stdlib_module_names or name == "default":
        raise ParameterError(f"indicators: new {name!r}; is taken; choose another name")
    return name

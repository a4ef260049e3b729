"""Files of saved screens: in TOML, a table of each by its name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tallow.core.errors import ScreenError, TallowError, excerpt, near_matches
from tallow.core.given import file_path, read_written, require_file
from tallow.core.limits import SCREENS_MAX, TOML_BYTES_MAX
from tallow.core.timeframe import parse_timeframe
from tallow.screens.saved import check_saved

_RULES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "condition": (str, 'text, such as condition = "close > ema(20)"'),
    "timeframe": (str, 'text, such as timeframe = "1d"'),
    "columns": ((list, dict), 'a list of texts, or a table of texts such as {rsi = "rsi(14)"}'),
    "sort": (str, 'text, such as sort = "rsi(14)"'),
    "ascending": (bool, "true or false"),
    "universe": (str, "the name of a universe, or a file of one"),
    "description": (str, "text"),
}
"""By the key of a table: what its value must be."""


@dataclass(frozen=True)
class SavedScreen:
    """A screen as a file keeps it; what it does not say is None, empty or False."""

    name: str
    condition: str
    timeframe: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    sort: str | None = None
    ascending: bool = False
    universe: str | None = None
    description: str = ""


def read_screens(path: str | Path) -> dict[str, SavedScreen]:
    """Read a file of saved screens.

    Parameters
    ----------
    path
        A file in TOML with a table for each screen, by its name: `condition`, and if wanted
        `timeframe`, `columns`, `sort`, `ascending`, `universe` and `description`.

    Returns
    -------
    dict of SavedScreen
        By name, in the order of the file. Their texts are read where they are asked for.

    Raises
    ------
    ScreenError
        If it cannot be read, or breaks a rule, with the file, the screen and the key.
    """
    file = file_path("screens", path, ScreenError)
    require_file(file, ScreenError, "name the file of screens")
    limit = (TOML_BYTES_MAX, "is it a file of screens?")
    content = read_written("screens", file, tomllib.loads, limit, ScreenError)
    if len(content) > SCREENS_MAX:
        raise ScreenError(
            f"screens: {file}: {len(content):,} screens; at most {SCREENS_MAX:,} are read; make "
            "two files of it"
        )
    return {name: _screen(file, name, table) for name, table in content.items()}


def texts_of(saved: Mapping[str, str] | str | Path | None) -> Mapping[str, str]:
    """Return the conditions of saved screens by name, which are given so, or as a file."""
    if isinstance(saved, str | Path):
        return {name: each.condition for name, each in read_screens(saved).items()}
    if not isinstance(saved, Mapping | None):
        raise ScreenError(
            f"saved: {excerpt(saved)}; must be texts by name, or a file of saved screens"
        )
    return saved or {}


def _screen(file: Path, name: str, table: Any) -> SavedScreen:
    """Return a screen that breaks no rule."""
    where = f"screens: {file}: {excerpt(name)}"
    if not isinstance(table, dict):
        raise ScreenError(
            f'{where}; is no table; write [name], and below it condition = "close > ema(20)"'
        )
    for key, value in table.items():
        if key not in _RULES:
            raise ScreenError(f"{where}: {excerpt(key)}; unknown key; {near_matches(key, _RULES)}")
        kind, rule = _RULES[key]
        if not isinstance(value, kind):
            raise ScreenError(f"{where}: {key}={excerpt(value)}; must be {rule}; correct it")
    if "condition" not in table:
        raise ScreenError(f"{where}: no condition; must be {_RULES['condition'][1]}; add it")
    try:
        check_saved(name, table["condition"])
        if "timeframe" in table:
            parse_timeframe(table["timeframe"])
    except TallowError as error:
        raise ScreenError(f"screens: {file}: {error}") from error
    return SavedScreen(name=name, **table | {"columns": _columns(where, table.get("columns", {}))})


def _columns(where: str, given: Any) -> dict[str, str]:
    """Return the texts of columns by the names of these."""
    columns = given if isinstance(given, dict) else {str(each): each for each in given}
    for each in columns.values():
        if not isinstance(each, str):
            raise ScreenError(
                f"{where}: columns={excerpt(each)}; must be {_RULES['columns'][1]}; correct it"
            )
    return columns

"""Lists of members as people write them: tables in CSV or TOML, and frames."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import polars as pl

from tallow.core.errors import UniverseError, excerpt, near_matches
from tallow.core.given import file_path, name_text, read_written, require_file
from tallow.core.limits import CANDLE_YEAR_FIRST, CANDLE_YEAR_LAST, UNIVERSE_BYTES_MAX
from tallow.core.text import counted
from tallow.data.reading.interchange import from_native
from tallow.data.reading.schema import find_column, find_name
from tallow.data.universe import APART, UNIVERSE_SCHEMA, Universe

ENDINGS = (".csv", ".toml")
"""Of files of members; a text with one of these is a file's name, any other that of a universe."""

GROUPS = ("universe", "sector")
"""Columns that group the members."""

_SEPARATORS = ",;\t"
_MEMBERS = "members"
_DATE = "must be a date, written as 2025-06-02"


class _Row(NamedTuple):
    """A row as it is written, and where: for messages."""

    where: str
    cells: Mapping[str, Any]


def read_universe(source: Any, name: str | None = None) -> Universe:
    """Read a list of members, by date.

    Parameters
    ----------
    source
        A file in CSV or TOML, or a frame of any kind that `tallow.read_candles` takes. Columns are
        `instrument` (or `symbol`, `ticker`), and, as far as they are needed, `from` and `to`
        (dates such as ``2025-06-02``, both included; empty for no limit), and `universe` or
        `sector`, which group the members: ``sectors.csv/Banks`` is one group. Others are ignored.
        In a file of one column a first line that is no such name is a member, too. In TOML,
        `members` is a list of names, or of tables with these keys.
    name
        What it is called; by default the file's name without its ending.

    Returns
    -------
    Universe
        Its `notes` say what was merged.

    Raises
    ------
    UniverseError
        If it cannot be read, a row breaks a rule, or there is no member; with the line or entry.
    """
    if not isinstance(source, str | Path):
        return _universe("universe" if name is None else name, _frame_rows(source))
    path, group = split_group(source)
    rows = _toml_rows(path) if path.suffix.lower() == ".toml" else _csv_rows(path)
    universe = _universe(path.stem if name is None else name, rows)
    return universe if group is None else universe.group(group)


class StoredLists(Protocol):
    """Where universes are kept by their names: `tallow.data.store.universes.StoredUniverses`."""

    def read(self, name: str, known_at: int | None = None) -> Universe:
        """Return the universe of a name, as it was known at a moment."""
        ...


def find_universe(
    given: Any, stored: StoredLists | None = None, known_at: int | None = None
) -> Universe | None:
    """Return the universe that a caller means: one that is there, a file's, or a name's.

    `UniverseError` if it is none of these, cannot be read, or is not known.
    """
    if given is None or isinstance(given, Universe):
        return given
    if not isinstance(given, str | Path):
        raise UniverseError(
            f"universe: {excerpt(given)}; must be a name, a file of members, or a Universe; read "
            "a frame with read_universe(frame)"
        )
    if is_file_name(given):
        return read_universe(given)
    if stored is None:
        raise UniverseError(
            f"universe: {given}; does not end in {' or '.join(ENDINGS)}, and there is no store "
            "that may know the name; give a file of members"
        )
    return stored.read(str(given), known_at)


def read_if_file(given: Any) -> Any:
    """Return the universe of a file, and anything else, such as a name, as it is."""
    is_file = isinstance(given, str | Path) and is_file_name(given)
    return find_universe(given) if is_file or not isinstance(given, str) else given


def is_file_name(given: str | Path) -> bool:
    """Say whether a text names a file of members, perhaps with a group after it."""
    if isinstance(given, Path):
        return True
    return any(part.lower().endswith(ENDINGS) for part in given.split(APART))


def split_group(given: str | Path) -> tuple[Path, str | None]:
    """Return the file that is named, and the group after it: ``sectors.csv/Banks``.

    `UniverseError` if there is no such file, or it is not read.
    """
    path = file_path("universe", given, UniverseError)
    for each in (path, *path.parents):
        if each.suffix.lower() in ENDINGS and (each == path or each.is_file()):
            group = None if each == path else str(path.relative_to(each))
            require_file(each, UniverseError, "name the file of members")
            return each, group
    raise UniverseError(
        f"universe: {path}; a file of members ends in {' or '.join(ENDINGS)}; save it as one"
    )


def _universe(name: str, rows: Iterator[_Row]) -> Universe:
    read = [_checked(row) for row in rows]
    return Universe.of(name, pl.DataFrame(read, UNIVERSE_SCHEMA, orient="row"))


# Rows


def _checked(row: _Row) -> tuple[str, date | None, date | None, str | None]:
    """Return a row's values; `UniverseError` if it breaks a rule."""
    name = _text(row, "instrument")
    if name is None:
        raise _error(row, "instrument", row.cells.get("instrument"), "must be named; fill the cell")
    first, last = _date(row, "from"), _date(row, "to")
    if first is not None and last is not None and last < first:
        raise _error(row, "to", last, f"must not be before from={first}; correct one of them")
    return name, first, last, _text(row, "group")


def _text(row: _Row, name: str) -> str | None:
    given = row.cells.get(name)
    if given is None:
        return None
    text = name_text(f"universe: {row.where}: {name}", given, UniverseError).strip()
    if not text.isprintable():
        raise _error(row, name, given, "must be plain text on one line; correct it")
    return text or None


def _date(row: _Row, name: str) -> date | None:
    given = row.cells.get(name)
    text = given.strip() if isinstance(given, str) else given
    if text is None or text == "":
        return None
    try:
        day = date.fromisoformat(text) if isinstance(text, str) else text
    except ValueError as error:
        raise _error(row, name, given, _DATE) from error
    if not isinstance(day, date) or isinstance(day, datetime):
        raise _error(row, name, given, _DATE)
    if not CANDLE_YEAR_FIRST <= day.year <= CANDLE_YEAR_LAST:
        years = f"must be of the years {CANDLE_YEAR_FIRST} to {CANDLE_YEAR_LAST}; correct it"
        raise _error(row, name, given, f"{years}, or leave it empty for no limit")
    return day


def _error(row: _Row, name: str, given: object, rule: str) -> UniverseError:
    shown = given.isoformat() if isinstance(given, date) else excerpt(given)
    return UniverseError(f"universe: {row.where}: {name}={shown}; {rule}")


def _columns(where: str, names: Sequence[str]) -> dict[str, str]:
    """Return which column of a table is which of a universe's.

    `UniverseError` if none names the instrument, or two group the members.
    """
    groups = [name for name in GROUPS if find_name((name,), names) is not None]
    if len(groups) > 1:
        raise UniverseError(
            f"universe: {where}: columns {' and '.join(groups)}; one may group the members; leave "
            "out the other"
        )
    found = {
        "instrument": find_column("instrument", names),
        "from": find_name(("from",), names),
        "to": find_name(("to",), names),
        "group": find_name(GROUPS, names),
    }
    if found["instrument"] is None:
        raise UniverseError(
            f"universe: {where}: columns {', '.join(names)}; one must be instrument, symbol or "
            f"ticker; {near_matches('instrument', names)}"
        )
    return {name: column for name, column in found.items() if column is not None}


# Sources


def _frame_rows(source: Any) -> Iterator[_Row]:
    frame = from_native(source)[0]
    columns = _columns("frame", frame.columns)
    for number, row in enumerate(frame.select(**columns).iter_rows(named=True), start=1):
        midnight = {n: v.date() for n, v in row.items() if _is_midnight(v)}
        yield _Row(f"frame: row {number}", row | midnight)


def _is_midnight(value: object) -> bool:
    # A library without dates has midnights.
    return isinstance(value, datetime) and value.time() == datetime.min.time()


def _csv_rows(path: Path) -> Iterator[_Row]:
    """Return the rows of a table of text; one of a single column may have no header."""
    lines = _read(path, lambda text: text).splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    rows = csv.reader(lines, delimiter=separator, strict=True)
    columns: dict[str, int] | None = None
    width = 1
    try:
        for cells in rows:
            if not any(map(str.strip, cells)):
                continue
            where = f"{path}: line {rows.line_num}"
            if columns is None:
                names = [cell.strip() for cell in cells]
                if len(names) > 1 or find_column("instrument", names):
                    chosen = _columns(str(path), names)
                    columns = {name: names.index(column) for name, column in chosen.items()}
                    width = len(names)
                    continue
                columns = {"instrument": 0}
            if len(cells) > width:
                raise UniverseError(
                    f"universe: {where}: {counted(len(cells), 'cell')}; the first line has "
                    f"{width}; is a cell with a comma not in quotes?"
                )
            filled = [*cells, *[""] * (width - len(cells))]
            yield _Row(where, {name: filled[at] for name, at in columns.items()})
    except csv.Error as error:
        raise UniverseError(
            f"universe: {path}: line {rows.line_num}: {error}; quotes must be closed; correct it"
        ) from error


def _toml_rows(path: Path) -> Iterator[_Row]:
    """Return the rows of a list of names, or of tables, under the key `members`."""
    content = _read(path, tomllib.loads)
    for key in content:
        if key != _MEMBERS:
            hint = near_matches(key, [_MEMBERS])
            raise UniverseError(f"universe: {path}: {key}; unknown key; {hint}")
    members = content.get(_MEMBERS, [])
    if not isinstance(members, list):
        raise UniverseError(
            f'universe: {path}: {_MEMBERS}; must be a list, such as {_MEMBERS} = ["TCS", "INFY"]'
        )
    for number, entry in enumerate(members, start=1):
        where = f"{path}: member {number}"
        if isinstance(entry, str):
            yield _Row(where, {"instrument": entry})
            continue
        if not isinstance(entry, dict):
            raise UniverseError(
                f"universe: {where}: {excerpt(entry)}; must be a name, or a table with instrument, "
                "from and to"
            )
        columns = _columns(where, list(entry))
        yield _Row(where, {name: entry[column] for name, column in columns.items()})


def _read(path: Path, load: Callable[[str], Any]) -> Any:
    limit = (UNIVERSE_BYTES_MAX, "is it a list of members?")
    return read_written("universe", path, load, limit, UniverseError)

"""`tallow keys`: the keys of a service, made, listed and revoked."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

from rich.markup import escape
from rich.table import Column

from tallow.core.errors import KeyFileError
from tallow.serve.console import make_console, make_table, print_json
from tallow.serve.wording import say
from tallow.service.keys.key_file import Key, KeyFile


def create_key(keys: Path, role: str, name: str, expires: str | None, json: bool) -> int:
    """Make a key, and print its token."""
    key, token = KeyFile(keys).create(name, role, None if expires is None else _day(expires))
    if json:
        print_json({**_facts(key), "key": token})
        return 0
    say(f"{keys}: key {key.id}, role {role}; it is shown once, so keep it now:", err=True)
    say(token)
    return 0


def list_keys(keys: Path, json: bool) -> int:
    """Print the keys of a file."""
    found = list(KeyFile(keys).keys().values())
    if json:
        print_json([_facts(key) for key in found])
        return 0
    if not found:
        say(f"{keys}: no keys; make one: tallow keys create --keys {keys} --role read")
        return 0
    table = make_table("id", Column("name", overflow="fold"), "role", "created", "expires")
    for key in found:
        table.add_row(key.id, escape(key.name), key.role, key.created, key.expires or "never")
    make_console().print(table)
    return 0


def revoke_key(id_: str, keys: Path) -> int:
    """Remove a key."""
    key = KeyFile(keys).revoke(id_)
    say(f"{keys}: key {key.id} is revoked")
    return 0


def _facts(key: Key) -> dict[str, str | None]:
    names = ("id", "name", "role", "created", "expires")
    return {name: getattr(key, name) for name in names}


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text.strip()), time(), UTC)
    except ValueError as error:
        raise KeyFileError(f"expires: {text!r}; must be a date such as 2027-01-31") from error

"""The verbs of ``tallow keys``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from tallow.serve import options
from tallow.serve.options import argument, option
from tallow.serve.verbs import add_verb, make_app

KeysOption = Annotated[Path, option("--keys FILE", "The file of keys.", envvar="TALLOW_KEYS")]
RoleOption = Annotated[str, option("--role ROLE", "What it may do: read, write or admin.")]
NameOption = Annotated[str, option("--name TEXT", "Whose key it is.")]
ExpiresOption = Annotated[
    str | None, option("--expires DATE", "Day in UTC from which on it is refused: 2027-01-31.")
]
IdArgument = Annotated[str, argument("ID", "The key's, as it is listed.")]

HELP = """Keep the keys of tallow serve: who may ask it for what."""

EPILOG = """\b
Examples:
  tallow keys create --keys keys.json --role read --name "charts of the desk"
  tallow keys list --keys keys.json
  tallow serve --store candles --keys keys.json --host 0.0.0.0

\b
The file has digests only. A key is shown once, when it is made.
"""

keys_app = make_app("keys", HELP, EPILOG)
_verb = partial(add_verb, keys_app)


@_verb("create", "keys:create_key")
def create(
    keys: KeysOption,
    role: RoleOption,
    name: NameOption = "",
    expires: ExpiresOption = None,
    json: options.JsonOption = False,
) -> None:
    """Make a key, and print it; it is kept nowhere.

    A key of the role write may read, too, and one of admin all. It is sent as Authorization:
    Bearer KEY.
    """


@_verb("list", "keys:list_keys")
def list_(keys: KeysOption, json: options.JsonOption = False) -> None:
    """List the keys of a file, without what is secret of them."""


@_verb("revoke", "keys:revoke_key")
def revoke(id_: IdArgument, keys: KeysOption) -> None:
    """Remove a key; a service that runs refuses it from its next request on."""

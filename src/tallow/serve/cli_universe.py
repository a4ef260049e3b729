"""The verbs of ``tallow universe``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from tallow.serve import options
from tallow.serve.options import argument, option
from tallow.serve.verbs import add_verb, make_app

NewNameArgument = Annotated[str, argument("NAME", "What to call it.")]
NameArgument = Annotated[str, argument("NAME", "The universe, or a group: sectors/Banks.")]
FileArgument = Annotated[str, argument("FILE", "Its members: a .csv or .toml file.")]
AtOption = Annotated[
    str | None, option("--at DATE", "The members of this date only, such as 2025-06-02.")
]

HELP = """Keep dated lists of instruments: indices, sectors, watchlists."""

EPILOG = """\b
Examples:
  tallow universe add nifty50 nifty50.csv --store candles
  tallow universe list --store candles
  tallow universe show nifty50 --store candles --at 2025-06-02
  tallow query --store candles --universe nifty50 -t 1d
  tallow run candles.csv --universe watchlist.csv -o bars.parquet

\b
Where the store lies may also be said by the environment variable TALLOW_STORE.
"""

ADD_EPILOG = """\b
Examples:
  tallow universe add nifty50 nifty50.csv --store candles
  tallow universe add sectors sectors.csv --store candles
  tallow query --store candles --universe sectors/Banks

\b
Columns of the file: instrument (or symbol, ticker), and as far as they are needed
  from, to    the first and the last day as a member; empty for no limit. An
              instrument may have several rows
  universe    or sector: groups the members, and each group is a universe, too:
              NAME/GROUP
A file of one column is a list of all dates. In TOML: members = ["TCS", "INFY"], or
  members = [{instrument = "TCS", from = 2024-04-01}]
"""

universe_app = make_app("universe", HELP, EPILOG)
_verb = partial(add_verb, universe_app)


@_verb("add", "universe:add_universe", ADD_EPILOG)
def add(
    name: NewNameArgument,
    file: FileArgument,
    store: options.StoreOption,
    json: options.JsonOption = False,
) -> None:
    """Put a list into a store, or replace the one of that name.

    What the store knew before is what a question about then sees.
    """


@_verb("list", "universe:list_universes")
def list_(
    store: options.StoreOption,
    known_at: options.KnownAtOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the universes of a store."""


@_verb("show", "universe:show_universe")
def show(
    name: NameArgument,
    store: options.StoreOption,
    at: AtOption = None,
    known_at: options.KnownAtOption = None,
    json: options.JsonOption = False,
) -> None:
    """Show a universe: each member with its dates, or those of one date."""

"""The Delta table of a store: its columns and properties, opened or made.

What other tools may have made of it is looked at, too: what can still be read right, and what not.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile

import polars as pl
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import Field, PrimitiveType, Schema
from deltalake.transaction import AddAction, RemoveAction

from tallow.core.disk import make_folder
from tallow.core.errors import ConflictError, DamagedFileError, StoreError
from tallow.data.store.commits import (
    RESTORE,
    drop_broken_checkpoint,
    drop_unfinished,
    sync_commits,
)
from tallow.data.store.files import TableLocation
from tallow.data.store.lineage import Lineage
from tallow.data.store.location import no_store
from tallow.data.store.log import LOG_SCHEMA, UNFINISHED

VERSION = "1"
"""Of the table's columns and properties, and of what lies beside it."""

FORMAT, EPOCH, HORIZON = "tallow.format", "tallow.epoch", "tallow.horizon"
"""Properties of the table: its version; what changes where history is removed; the moment before
which `known_at` cannot reach."""

FILLING = "tallow.filling"
"""Property of a table that was made to take over another store: it is one from that commit on."""

COPIED = "tallow.copied"
"""Transaction of the commit that took over another store: the number of the ledger's files."""

PRUNED = "tallow.pruned"
"""Transaction of the commits that take rows away: with them, and never without, the epoch changes,
wherever a pruning is killed."""

_PAINT = re.compile(r"\x1b\[\d*m|↳")
_FRAME = re.compile(r"\d+: ")
"""Begins a line of the library's own calls, which follow its causes."""
_PRIMITIVES = {
    pl.String: "string",
    pl.Float64: "double",
    pl.Int32: "integer",
    pl.Boolean: "boolean",
    pl.Datetime: "timestamp",
}
TABLE_SCHEMA = Schema(
    [Field(name, PrimitiveType(_PRIMITIVES[type(kind)])) for name, kind in LOG_SCHEMA.items()]
)


def open_table(
    location: TableLocation, create: bool, reached: Callable[[], int], to_fill: bool = False
) -> DeltaTable:
    """Open a store's table, or make it; repair what a loss of power left of unfinished commits.

    `reached` says which version was acknowledged last. One that is `to_fill`, to take over another
    store, may be one that a cut-off copy began. `StoreError` if there is none, and it is not to be
    made, or what is there is no store.
    """
    options = dict(location.options) if location.options else None
    with delta_errors(location.root):
        if location.folder is not None:
            drop_unfinished(location.folder, reached)
        try:
            table = _opened(location, options)
        except TableNotFoundError:
            if not create:
                raise no_store(location.root) from None
            table = _create(location, options, to_fill)
        is_begun = FILLING in properties_of(table, location.root)
        if is_begun and not to_fill and table.transaction_version(COPIED) is None:
            raise StoreError(UNFINISHED.format(location.root))
        if table.version() == 0 and location.folder is not None:
            # Whoever made it may not have come so far.
            sync_commits(location.folder, 0, 0)
            make_folder(location.folder)
    return table


def _opened(location: TableLocation, options: dict[str, str] | None) -> DeltaTable:
    try:
        return DeltaTable(location.table, storage_options=options)
    except TableNotFoundError:
        raise
    except DeltaError:
        if location.folder is None or not drop_broken_checkpoint(location.folder):
            raise
    return _opened(location, options)


def _create(location: TableLocation, options: dict[str, str] | None, to_fill: bool) -> DeltaTable:
    """Make a table, or open the one that somebody else makes at the same moment."""
    if location.folder is not None:
        (location.folder / "_delta_log").mkdir(parents=True, exist_ok=True)
    failed, properties = None, {FORMAT: VERSION, EPOCH: uuid.uuid4().hex}
    try:
        DeltaTable.create(
            location.table,
            TABLE_SCHEMA,
            configuration=properties | ({FILLING: "true"} if to_fill else {}),
            storage_options=options,
            # A second try would put these properties over those of the first one's table.
            commit_properties=CommitProperties(
                Lineage.new().commit_facts(-1, ""), max_commit_retries=0
            ),
            raise_if_key_not_exists=False,
        )
    except DeltaError as error:
        failed = error
    try:
        return _opened(location, options)
    except TableNotFoundError as error:
        raise failed or error from None


def properties_of(table: DeltaTable, root: str) -> dict[str, str]:
    """Return the properties of a store's table; its epoch as it is after the last pruning.

    `StoreError` if it is no store's. `DamagedFileError` if what every store has is missing, or
    cannot be.
    """
    found = table.metadata().configuration
    require_plain(table, TABLE_SCHEMA, root)
    if found.get(FORMAT) != VERSION:
        raise StoreError(
            f"store: {root}: is a Delta table that tallow did not make, or that a newer one "
            "did; name another folder, or update tallow"
        )
    if EPOCH not in found or not found.get(HORIZON, "0").isdecimal():
        raise DamagedFileError(
            f"store: {root}/_delta_log: does not say {EPOCH} and {HORIZON}; {RESTORE}"
        )
    if (pruned := table.transaction_version(PRUNED)) is not None:
        found |= {EPOCH: f"{found[EPOCH]}.{pruned}"}
    if (copied := table.transaction_version(HORIZON)) is not None:
        # Of a store that was taken over, in one commit with its rows.
        found |= {HORIZON: str(max(copied, int(found.get(HORIZON, "0"))))}
    return found


def has_landed(table: DeltaTable, actions: Sequence[AddAction | RemoveAction]) -> bool:
    """Say whether a commit that failed is in the table all the same.

    What comes after it, such as a checkpoint, may find the disk full; and a bucket's answer may get
    lost, so that the commit meets itself when it is sent again.
    """
    table.update_incremental()
    there = set(pl.DataFrame(table.get_add_actions())["path"])
    added = {each.path for each in actions if isinstance(each, AddAction)}
    removed = {each.path for each in actions if isinstance(each, RemoveAction)}
    return added <= there and not removed & there


@contextmanager
def delta_errors(root: str) -> Iterator[None]:
    """Turn the library's errors into one that names the store."""
    try:
        yield
    except StoreError:
        raise
    except CommitFailedError as error:
        raise ConflictError(f"store: {root}: others committed first; try again") from error
    # Polars: what a damaged log says of its files may lack a column, or be of another kind.
    except (DeltaError, OSError, ValueError, pl.exceptions.PolarsError) as error:
        # A cause a line, painted for a terminal; the last one says what the matter is.
        lines = [_PAINT.sub("", line).strip() for line in str(error).splitlines()]
        causes = takewhile(lambda line: not _FRAME.match(line), lines)
        reason = ": ".join(filter(None, causes)) or type(error).__name__
        raise StoreError(
            f"store: {root}: {reason}; check its name, the disk, its room and its rights; where "
            "its log is damaged, or another tool wrote into it what cannot be read, undo it there, "
            f"or {RESTORE}"
        ) from error


_READER_VERSION = 3
_KNOWN_FEATURES = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
"""Features of readers that change nothing in a table with these columns."""

_MAPPING = "delta.columnMapping.mode"
_ADVICE = (
    "undo it with that tool, restore an earlier version there, or restore it from a backup: "
    "tallow store restore"
)


def require_plain(table: DeltaTable, schema: Schema, root: str) -> None:
    """Raise `StoreError` if another tool made of a table what would be read wrong.

    Whoever does not know of deletion vectors sees deleted rows again.
    """
    for what in (_features(table), _columns(table, schema), _layout(table)):
        if what:
            raise StoreError(f"store: {root}: another tool {what}; {_ADVICE}")


def _features(table: DeltaTable) -> str | None:
    protocol = table.protocol()
    if protocol.min_reader_version > _READER_VERSION:
        return f"made it need a reader of version {protocol.min_reader_version}"
    if unknown := set(protocol.reader_features or ()) - _KNOWN_FEATURES:
        return f"gave it features that tallow does not read: {', '.join(sorted(unknown))}"
    return None


def _columns(table: DeltaTable, schema: Schema) -> str | None:
    there, ours = ({each.name: each.type for each in s.fields} for s in (table.schema(), schema))
    changed = [name for name in (there | ours) if there.get(name) != ours.get(name)]
    return f"added, took or changed columns: {', '.join(changed)}" if changed else None


def _layout(table: DeltaTable) -> str | None:
    metadata = table.metadata()
    if metadata.partition_columns:
        return f"partitioned it by {', '.join(metadata.partition_columns)}"
    mapping = metadata.configuration.get(_MAPPING, "none")
    return None if mapping == "none" else f"gave its columns other names in files ({_MAPPING})"

"""What other tools may have made of a table, and what of that can still be read right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tallow.core.errors import StoreError

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from deltalake.schema import Schema

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

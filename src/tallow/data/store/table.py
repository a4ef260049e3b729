"""The Delta table of a store: its columns and properties, opened or made."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.schema import Field, PrimitiveType, Schema

from tallow.core.errors import StoreError
from tallow.data.store.files import Place
from tallow.data.store.log import LOG_SCHEMA

VERSION = "1"
"""Of the table's columns and properties, and of what lies beside it."""

FORMAT, EPOCH, HORIZON = "tallow.format", "tallow.epoch", "tallow.horizon"
"""Properties of the table: its version; what changes where history is taken away; the moment before
which `as_of` cannot reach."""

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


def open_table(place: Place, create: bool) -> DeltaTable:
    """Open a store's table, or make it.

    Raises
    ------
    StoreError
        If there is none, and it is not to be made, or what is there is no store.
    """
    options = dict(place.options) if place.options else None
    with delta_errors(place.root):
        try:
            table = DeltaTable(place.root, storage_options=options)
        except TableNotFoundError:
            if not create:
                raise StoreError(
                    f"store: {place.root}: holds no store; check the name, or create one with "
                    f"tallow ingest INPUT... --store {place.root}"
                ) from None
            table = DeltaTable.create(
                place.root,
                TABLE_SCHEMA,
                mode="ignore",
                configuration={FORMAT: VERSION, EPOCH: uuid.uuid4().hex},
                storage_options=options,
                raise_if_key_not_exists=False,
            )
    if table.metadata().configuration.get(FORMAT) != VERSION:
        raise StoreError(
            f"store: {place.root}: is a Delta table that tallow did not make, or that a newer one "
            "did; name another folder, or update tallow"
        )
    return table


@contextmanager
def delta_errors(root: str) -> Iterator[None]:
    """Turn the library's errors into one that names the store."""
    try:
        yield
    except StoreError:
        raise
    except (DeltaError, OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StoreError(
            f"store: {root}: {reason}; check its name, the disk and its rights"
        ) from error

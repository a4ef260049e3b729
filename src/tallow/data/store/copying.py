"""A store's contents at one moment, and how another store takes them over: all of them, or none."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING

import polars as pl
from deltalake import Transaction

from tallow.core.errors import ConflictError, StoreError
from tallow.core.limits import STORE_COMMIT_ATTEMPTS, STORE_RETRY_SECONDS
from tallow.data.store.backend import Contents
from tallow.data.store.files import damaged, require_whole
from tallow.data.store.flush import flush
from tallow.data.store.lineage import tails_of
from tallow.data.store.location import STATE_FOLDER
from tallow.data.store.log import LOG_SCHEMA, Selection
from tallow.data.store.rewrite import join_short, sorted_chunks
from tallow.data.store.table import COPIED, HORIZON

if TYPE_CHECKING:
    from deltalake.transaction import AddAction

    from tallow.data.store.delta import DeltaLog
    from tallow.data.store.files import TableLocation
    from tallow.data.store.index import FileIndex

_LEDGER = ("ingests", "quarantine")
_LEDGER_FILE = re.compile(rf"{STATE_FOLDER}/({'|'.join(_LEDGER)})-[0-9a-f]{{16}}\.parquet")
_TAKEN = "copied"
"""In the state file: the number of the copy whose ledger it has."""


@contextmanager
def contents(log: DeltaLog) -> Iterator[Contents]:
    """Give all that a store in files holds at one moment, whatever is written meanwhile."""
    if not log.tail_file.may_write:
        yield _readable(log)
        return
    for _ in range(STORE_COMMIT_ATTEMPTS):
        flush(log)
        with log.tail_file.locked() as tail:
            # Nobody writes: rows and ledger are of one moment.
            files, ledger = log.files(), log.ledger()
            if tail.after(files.flushed).batches:
                continue
            found = Contents(
                log.view().horizon,
                ledger.entries(),
                ledger.held(everything=True),
                _pieces(log.location, files),
            )
        yield found
        return
    raise ConflictError(f"store: {log.location.root}: others keep writing; try again later")


def _readable(log: DeltaLog) -> Contents:
    """Return what a store holds that cannot be kept still, the tail's rows after the others."""
    first = None
    for attempt in range(1, STORE_COMMIT_ATTEMPTS + 1):
        view, ledger = log.view(), log.ledger()
        entries, quarantine = ledger.entries(), ledger.held(everything=True)
        first = view.token if first is None else first
        # Where nothing has moved for so long, its writer has ended.
        settled = _is_entered(log, view.files.version) or (
            attempt == STORE_COMMIT_ATTEMPTS and view.token == first
        )
        if settled and log.view().token == view.token and ledger.entries().equals(entries):
            tail = view.tail.scan(Selection(None, None, None), list(LOG_SCHEMA))
            pieces = chain(_pieces(log.location, view.files), [tail] if len(tail) else [])
            return Contents(view.horizon, entries, quarantine, pieces)
        time.sleep(STORE_RETRY_SECONDS * attempt)
    raise ConflictError(f"store: {log.location.root}: others keep writing; try again later")


def _is_entered(log: DeltaLog, version: int) -> bool:
    """Say whether the ledger has all of this machine's writes that a version holds.

    A long write is in the table before it is in the ledger; what others commit never is.
    """
    tails = tails_of(log.location, log.tail_file.fact("reached"), version)
    return not any(tail in (log.tail_file.identity, None) for tail in tails)


def _pieces(location: TableLocation, files: FileIndex) -> Iterator[pl.DataFrame]:
    require_whole(damaged(location, files.facts))
    paths = files.facts["path"].to_list()
    return sorted_chunks(location, paths, None) if paths else iter(())


def load(log: DeltaLog, found: Contents) -> None:
    """Take over all of another store, as it is, in one commit; this one is empty.

    The ledger lies in files beside the table, which the commit names by their number: rows and
    ledger are there at once. Whoever opens the table next takes the ledger into its state file.
    """
    location, number = log.location, uuid.uuid4().int >> 66
    with log.tail_file.locked() as tail:
        files, entries = log.files(), log.ledger().entries()
        if tail.after(files.flushed).batches or len(files.facts) or len(entries):
            raise StoreError(f"store: {location.root}: is not empty; restore into a new folder")
        actions = _written(location, found.pieces)
        try:
            for path, frame in zip(_ledger(number), (found.entries, found.quarantine), strict=True):
                location.put(frame, path)
        except BaseException:
            location.discard(actions)
            location.remove(_ledger(number))
            raise
        known = [Transaction(COPIED, number), Transaction(HORIZON, found.horizon)]
        log.commit(actions, files, known)
        log.note_version(files.version, files.version + 1)
        _remove_others(location, number)
    take_ledger(log, number)


def _remove_others(location: TableLocation, number: int) -> None:
    """Remove the ledgers of copies that were cut off: no commit names them, and none will."""
    with suppress(StoreError):
        others = set(filter(_LEDGER_FILE.fullmatch, location.beside(STATE_FOLDER)))
        location.remove(others.difference(_ledger(number)))


def _written(location: TableLocation, pieces: Iterator[pl.DataFrame]) -> list[AddAction]:
    actions: list[AddAction] = []
    try:
        for rows in join_short(pieces):
            actions += location.write(rows)
    except BaseException:
        location.discard(actions)
        raise
    return actions


def take_ledger(log: DeltaLog, number: int | None) -> None:
    """Take the ledger of a copy into the state file, once; one that has entries keeps its own."""
    if number is None or _taken(log) == number or not log.tail_file.may_write:
        return
    frames = [log.location.get(path) for path in _ledger(number)]
    with log.tail_file.locked():
        if _taken(log) == number:
            return
        if not len(log.ledger().entries()):
            log.ledger().load(*frames)
        log.tail_file.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", [(_TAKEN, number)])


def _taken(log: DeltaLog) -> int | None:
    query = f"SELECT value FROM facts WHERE name = '{_TAKEN}'"
    found = log.tail_file.read(query, {"value": pl.Int64})["value"]
    return found[0] if len(found) else None


def _ledger(number: int) -> list[str]:
    """Return the files in which a copy's ledger lies: its writes, and its quarantine."""
    return [f"{STATE_FOLDER}/{name}-{number:016x}.parquet" for name in _LEDGER]

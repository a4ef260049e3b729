"""A copy of a whole store, of one moment, from any kind of place to any other."""

from __future__ import annotations

from tallow.core.errors import StoreError
from tallow.core.limits import STORE_VIEW_ATTEMPTS
from tallow.data.store.backend import Backend


def copy(source: Backend, target: Backend) -> None:
    """Copy all that a store holds into an empty one: all of it, or nothing."""
    for attempt in range(1, STORE_VIEW_ATTEMPTS + 1):
        before = source.view().token
        try:
            with source.contents() as found:
                target.load(found)
            return
        except StoreError:
            # A compaction that keeps nothing removes files that are being read.
            if attempt == STORE_VIEW_ATTEMPTS or source.view().token == before:
                raise

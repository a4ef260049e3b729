"""Values that an engine stored, as the engine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from tallow.core.limits import BLOCK_ROWS
from tallow.data.files import expand_paths, open_file
from tallow.migrate.engines.answers import Reading
from tallow.migrate.engines.own import DIGEST_DIGITS
from tallow.migrate.protocol import Request


class StoredEngine:
    """One file, or several that a glob names; read anew for every answer.

    Raises
    ------
    CandleInputError
        If there is no such file.
    """

    def __init__(self, text: str, reading: Reading) -> None:
        self.name = text
        self._paths, self._reading = expand_paths(text), reading

    @property
    def version(self) -> str:
        """The digest of what is stored now."""
        digest = hashlib.sha256()
        for path in self._paths:
            with Path(path).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return f"sha256:{digest.hexdigest()[:DIGEST_DIGITS]}"

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the rows stored for the request; see `Engine.answer`."""
        opened = [open_file(path, BLOCK_ROWS) for path in self._paths]
        empty = [pl.DataFrame(schema=raw.schema) for raw in opened]
        rows = [frame for raw in opened for frame in raw.rows()]
        return self._reading.answer(pl.concat([*empty, *rows], how="diagonal"), request, self.name)

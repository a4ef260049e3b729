"""Stored values of an engine, used as an engine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from tallow.core.limits import BLOCK_ROWS
from tallow.data.reading.files import expand_paths, open_file
from tallow.migrate.engines.answers import AnswerReader
from tallow.migrate.engines.user import DIGEST_DIGITS
from tallow.migrate.protocol import Request


class StoredEngine:
    """One file, or several of a glob; read again for every answer.

    `CandleInputError` if there is no such file.
    """

    def __init__(self, text: str, reader: AnswerReader) -> None:
        self.name = text
        self._paths, self.reader = expand_paths(text), reader

    @property
    def version(self) -> str:
        """The digest of the files' present content."""
        digest = hashlib.sha256()
        for path in self._paths:
            with Path(path).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return f"sha256:{digest.hexdigest()[:DIGEST_DIGITS]}"

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the stored rows of the request; see `Engine.answer`."""
        files = [open_file(path, BLOCK_ROWS) for path in self._paths]
        empty = [pl.DataFrame(schema=raw.schema) for raw in files]
        rows = [frame for raw in files for frame in raw.rows()]
        return self.reader.read(pl.concat([*empty, *rows], how="diagonal"), request, self.name)

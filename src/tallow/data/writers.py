"""Writing frames to a file as they come; it takes its name only when it is whole."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, Full, Queue

import polars as pl
from polars import selectors
from polars.io.plugins import register_io_source

from tallow.core.disk import make_temporary, rename_over, replacing
from tallow.core.errors import OutputError
from tallow.core.given import file_path, require_new_file
from tallow.core.limits import WRITER_QUEUE
from tallow.data.reading.files import ARROW_ENDINGS, CONTAINER_ENDINGS, PARQUET_ENDINGS
from tallow.data.reading.schema import ISO_TIME
from tallow.data.reading.spreadsheet import mark_formulas

OUTPUT_ENDINGS = (*CONTAINER_ENDINGS, ".csv")
FRAME_ENDINGS = (*OUTPUT_ENDINGS, ".json")
"""Endings of files that a whole frame is written to at once."""

TIMEFRAME_FIELD = "{timeframe}"
"""What stands in an output's path for its timeframe."""

_POLL_SECONDS = 0.1
_END_SECONDS = 2.0


def check_output(path: str | os.PathLike[str], endings: Sequence[str] = OUTPUT_ENDINGS) -> Path:
    """Return the output's path.

    `OutputError` if its ending names no format that is written, or its folder does not exist, or is
    not this user's to write to.
    """
    target = file_path("output", path, OutputError)
    if target.suffix.lower() not in endings:
        raise OutputError(f"output: {target}; must end in {', '.join(endings)}")
    require_new_file("output", target, OutputError)
    return target


def check_outputs(path: str | os.PathLike[str], timeframes: Sequence[str]) -> dict[str, Path]:
    """Return the output of each timeframe: the path, with it for ``{timeframe}``.

    `OutputError` as `check_output`, and if several would be one.
    """
    target = file_path("output", path, OutputError)
    if len(timeframes) > 1 and TIMEFRAME_FIELD not in str(target):
        such_as = target.with_name(f"{target.stem}_{TIMEFRAME_FIELD}{target.suffix}")
        raise OutputError(
            f"output: {target}; each of {', '.join(timeframes)} must have a file of its own; "
            f"write {TIMEFRAME_FIELD} where their names differ: {such_as}"
        )
    return {each: check_output(str(target).replace(TIMEFRAME_FIELD, each)) for each in timeframes}


def write_frame(path: str | os.PathLike[str], frame: pl.DataFrame) -> None:
    """Write a whole frame to a file of `FRAME_ENDINGS`, which appears whole or not at all.

    `OutputError` if it cannot be written.
    """
    target = check_output(path, FRAME_ENDINGS)
    if target.suffix.lower() != ".json":
        with FrameWriter(target, frame.schema) as writer:
            writer.write(frame)
        return
    write_text(target, to_json(frame))


def write_text(target: Path, text: str) -> None:
    """Write text to a file, which appears whole or not at all; `OutputError` if it cannot be."""
    try:
        with replacing(target) as temporary:
            temporary.write_text(text, "utf-8")
    except (OSError, UnicodeEncodeError) as error:
        raise OutputError(f"output: {target}; could not be written; {error}") from error


def to_json(frame: pl.DataFrame) -> str:
    """Return an array with an object per row; times are ISO-8601 text, what is missing is null.

    Examples
    --------
    >>> to_json(pl.DataFrame({"close": [1.5, None]}))
    '[{"close":1.5},{"close":null}]'
    """
    return frame.with_columns(selectors.datetime(time_zone="*").dt.strftime(ISO_TIME)).write_json()


class FrameWriter:
    """A file that takes frame after frame, and appears whole or not at all.

    A thread hands the frames to Polars' streaming sink, so at most a few are in memory. Used as a
    context: on an error nothing is left behind. `path` is one that `check_output` returned.
    """

    def __init__(self, path: Path, schema: pl.Schema) -> None:
        self.path = path
        self._temporary: Path | None = None
        self._frames: Queue[pl.DataFrame | None] = Queue(WRITER_QUEUE)
        self._abandoned = False
        self._source_ended = threading.Event()
        self._source_ended.set()
        self._sink_ended = threading.Event()
        self._error: BaseException | None = None
        self._frame = register_io_source(self._source, schema=schema)
        self._thread = threading.Thread(target=self._sink, name="tallow-writer", daemon=True)

    def __enter__(self) -> FrameWriter:
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Add a frame; `OutputError` if writing has failed, for example on a full disk."""
        # Here, and not on entering: an interrupt there would end the program under the thread.
        if self._temporary is None:
            self._start()
        self._put(frame)

    def _start(self) -> None:
        try:
            self._temporary = make_temporary(self.path)
        except OSError as error:
            raise OutputError(f"output: {self.path}; could not be written; {error}") from error
        self._thread.start()

    def finish(self) -> None:
        """Write all that was taken, without another `write`; `OutputError` as there.

        The file has its name once the context ends.
        """
        if self._temporary is None:
            self._start()
        if not self._sink_ended.is_set():
            self._put(None)
            self._sink_ended.wait()
        self._raise_failure()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._abandoned = kind is not None
            if kind is None:
                self.finish()
            elif self._temporary is not None:
                self._put(None)
                # An interrupt may have come while the thread was being started.
                self._sink_ended.wait(_END_SECONDS)
            if kind is None and self._temporary is not None:
                self._rename_over(self._temporary)
        except BaseException:
            if kind is None:
                raise
        finally:
            # A sink that failed may leave a thread of its own in `_source`, and a program that ends
            # under that thread is aborted.
            self._source_ended.wait(_END_SECONDS)
            if self._temporary is not None:
                self._temporary.unlink(missing_ok=True)

    def _rename_over(self, temporary: Path) -> None:
        try:
            rename_over(temporary, self.path)
        except OSError as error:
            raise OutputError(f"output: {self.path}; could not be written; {error}") from error

    def _put(self, frame: pl.DataFrame | None) -> None:
        while True:
            self._raise_failure()
            try:
                return self._frames.put(frame, timeout=_POLL_SECONDS)
            except Full:
                # Look again whether the sink is still there to take it.
                continue

    def _raise_failure(self) -> None:
        if self._error is not None:
            raise OutputError(
                f"output: {self.path}; could not be written; {self._error}"
            ) from self._error

    def _source(
        self,
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        self._source_ended.clear()
        try:
            while True:
                try:
                    frame = self._frames.get(timeout=_POLL_SECONDS)
                except Empty:
                    if self._abandoned:
                        return
                    continue
                if frame is None or self._abandoned:
                    return
                yield self._formed(frame if with_columns is None else frame.select(with_columns))
        finally:
            self._source_ended.set()

    def _formed(self, frame: pl.DataFrame) -> pl.DataFrame:
        return mark_formulas(frame) if self.path.suffix.lower() == ".csv" else frame

    def _sink(self) -> None:
        assert self._temporary is not None
        ending = self.path.suffix.lower()
        try:
            # Opened here: given a name, Polars 2.1 may open the file after it has failed, and so
            # make it anew when it is gone already.
            with self._temporary.open("wb") as file:
                if ending in PARQUET_ENDINGS:
                    self._frame.sink_parquet(file)
                elif ending in ARROW_ENDINGS:
                    self._frame.sink_ipc(file)
                else:
                    self._frame.sink_csv(file, datetime_format=ISO_TIME)
        except BaseException as error:  # noqa: BLE001
            # Polars' panics are BaseExceptions; the writing thread must report any of them.
            self._error = error
        finally:
            self._sink_ended.set()

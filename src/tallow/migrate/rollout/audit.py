"""The log of a rollout: an append-only file of lines, each with a digest over the line before.

A line is a JSON object whose ``digest`` is BLAKE2b of the previous digest and of the line's own
content. A line that is edited, removed or inserted breaks the chain. A line that is cut off at the
end does not, so a file beside the log records its length.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from filelock import lock_descriptor

from tallow.core.disk import append_to_file, open_beside, replacing
from tallow.core.errors import DamagedLogError, RolloutError
from tallow.core.limits import ROLLOUT_LOCK_SECONDS

_RETRY_SECONDS = 0.01
_GLANCE_SECONDS = 0.2
"""A controller holds its lock for long; a look for the controller takes less than this."""

_HOLDER_AT = 1
"""Where the holder's name begins in a lock file: on Windows the first byte cannot be read."""

_FIELDS = {"n", "at", "who", "what", "digest"}


@dataclass(frozen=True)
class AuditEntry:
    """A line of the log: who did what, when, and the facts about it."""

    number: int
    at: datetime
    who: str
    what: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class AuditLog:
    """A log, read and written by several processes; its file is made with its first line.

    `problem` is what is wrong with the part that was read, None if nothing is; `torn` are the bytes
    of an incomplete line at its end, left by a kill.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head = path.with_name(f"{path.name}.head")
        self._control = path.with_name(f"{path.name}.controller")
        self.problem: str | None = None
        self.torn = b""
        self.number, self._digest, self._offset = 0, "", 0

    def read(self) -> list[AuditEntry]:
        """Return the lines added since the last call; `RolloutError` if the file cannot be read."""
        # Before the log: a line added meanwhile must not look as if it had been cut off.
        recorded = self._recorded_length()
        added, cut = b"", self._offset > 0
        with self._usable(), suppress(FileNotFoundError), self.path.open("rb") as file:
            cut = os.fstat(file.fileno()).st_size < self._offset
            file.seek(self._offset)
            added = file.read()
        complete, newline, self.torn = added.rpartition(b"\n")
        self._offset += len(complete) + len(newline)
        entries = [each for line in complete.split(b"\n") if line for each in self._parse(line)]
        if cut or recorded > self.number:
            self.set_problem("its end was cut off")
        return entries

    def append(
        self, who: str, what: str, at: datetime, facts: Mapping[str, Any], force: bool = False
    ) -> list[AuditEntry]:
        """Append a line durably, and return what was added; the log must be read to its end.

        `DamagedLogError` if the log is damaged, unless `force`; `RolloutError` if it cannot be
        written.
        """
        if self.problem is not None and not force:
            raise DamagedLogError(self.problem)
        body = {"n": self.number + 1, "at": at.isoformat(), "who": who, "what": what, **facts}
        line = _to_json(body | {"digest": _digest_of(self._digest, body)}).encode() + b"\n"
        with self._usable():
            append_to_file(self.path, b"\n" + line if self.torn else line)
        added = self.read()
        self._record_length()
        return added

    def truncate_torn_line(self, who: str, at: datetime) -> list[AuditEntry]:
        """Remove an incomplete last line that a kill left, and log that; the log must be locked.

        `RolloutError` if it cannot be written.
        """
        entries = self.read()
        if not self.torn:
            return entries
        with self._usable():
            os.truncate(self.path, self._offset)
        torn, self.torn = self.torn.decode(errors="replace"), b""
        return entries + self.append(who, "repaired", at, {"torn": torn}, force=True)

    def locked(self) -> AbstractContextManager[None]:
        """Hold the log's lock, as every action on the rollout does.

        `RolloutError` if another process holds it too long, or it cannot be locked.
        """
        return _lock(self.path.with_name(f"{self.path.name}.lock"), ROLLOUT_LOCK_SECONDS, "")

    def hold_control(self, who: str) -> AbstractContextManager[None]:
        """Be the only controller while this lasts; `RolloutError` if there is another one."""
        return _lock(self._control, _GLANCE_SECONDS, who)

    def find_controller(self) -> str | None:
        """Return who controls the rollout right now; None if nobody does."""
        with suppress(OSError), self._control.open("rb") as file:
            if not _try_lock(file, _GLANCE_SECONDS):
                return _read_holder(file)
        return None

    def _parse(self, line: bytes) -> Iterator[AuditEntry]:
        number = self.number + 1
        try:
            body = json.loads(line)
            digest = body.pop("digest")
            entry = AuditEntry(
                body["n"],
                datetime.fromisoformat(body["at"]),
                body["who"],
                body["what"],
                {name: value for name, value in body.items() if name not in _FIELDS},
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            self.set_problem(f"line {number} cannot be read")
            return
        if digest != _digest_of(self._digest, body) or entry.number != number:
            self.set_problem(f"line {number} is not what was written there")
        # The next line is checked against this one as it is: an edit is reported where it was made.
        self._digest, self.number = str(digest), number
        yield entry

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Report errors of the file."""
        try:
            yield
        except OSError as error:
            raise RolloutError(
                f"log: file={self.path}; {error.strerror}; it must be a file to write"
            ) from error

    def set_problem(self, what: str) -> None:
        """Note what is wrong with the log, unless something already is."""
        self.problem = self.problem or (
            f"log: file={self.path}; {what}; revert if in doubt, then move {self.path.name}* "
            "away and start anew"
        )

    def _record_length(self) -> None:
        """Record the log's length. After a power failure it may be too small, never too large."""
        text = f"{self.number} {self._digest}\n"
        with suppress(OSError), replacing(self._head, shared=True) as temporary:
            temporary.write_text(text)

    def _recorded_length(self) -> int:
        try:
            return int(self._head.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return 0


def _to_json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _digest_of(before: str, body: Mapping[str, Any]) -> str:
    return hashlib.blake2b((before + _to_json(body)).encode(), digest_size=16).hexdigest()


@contextmanager
def _lock(path: Path, seconds: float, who: str) -> Iterator[None]:
    """Hold a lock that ends with the process, however that ends; wait for it for some seconds."""
    try:
        number = open_beside(path)
    except OSError as error:
        raise _lock_error(path, error) from error
    with os.fdopen(number, "rb") as file:
        try:
            is_locked = _try_lock(file, seconds)
        except OSError as error:
            raise _lock_error(path, error) from error
        if not is_locked:
            holder = _read_holder(file) or "another process"
            raise RolloutError(
                f"rollout: {path.name} is held by {holder}; there must be one at a time"
            )
        if who:
            # Somebody else's file may be read-only: the lock itself is what matters.
            with suppress(OSError):
                _write_holder(number, who)
        yield


def _try_lock(file: IO[bytes], seconds: float) -> bool:
    """Lock an open file, trying for some seconds; return whether that worked.

    `OSError` if the file system has no locks.
    """
    until = time.monotonic() + seconds
    while not lock_descriptor(file.fileno(), blocking=False):
        if time.monotonic() >= until:
            return False
        time.sleep(_RETRY_SECONDS)
    return True


def _lock_error(path: Path, error: OSError) -> RolloutError:
    return RolloutError(f"lock: file={path}; {error.strerror}; choose another place")


def _read_holder(file: IO[bytes]) -> str:
    file.seek(_HOLDER_AT)
    return file.read().decode(errors="replace").strip()


def _write_holder(number: int, who: str) -> None:
    os.truncate(number, 0)
    os.lseek(number, 0, os.SEEK_SET)
    os.write(number, b" " * _HOLDER_AT + f"{who} (process {os.getpid()})".encode())

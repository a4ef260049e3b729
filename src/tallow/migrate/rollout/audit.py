"""The log of a rollout: lines that are only added, each sealed to the one before.

A line is a JSON object whose ``digest`` is BLAKE2b of the digest before and of all that the line
says. A line that is edited, taken out or put in breaks the chain. One that is cut off at the end
does not, so a file beside the log remembers how far it went.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from tallow.core.errors import DamagedLogError, RolloutError
from tallow.core.limits import ROLLOUT_LOCK_SECONDS
from tallow.data.durable import sync_folder
from tallow.data.replacing import open_beside, replaced, share_new_file

_WAIT_SECONDS = 0.01
_OWN = {"n", "at", "who", "what", "digest"}


@dataclass(frozen=True)
class Entry:
    """A line of the log: who did what, when, and the facts of it."""

    number: int
    at: datetime
    who: str
    what: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class AuditLog:
    """A log, read and written by several processes.

    Parameters
    ----------
    path
        The file; made with its first line.

    Attributes
    ----------
    problem
        What is wrong with it as far as it was read; None where nothing is.
    torn
        Bytes of an unfinished line at its end, left by a kill.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head = path.with_name(f"{path.name}.head")
        self._guard = path.with_name(f"{path.name}.controller")
        self.problem: str | None = None
        self.torn = b""
        self.number, self._digest, self._offset = 0, "", 0

    def read(self) -> list[Entry]:
        """Return the lines that were added since this was last called.

        Raises
        ------
        RolloutError
            If the file cannot be read.
        """
        # Before the log: what is added meanwhile must not look as if it was cut off.
        known = self._known_length()
        try:
            with self.path.open("rb") as file:
                cut = os.fstat(file.fileno()).st_size < self._offset
                file.seek(self._offset)
                added = file.read()
        except FileNotFoundError:
            added, cut = b"", self._offset > 0
        except OSError as error:
            raise RolloutError(
                f"log: file={self.path}; {error.strerror}; it must be a file to write"
            ) from error
        whole, newline, self.torn = added.rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        entries = [each for line in whole.split(b"\n") if line for each in self._line(line)]
        if cut or known > self.number:
            self._damaged("its end was cut off")
        return entries

    def append(
        self, who: str, what: str, at: datetime, facts: Mapping[str, Any], force: bool = False
    ) -> list[Entry]:
        """Add a line, durably, and return what was added; the log must be read to its end.

        Parameters
        ----------
        force
            Whether to add to a damaged log, too.

        Raises
        ------
        DamagedLogError
            If the log is damaged.
        OSError
            If it cannot be written.
        """
        if self.problem is not None and not force:
            raise DamagedLogError(self.problem)
        body = {"n": self.number + 1, "at": at.isoformat(), "who": who, "what": what, **facts}
        line = _text(body | {"digest": _seal(self._digest, body)}).encode() + b"\n"
        is_new = not self.path.exists()
        with self._opened() as file:
            file.write(b"\n" + line if self.torn else line)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            with suppress(OSError):
                sync_folder(self.path.parent)
        added = self.read()
        self._remember_head()
        return added

    def mend(self, who: str, at: datetime) -> list[Entry]:
        """Take away what a kill left of a last line, and log that; the log must be locked.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        entries = self.read()
        if not self.torn:
            return entries
        os.truncate(self.path, self._offset)
        torn, self.torn = self.torn.decode(errors="replace"), b""
        return entries + self.append(who, "repaired", at, {"torn": torn}, force=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the log's lock, which every act on the rollout holds while it is done.

        Raises
        ------
        RolloutError
            If another holds it too long, or there cannot be a lock.
        """
        with _lock(self.path.with_name(f"{self.path.name}.lock"), ROLLOUT_LOCK_SECONDS, ""):
            yield

    @contextmanager
    def guarded(self, who: str) -> Iterator[None]:
        """Be the only controller, as long as this lasts.

        Raises
        ------
        RolloutError
            If there is one.
        """
        with _lock(self._guard, 0.0, who):
            yield

    def controller(self) -> str | None:
        """Return who controls the rollout right now; None where nobody does."""
        try:
            with self._guard.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._guard.read_text().strip()
        except OSError:
            pass
        return None

    def _line(self, line: bytes) -> Iterator[Entry]:
        number = self.number + 1
        try:
            body = json.loads(line)
            digest = body.pop("digest")
            entry = Entry(
                body["n"],
                datetime.fromisoformat(body["at"]),
                body["who"],
                body["what"],
                {name: value for name, value in body.items() if name not in _OWN},
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            self._damaged(f"line {number} cannot be read")
            return
        if digest != _seal(self._digest, body) or entry.number != number:
            self._damaged(f"line {number} is not what was written there")
        # Later lines are sealed to this one as it is: one edit is told once, where it was made.
        self._digest, self.number = str(digest), number
        yield entry

    def _damaged(self, what: str) -> None:
        self.problem = self.problem or (
            f"log: file={self.path}; {what}; revert if in doubt, then move {self.path.name}* "
            "away and start anew"
        )

    def _remember_head(self) -> None:
        """Note how far the log goes. It may lag behind after a loss of power, never be ahead."""
        text = f"{self.number} {self._digest}\n"
        with suppress(OSError), replaced(self._head, shared=True) as aside:
            aside.write_text(text)

    def _opened(self) -> IO[bytes]:
        """Open the log to add to it; a new one is for all who use its folder."""
        is_new = not self.path.exists()
        file = self.path.open("ab")
        if is_new:
            share_new_file(file.fileno(), self.path.parent)
        return file

    def _known_length(self) -> int:
        try:
            return int(self._head.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return 0


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _seal(before: str, body: Mapping[str, Any]) -> str:
    return hashlib.blake2b((before + _text(body)).encode(), digest_size=16).hexdigest()


@contextmanager
def _lock(path: Path, patience: float, who: str) -> Iterator[None]:
    """Hold a lock that ends with the process, whatever ends that."""
    until = time.monotonic() + patience
    try:
        number = open_beside(path)
    except OSError as error:
        raise RolloutError(f"lock: file={path}; {error.strerror}; choose another place") from error
    with os.fdopen(number) as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= until:
                    file.seek(0)
                    holder = file.read().strip() or "another process"
                    raise RolloutError(
                        f"rollout: {path.name} is held by {holder}; there must be one at a time"
                    ) from error
                time.sleep(_WAIT_SECONDS)
        if who:
            # Where the file is another's, the lock is what counts.
            with suppress(OSError):
                os.truncate(number, 0)
                os.pwrite(number, f"{who} (process {os.getpid()})".encode(), 0)
        yield

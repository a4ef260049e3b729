"""Keys in a file: random tokens, of which only digests are kept.

A token has 256 random bits, so a plain SHA-256 of it can be neither guessed nor looked up. The file
is JSON, for its owner alone, replaced whole; a service notices that when it is asked next.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tallow.core.disk import PRIVATE, open_beside, replace_file
from tallow.core.errors import KeyFileError
from tallow.core.given import name_text, read_written
from tallow.service.keys.roles import ROLES, Role
from tallow.service.limits import KEY_FILE_BYTES_MAX

START = "tallow"
"""What every token begins with, so that one that leaked is found."""

_ID_BYTES, _SECRET_BYTES = 6, 32
_TOKEN_CHARACTERS_MAX = 200


_FORMAT = 1


@dataclass(frozen=True)
class Key:
    """A key as it is kept.

    Attributes
    ----------
    id
        What a token begins with after `START`; it is no secret.
    name
        What a person calls it.
    sha256
        The token's digest, in hexadecimal.
    created, expires
        ISO-8601 times in UTC; a key without the second one does not expire.
    """

    id: str
    name: str
    role: str
    sha256: str
    created: str
    expires: str | None

    @property
    def rank(self) -> Role:
        """The role."""
        return ROLES[self.role]

    def is_expired(self, now: datetime) -> bool:
        """Say whether it has expired."""
        return self.expires is not None and datetime.fromisoformat(self.expires) <= now


class KeyFile:
    """The keys of a file.

    Raises
    ------
    KeyFileError
        Here and in every method, if the file cannot be read or written, or is no file of keys.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: dict[str, Key] = {}
        self._stamp: tuple[int, ...] | None = None

    def keys(self) -> dict[str, Key]:
        """Return the keys by their ids, as the file has them now; none where there is no file."""
        stamp = self._look()
        if stamp != self._stamp:
            self._keys = {} if stamp is None else _read(self.path)
            self._stamp = stamp
        return self._keys

    def find(self, token: str) -> Key | None:
        """Return the key of a token; None where it is unknown, or was revoked."""
        parts = token.split("_", 2)
        if len(token) > _TOKEN_CHARACTERS_MAX or len(parts) != 3 or not token.isascii():
            return None
        key = self.keys().get(parts[1])
        digest = _digest(token)
        # Compared also where there is none: how long that takes says nothing.
        is_right = hmac.compare_digest(digest, digest[::-1] if key is None else key.sha256)
        return key if is_right else None

    def create(self, name: str, role: str, expires: datetime | None) -> tuple[Key, str]:
        """Add a key, and return it with its token, which is kept nowhere."""
        name_text("keys: name", name, KeyFileError)
        if role not in ROLES:
            raise KeyFileError(f"keys: role={role!r}; must be one of {', '.join(ROLES)}")
        id_ = secrets.token_hex(_ID_BYTES)
        token = f"{START}_{id_}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        until = None if expires is None else expires.astimezone(UTC).isoformat()
        key = Key(id_, name, role, _digest(token), _now().isoformat(), until)
        with self._changing() as keys:
            keys[id_] = key
        return key, token

    def revoke(self, id_: str) -> Key:
        """Remove a key; a service refuses it from its next request on."""
        with self._changing() as keys:
            if id_ not in keys:
                raise KeyFileError(
                    f"keys: {self.path}: id={id_!r}; there is none; tallow keys list has them"
                )
            return keys.pop(id_)

    def _look(self) -> tuple[int, ...] | None:
        try:
            status = os.stat(self.path)  # noqa: PTH116 - every request asks this
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyFileError(f"keys: {self.path}; {error.strerror}") from error
        return status.st_ino, status.st_size, status.st_mtime_ns

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Key]]:
        """Give the keys to change; what the block made of them is the file's content then."""
        try:
            with _locked(self.path.with_name(f"{self.path.name}.lock")):
                keys = dict(_read(self.path)) if self.path.exists() else {}
                yield keys
                listed = [asdict(key) for key in keys.values()]
                content = json.dumps({"format": _FORMAT, "keys": listed}, indent=1)
                replace_file(self.path, content.encode(), mode=PRIVATE)
        except OSError as error:
            raise KeyFileError(
                f"keys: {self.path}; cannot be written: {error.strerror}; may this user write to "
                "its folder?"
            ) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing the keys meanwhile."""
    if os.name != "posix":
        yield
        return
    import fcntl

    number = open_beside(path, PRIVATE)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def _read(path: Path) -> dict[str, Key]:
    limit = (KEY_FILE_BYTES_MAX, "is it a file of keys?")
    found: Any = read_written("keys", path, json.loads, limit, KeyFileError)
    # A file without it is of before there was one.
    number = found.get("format", _FORMAT) if isinstance(found, dict) else _FORMAT
    if number != _FORMAT:
        raise KeyFileError(
            f"keys: {path}; format={number}; this version reads {_FORMAT}; update tallow, or make "
            "new keys in another file"
        )
    try:
        keys = [Key(**each) for each in found["keys"]]
        assert all(key.role in ROLES for key in keys)
    except (TypeError, KeyError, AssertionError) as error:
        raise KeyFileError(
            f"keys: {path}; is no file of keys; make one with: tallow keys create --keys FILE"
        ) from error
    return {key.id: key for key in keys}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)

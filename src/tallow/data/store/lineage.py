"""Whose a table's commits are: Tallow's carry a mark, and one without it is another tool's.

A mark names the line of commits that it goes on with, and the version that it follows. So the
newest commit alone shows whether another tool ever came in between, also to a process that did not
run then, and after the log was cleaned up. It also names the tail beside which it was made.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tallow.data.store.files import TableLocation

_LINE, _AFTER, _CHECKED = "tallow.lineage", "tallow.after", "tallow.checked"
_TAIL = "tallow.tail"


@dataclass(frozen=True)
class Lineage:
    """A line of commits without another tool's among them.

    Attributes
    ----------
    id
        New after each commit of another tool; nothing derived under another one is trusted.
    checked
        Whether all files are known to be sorted, and no row to lie twice.
    """

    id: str
    checked: bool

    @classmethod
    def new(cls) -> Lineage:
        """Return the one of a new table."""
        return cls(uuid.uuid4().hex, True)

    def with_checked(self, checked: bool) -> Lineage:
        """Return the same one, perhaps checked by now."""
        return replace(self, checked=checked)

    def commit_facts(self, after: int, tail: str) -> dict[str, str]:
        """Return what a commit that follows a version, made beside a tail, says of itself."""
        checked = str(self.checked).lower()
        return {_LINE: self.id, _AFTER: str(after), _CHECKED: checked, _TAIL: tail}


def lineage_of(location: TableLocation, version: int) -> Lineage:
    """Return the line that a version's commit belongs to: a new one where it is another tool's."""
    body = location.commit(version)
    info = _commit_info(body)
    if _is_ours(info, version):
        return Lineage(info[_LINE], info.get(_CHECKED) == "true")
    return Lineage(f"{version}-{hashlib.blake2b(body, digest_size=8).hexdigest()}", False)


def tails_of(location: TableLocation, after: int, until: int) -> Iterator[str | None]:
    """Return the tails beside which versions were committed, after one and up to another.

    None stands for one that does not say it, as older ones do not. Other tools have
    no tail.
    """
    for version in range(after + 1, until + 1):
        body = location.commit(version)
        info = _commit_info(body)
        if _is_ours(info, version) or not body:
            yield info.get(_TAIL)


def _is_ours(info: dict[str, Any], version: int) -> bool:
    return isinstance(info.get(_LINE), str) and info.get(_AFTER) == str(version - 1)


def _commit_info(body: bytes) -> dict[str, Any]:
    for line in body.splitlines():
        if line.startswith(b'{"commitInfo"'):
            try:
                found = json.loads(line)["commitInfo"]
            except ValueError:
                return {}
            return found if isinstance(found, dict) else {}
    return {}

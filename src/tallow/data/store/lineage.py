"""Whose a table's commits are: Tallow's carry a mark, and one without it is another tool's.

A mark names the line of commits that it goes on with, and the version that it follows. So the
newest commit alone tells whether anybody else ever came in between, also to a process that did not
run then, and after the log was cleaned up.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tallow.data.store.files import Place

_LINE, _AFTER, _CHECKED = "tallow.lineage", "tallow.after", "tallow.checked"


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

    def mark(self, after: int) -> dict[str, str]:
        """Return what a commit that follows a version says of itself."""
        return {_LINE: self.id, _AFTER: str(after), _CHECKED: str(self.checked).lower()}


def lineage_of(place: Place, version: int) -> Lineage:
    """Return the line that a version's commit belongs to: a new one where it is another tool's."""
    body = place.commit(version)
    if own := _marked(body, version):
        return own
    return Lineage(f"{version}-{hashlib.blake2b(body, digest_size=8).hexdigest()}", False)


def is_foreign(place: Place, version: int) -> bool:
    """Say whether a version is another tool's, as far as the log still says."""
    return _marked(place.commit(version), version) is None


def _marked(body: bytes, version: int) -> Lineage | None:
    info = _commit_info(body)
    line = info.get(_LINE)
    if isinstance(line, str) and info.get(_AFTER) == str(version - 1):
        return Lineage(line, info.get(_CHECKED) == "true")
    return None


def _commit_info(body: bytes) -> dict[str, Any]:
    for line in body.splitlines():
        if line.startswith(b'{"commitInfo"'):
            try:
                found = json.loads(line)["commitInfo"]
            except ValueError:
                return {}
            return found if isinstance(found, dict) else {}
    return {}

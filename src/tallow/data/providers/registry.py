"""Which formats exist: every reader found through the entry point group ``tallow.readers``.

An entry point names a `Reader`, or a callable that returns several. Tallow's own come the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tallow.core.errors import CandleInputError, near_matches
from tallow.core.plugins import load_plugins
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader
from tallow.data.reading.files import DOCUMENT_ENDINGS, ENDINGS

ENTRY_POINT_GROUP = "tallow.readers"

GENERIC = "generic"
"""The reader of plain tables, as providers' tables are, too: asked where no other knows."""


@dataclass(frozen=True)
class Readers:
    """The readers by name, and what of the plug-ins failed, with the reasons."""

    readers: dict[str, Reader]
    failures: dict[str, str]

    def find(self, name: str) -> Reader:
        """Return the reader called `name`.

        Raises
        ------
        CandleInputError
            If there is none; the message lists near matches and plug-ins that failed.
        """
        found = self.readers.get(str(name).lower())
        if found is None:
            hint = near_matches(str(name), self.readers)
            raise CandleInputError(f"format: {name!r}; unknown; {hint}{self._broken()}")
        return found

    def recognise(self, content: Content) -> Reader:
        """Return the one reader that recognises a document.

        Raises
        ------
        CandleInputError
            If none does, or several do.
        """
        found = self.provider_of(content)
        if found is None and self._asked([GENERIC], content):
            found = self.readers[GENERIC]
        if found is not None:
            return found
        raise CandleInputError(
            f"{content.name}: its format is not recognised; known: {', '.join(self.readers)}; "
            f"{_unrecognised(content)}{self._broken()}"
        )

    def provider_of(self, content: Content) -> Reader | None:
        """Return the one provider's reader that recognises a document; None for any other table.

        An empty answer may be of several: it has no rows that one of them would read otherwise.

        Raises
        ------
        CandleInputError
            If several do.
        """
        found = self._asked([name for name in self.readers if name != GENERIC], content)
        if len(found) > 1 and not all(self._is_empty(name, content) for name in found):
            raise CandleInputError(
                f"{content.name}: looks like {' and like '.join(found)}; one format is needed; "
                f'add format="{found[0]}", say'
            )
        return self.readers[found[0]] if found else None

    def _is_empty(self, name: str, content: Content) -> bool:
        try:
            return not any(map(len, self.readers[name].read(content).raw.rows()))
        except Exception:  # noqa: BLE001
            # A plug-in may fail in any way; the caller tells what the document looks like.
            return False

    def _asked(self, names: list[str], content: Content) -> list[str]:
        return [name for name in names if name in self.readers and self._recognises(name, content)]

    def _recognises(self, name: str, content: Content) -> bool:
        try:
            return bool(self.readers[name].recognises(content))
        except Exception as error:  # noqa: BLE001
            # A plug-in may fail in any way, and others recognise their documents all the same.
            self.failures[name] = f"recognises: {type(error).__name__}: {error}"
            return False

    def _broken(self) -> str:
        return "".join(f"; {entry} failed: {why}" for entry, why in self.failures.items())


def _unrecognised(content: Content) -> str:
    """Return what to do about a document that no reader knows."""
    if content.path is None or content.path.name.lower().endswith((*ENDINGS, *DOCUMENT_ENDINGS)):
        return "is it whole? If it is, say what it is with format="
    return (
        f"a table must end in {', '.join(ENDINGS)}; rename it, or say what else it is with format="
    )


@cache
def readers() -> Readers:
    """Load every entry point, once per process."""
    return Readers(*load_plugins(ENTRY_POINT_GROUP, Reader))

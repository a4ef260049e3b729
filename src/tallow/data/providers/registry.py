"""Which formats exist: every reader found through the entry point group ``tallow.readers``."""

from __future__ import annotations

from functools import cache

from tallow.core.errors import CandleInputError
from tallow.core.plugins import Registry
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader
from tallow.data.reading.files import DOCUMENT_ENDINGS, ENDINGS

GENERIC = "generic"
"""The reader of plain tables, as providers' tables are, too: asked where no other knows."""


class Readers(Registry[Reader]):
    """The readers by name, and which of them recognises a document."""

    def recognise(self, content: Content) -> Reader:
        """Return the one reader that recognises a document; `CandleInputError` if there is none."""
        found = self.provider_of(content)
        if found is None and self._asked([GENERIC], content):
            found = self.by_name[GENERIC]
        if found is not None:
            return found
        raise CandleInputError(
            f"{content.name}: its format is not recognised; known: {', '.join(self.by_name)}; "
            f"{_unrecognised(content)}{self.broken()}"
        )

    def provider_of(self, content: Content) -> Reader | None:
        """Return the one provider's reader that recognises a document; None for any other table.

        `CandleInputError` if several do; but an empty answer may be of several: it has no rows that
        one of them would read otherwise.
        """
        found = self._asked([name for name in self.by_name if name != GENERIC], content)
        if len(found) > 1 and not all(self._is_empty(name, content) for name in found):
            raise CandleInputError(
                f"{content.name}: looks like {' and like '.join(found)}; one format is needed; "
                f'add format="{found[0]}", for example'
            )
        return self.by_name[found[0]] if found else None

    def _is_empty(self, name: str, content: Content) -> bool:
        try:
            return not any(map(len, self.by_name[name].read(content).raw.rows()))
        except Exception:  # noqa: BLE001
            # A plug-in may fail in any way; the caller reports what the document looks like.
            return False

    def _asked(self, names: list[str], content: Content) -> list[str]:
        return [name for name in names if name in self.by_name and self._recognises(name, content)]

    def _recognises(self, name: str, content: Content) -> bool:
        try:
            return bool(self.by_name[name].recognises(content))
        except Exception as error:  # noqa: BLE001
            # A plug-in may fail in any way, and others recognise their documents all the same.
            self.failures[name] = f"recognises: {type(error).__name__}: {error}"
            return False


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
    return Readers.load("tallow.readers", Reader, "format", CandleInputError)

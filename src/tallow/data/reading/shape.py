"""What a shape is: the exact names by which one provider's tables, documents or messages are known.

A table and a message are the same thing here: names, and which of them holds which field. That is
how a file, a frame and a live message of one provider share what is known of it. The shapes
themselves are declared in `reading.shapes` and `reading.message_shapes`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

Form = Literal["document", "table", "candle", "tick", "refused"]


OPENED = "2026-11-29"
"""When files were opened, and pages read."""


def git(path: str, commit: str) -> str:
    """Return where a public client's ``owner/name/path/to/file`` is, in its state at a commit."""
    owner, name, rest = path.split("/", 2)
    return f"https://github.com/{owner}/{name}/blob/{commit}/{rest}"


def page(address: str) -> str:
    """Return where a vendor's page is."""
    return f"https://{address}"


@dataclass(frozen=True)
class Shape:
    """One shape of one provider.

    Attributes
    ----------
    form
        ``document``: one of the readers of `tallow.data.providers` reads it. ``table``: columns of
        a file or a frame. ``candle``, ``tick``: an object of a live message. ``refused``: such an
        object, understood to be neither.
    provider, text, sources
        Whose it is, and what, in one line; the addresses where it was read.
    names
        Names that are all there, spelled like this.
    fields
        Which names may hold a field, best first; they come before `data.reading.schema.ALIASES`.
    says
        Names whose values identify the shape, and these values.
    patterns
        Fields whose column is the first of several that begin with this text.
    timezone
        Zone of its times, where they carry none and the shape says which.
    some
        Names of which at least one is there, too.
    first
        Names with which its columns begin, in this order.
    lacks
        Texts that are part of none of its names, whatever their case.
    without_volume
        Whether it has no volume: 0 is taken, with a warning.
    day_first
        Whether dates whose year comes last begin with their day.
    periods
        The column that says how long its rows last, and what it says of which timeframe.
    key
        From an object to its instrument's key, where several of its values make it. Raises
        `ValueError`, with the reason, where it cannot be known.
    divisor
        From an object's prices as they are sent to prices.
    closed
        The name of a field that is False while the candle still forms.
    lasting
        The name of a field that says how long the candle lasts, and what it says of a minute.
    why
        Why such an object is refused.
    """

    form: Form
    provider: str
    text: str
    sources: tuple[str, ...]
    names: frozenset[str] = frozenset()
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    says: Mapping[str, frozenset[Any]] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    some: frozenset[str] = frozenset()
    first: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    without_volume: bool = False
    day_first: bool | None = None
    periods: tuple[str, Mapping[str, str]] | None = None
    key: Callable[[Mapping[str, Any]], str] | None = None
    divisor: Callable[[Mapping[str, Any]], float] | None = None
    closed: str | None = None
    lasting: tuple[str, str] | None = None
    why: str | None = None

    def fits(self, names: Collection[str]) -> bool:
        """Say whether all of its names are among these."""
        has_all = self.names <= set(names) and self.says.keys() <= set(names)
        if self.some and not self.some & set(names):
            return False
        if self.first and tuple(names)[: len(self.first)] != self.first:
            return False
        if any(text in name.casefold() for text in self.lacks for name in names):
            return False
        return has_all and all(
            sum(name.startswith(start) for name in names) > 1 for start in self.patterns.values()
        )

    def agrees(self, item: Mapping[str, Any]) -> bool:
        """Say whether an object with its names says what such objects say."""
        return all(_among(item[name], values) for name, values in self.says.items())

    def column(self, of: str, names: Sequence[str]) -> str | None:
        """Return the name that holds a field, or None where the shape does not say."""
        if of in self.patterns:
            return next(name for name in names if name.startswith(self.patterns[of]))
        return next((name for name in self.fields.get(of, ()) if name in names), None)


table, candle, tick, refused = (
    partial(Shape, form) for form in ("table", "candle", "tick", "refused")
)


def _among(value: Any, values: frozenset[Any]) -> bool:
    # A list is not a key of a set, and 1 is True.
    return isinstance(value, str | int) and not isinstance(value, bool) and value in values

"""What only a service raises."""

from __future__ import annotations

from tallow.core.errors import TallowError


class BusyError(TallowError):
    """More is asked at once than is taken; the same may be asked again a moment later."""


class NotAcceptableError(TallowError):
    """A client takes no format that an answer could be sent in."""

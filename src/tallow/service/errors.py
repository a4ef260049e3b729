"""What only a service raises."""

from __future__ import annotations

from typing import ClassVar

from tallow.core.errors import TallowError


class BusyError(TallowError):
    """More is asked at once than is taken; the same may be asked again a moment later."""


class NotAcceptableError(TallowError):
    """A client takes no format that an answer could be sent in."""


class RefusedError(TallowError):
    """A request that is refused as it stands.

    Attributes
    ----------
    status
        The status of its answer.
    retry_seconds
        When it may be sent again; None where that would change nothing.
    """

    status: ClassVar[int]
    retry_seconds: int | None = None

    def headers(self) -> dict[str, str]:
        """Return what its answer says besides."""
        return {} if self.retry_seconds is None else {"Retry-After": str(self.retry_seconds)}


class BodyTooLargeError(RefusedError):
    """A body has more bytes or rows than are taken."""

    status = 413


class UnknownTypeError(RefusedError):
    """A body is of a type that is not read."""

    status = 415


class UnknownEncodingError(RefusedError):
    """A body is packed in a way that is not unpacked, or damaged."""

    status = 415


class SlowBodyError(RefusedError):
    """A body did not come in time."""

    status = 408


class KeyInUseError(RefusedError):
    """A request with the same idempotency key is being done."""

    status = 409
    retry_seconds = 1


class KeyReusedError(RefusedError):
    """An idempotency key was sent with another request."""

    status = 422


class NoRolloutError(RefusedError):
    """The service was told of no rollout."""

    status = 404


class WrongListError(RefusedError):
    """A body is no list of members, or its name no name of one."""

    status = 422


class UnauthorizedError(RefusedError):
    """Nobody that is known asks."""

    status = 401

    def headers(self) -> dict[str, str]:
        """Return how to say who asks."""
        return {"WWW-Authenticate": "Bearer"}


class ForbiddenError(RefusedError):
    """Whoever asks may not."""

    status = 403


class WrongHostError(RefusedError):
    """A request is for another host."""

    status = 421


class TooOftenError(RefusedError):
    """A key or an address asks too often."""

    status = 429

    def __init__(self, text: str, retry_seconds: int) -> None:
        super().__init__(text)
        self.retry_seconds = retry_seconds

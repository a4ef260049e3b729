"""What a client raises when the service says no, or is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallow.core.errors import TallowError


class ServiceError(TallowError):
    """The service's answer is a problem; the message is its words.

    Attributes
    ----------
    status
        Of HTTP; of a stream that was closed, its code.
    title
        Of what kind the problem is.
    problem
        All that the service said of it.
    """

    def __init__(
        self, status: int, title: str, detail: str, problem: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{title}: {detail}")
        self.status, self.title, self.problem = status, title, dict(problem or {})


class UnreachableError(TallowError, OSError):
    """The service cannot be reached, or does not answer in time."""

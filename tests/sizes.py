"""How large a test is: small in a change's run, and at full size in `make nightly`."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import settings

Size = TypeVar("Size")


def sized(now: Size, night: Size) -> Size:
    """Return the size for a change's run, or that for the night."""
    return night if settings.get_current_profile_name() == "nightly" else now

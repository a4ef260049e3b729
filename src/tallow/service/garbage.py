"""Looks for garbage at even distances, and among little at a time.

The interpreter looks when there are so many more new objects than before. Where as many go as come,
that is seldom, and then among all that came meanwhile: in a service under load among hundreds of
thousands at once, for which every candle waits.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from itertools import count

LOOK_SECONDS = 0.1
"""How often it is looked among what is new."""

LOOKS = (20, 6_000)
"""Looks after which it is looked among what was new at the ones before, too; and among all that
came since the start: every two seconds, and every ten minutes."""


async def look_for_garbage(
    collect: Callable[[int], object] = gc.collect, seconds: float = LOOK_SECONDS
) -> None:
    """Look until it is cancelled; the interpreter does not look by itself meanwhile."""
    few, many = LOOKS
    gc.disable()
    try:
        for number in count(1):
            await asyncio.sleep(seconds)
            collect((number % few == 0) + (number % many == 0))
    finally:
        gc.enable()

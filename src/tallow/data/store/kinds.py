"""Which candles a store has, for whoever asked for a kind that it does not have."""

from __future__ import annotations

from tallow.data.store.reader import StoreReader


def other_kinds(
    store: StoreReader, timeframe: str, adjustment: str, asked_by: str = "source_timeframe"
) -> str:
    """Say which kinds of candles there are; nothing where those of this kind are among them.

    Reads all keys. `asked_by` is the parameter by which the timeframe was asked for.
    """
    found = store.series().select("timeframe", "adjustment").unique()
    kinds = [f"{size} {name}" for size, name in found.sort("timeframe", "adjustment").iter_rows()]
    if not kinds:
        return "the store has none"
    wanted = f"{timeframe} {adjustment}"
    if wanted in kinds:
        return ""
    return f"the store has {', '.join(kinds)}, and no {wanted}; see {asked_by}= and adjustment="

"""How large a run is."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.market import Market


@dataclass(frozen=True)
class Settings:
    """What every workload is given.

    Attributes
    ----------
    market
        Its files; the size of the main one is set there.
    rounds
        Turns that each contestant takes.
    row_counts
        Sizes of the inputs for the line of time per row.
    peer_instruments
        Instruments that a peer too slow for the whole file is measured on; its time is scaled.
    """

    market: Market
    rounds: int
    row_counts: tuple[int, ...]
    peer_instruments: int

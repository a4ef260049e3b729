"""Write `tests/upgrade/written/VERSION.tar.gz`: every kind of file that this version keeps.

Run it once for a release, from a checkout of it, and commit what it writes: from then on later
versions are tested with it. The candles are simulated.

    python -m tests.upgrade.write_files
"""

from __future__ import annotations

import json
import math
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

import tallow
from tallow.alerts.alert import Alert
from tallow.alerts.record import AlertRecord
from tallow.core.text import printable
from tallow.data.store.receipts import Receipt
from tallow.data.store.store import Store, open_store
from tallow.data.store.write import ReceiptMaker, keeping
from tallow.data.universe_files import read_universe
from tallow.engine import AnalyticsEngine
from tallow.migrate.evidence import Judgement, Observation
from tallow.migrate.rollout.plan import EXAMPLE, read_plan
from tallow.migrate.rollout.rollout import Rollout
from tallow.migrate.shadow import EvidenceStore
from tallow.runtime.live.live_engine import LiveEngine
from tallow.service.keys.key_file import KeyFile

WRITTEN = Path(__file__).parent / "written"
FIRST = datetime(2025, 7, 18, 3, 45, tzinfo=UTC)
MINUTES = 120
INSTRUMENTS = ("A", "B")
TIMEFRAME, INDICATORS = "5m", "ema(9), rsi(14)"
REQUEST, RECEIPT = "a request", Receipt("digest", "answer")
CAUSE, UNIVERSE = "up:A", "both"


def candles(first: int, last: int) -> pl.DataFrame:
    """Return simulated candles of some minutes: a wave each, with volumes that count."""
    rows = []
    for number, instrument in enumerate(INSTRUMENTS):
        for minute in range(first, last):
            close = 100.0 + 10.0 * number + round(math.sin(minute / 7.0 + number), 2)
            rows.append((instrument, FIRST + timedelta(minutes=minute), close - 0.25))
    names = ["instrument", "timestamp", "open"]
    frame = pl.DataFrame(rows, names, orient="row")
    prices = {"high": 0.5, "low": -0.25, "close": 0.25}
    others = [(pl.col("open") + more).alias(name) for name, more in prices.items()]
    return frame.with_columns(*others, volume=pl.int_range(pl.len()).cast(pl.Float64))


def write_store(folder: Path) -> None:
    """Write a store with files, a tail, a revision, a quarantined row, a universe and a receipt."""
    with open_store(folder / "candles", create=True) as store:
        store.write(candles(0, 60), source_timeframe="1m")
        store.flush()
        store.write(candles(60, MINUTES), source_timeframe="1m")
        revised = candles(30, 31).with_columns(volume=pl.lit(9_999.0))
        store.write(revised, source_timeframe="1m")
        wrong = candles(0, 1).with_columns(high=pl.lit(-1.0))
        store.write(wrong, source_timeframe="1m")
        with keeping(ReceiptMaker(REQUEST, RECEIPT.digest, lambda _: RECEIPT.answer)):
            store.write(candles(119, MINUTES), source_timeframe="1m")
        members = pl.DataFrame({"instrument": list(INSTRUMENTS)})
        store.universes.record(read_universe(members, UNIVERSE))
        write_expected(folder, store)
        live = LiveEngine(TIMEFRAME, INDICATORS, store=store)
        live.catch_up()
        live.save(folder / "state", {"at": 7})


def write_expected(folder: Path, store: Store) -> None:
    """Write beside a store what this version reads from it."""
    store.read().write_csv(folder / "candles.csv")
    engine = AnalyticsEngine(store=store)
    bars = engine.query(list(INSTRUMENTS), TIMEFRAME, indicators=INDICATORS)
    bars.frame.write_parquet(folder / "bars.parquet")


def write_rollout(folder: Path) -> None:
    """Write a rollout at its second stage, with evidence."""
    (folder / "rollout.toml").write_text(EXAMPLE)
    plan = read_plan(folder / "rollout.toml")
    rollout = Rollout(plan, "the writer")
    rollout.start()
    rollout.advance("for the test of upgrades")
    judgement = Judgement(compared=10, equal=9, explained=1, unexplained=0, flips=0)
    evidence = EvidenceStore(plan.paths.evidence)
    evidence.add([Observation("new-engine", FIRST, "A", "control", judgement=judgement)])
    evidence.close()


def write_keys(folder: Path) -> None:
    """Write a file of keys, and the token of one."""
    _, token = KeyFile(folder / "keys.json").create("the writer", "read", None)
    (folder / "token.json").write_text(json.dumps(token))


def write_alerts(folder: Path) -> None:
    """Write a record of alerts in which one cause is claimed."""
    record = AlertRecord(folder / "alerts.sqlite")
    alert = Alert(CAUSE, "up", "A", TIMEFRAME, FIRST, FIRST + timedelta(minutes=5), "it rose")
    record.claim([("up", alert)], ["log"], [])
    record.settle(CAUSE, "log", "sent")
    record.close()


def main() -> None:
    """Write the archive of this version."""
    WRITTEN.mkdir(exist_ok=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for write in (write_store, write_rollout, write_keys, write_alerts):
            write(folder)
        with tarfile.open(WRITTEN / f"{tallow.__version__}.tar.gz", "w:gz") as archive:
            archive.add(folder, arcname=".")
    size = (WRITTEN / f"{tallow.__version__}.tar.gz").stat().st_size
    assert size < 200_000, printable(f"{size} bytes")


if __name__ == "__main__":
    main()

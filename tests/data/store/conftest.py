"""Where the tests' stores lie: a folder, a bucket on a server of S3's protocol, a real database."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tallow.data.store import batches, delta, files, flush, log, postgres, rewrite
from tallow.data.store.store import Store, open_store
from tests.data.store.bucket import BUCKET
from tests.data.store.cluster import Cluster, binaries

ROOT = Path(__file__).parents[3]
KINDS = ("folder", "bucket", "database")


class Clock:
    """A clock that stands still until it is set; later each time it is read with `step`."""

    def __init__(self, now: int = 1_760_000_000_000_000, step: int = 0) -> None:
        self.now, self.step = now, step

    def __call__(self) -> int:
        self.now += self.step
        return self.now


@dataclass
class Place:
    """A place for one store, which can be opened as often as one likes.

    Each `machine` has a state of its own; several handles of one machine share theirs.
    """

    location: str
    folder: Path
    options: Mapping[str, str] | None = None
    local: bool = False
    opened: list[Store] = field(default_factory=list)

    def state(self, machine: str = "one") -> Path | None:
        return None if self.local else self.folder / machine

    def open(self, machine: str = "one", clock: Callable[[], int] | None = None) -> Store:
        """Open the store, as it is or new; closed at the test's end."""
        store = open_store(
            self.location,
            create=True,
            state=self.state(machine),
            storage_options=self.options,
            clock=clock or Clock(step=1_000),
        )
        self.opened.append(store)
        return store


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Start a PostgreSQL server; skip where none is installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian's package: postgresql)")
    cluster = Cluster(programs)
    yield cluster
    cluster.remove()


@pytest.fixture
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """Return what makes a place of a kind, without a store in it yet."""
    places: list[Place] = []

    def make(kind: str) -> Place:
        folder = tmp_path / uuid.uuid4().hex
        if kind == "folder":
            place = Place(str(folder), folder, local=True)
        elif kind == "bucket":
            options = request.getfixturevalue("bucket_options")
            place = Place(f"s3://{BUCKET}/{folder.name}", folder, options)
        else:
            place = Place(request.getfixturevalue("cluster").database(), folder)
        places.append(place)
        return place

    yield make
    for store in (store for place in places for store in place.opened):
        store.close()


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, new_place: Callable[[str], Place]) -> Place:
    """Return a place of each kind in turn."""
    return new_place(request.param)


TINY = {
    "STORE_TAIL_BATCH_ROWS": 4,
    "STORE_TAIL_FOLD": 2,
    "STORE_TAIL_FOLD_ROWS": 3,
    "STORE_TAIL_LOOSE": 2,
    "STORE_FLUSH_ROWS": 7,
    "STORE_SMALL_FILES": 3,
    "STORE_FILE_ROWS": 8,
    "STORE_REWRITE_ROWS": 6,
    "STORE_FILTER_INSTRUMENTS": 2,
}


@pytest.fixture
def tiny_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make stores flush, split, merge and rewrite at a handful of rows."""
    for module in (batches, delta, files, flush, log, postgres, rewrite):
        for name in TINY.keys() & vars(module).keys():
            monkeypatch.setattr(module, name, TINY[name])

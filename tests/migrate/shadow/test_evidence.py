"""Goal: what is written is what is read: totals, mismatches, and how many were dropped; by many
writers at once, and after a kill at any moment.

Method: totals are compared with sums over plain lists, percentiles with the definition. A mismatch
is saved, loaded and replayed as a user's test would. Writers are real processes, killed in between.
"""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import random
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from tallow.core.errors import EvidenceError
from tallow.migrate.evidence import Judgement, Observation, Side
from tallow.migrate.shadow import EvidenceStore, load_mismatch, replay
from tallow.migrate.shadow import store as store_module
from tallow.migrate.shadow.mismatch import mismatch_body
from tallow.migrate.shadow.outcome import Outcome
from tallow.migrate.shadow.store import KeptMismatch
from tests.migrate.shadow import sides
from tests.migrate.shadow.conftest import ALWAYS, Running

ROOT = Path(__file__).parents[3]
START = datetime(2025, 7, 18, 3, 45, tzinfo=UTC)


def body(*args: Any, control: Outcome | None, **about: Any) -> bytes:
    """Return a stored mismatch of a call with these arguments."""
    observation = Observation("test", START, "RAYMOND", "control", **about)
    outcomes: dict[Literal["control", "candidate"], Outcome] = {}
    if control is not None:
        outcomes["control"] = control
    return mismatch_body(observation, (args, {"last": 2}), outcomes, {"control": "1"}, "r7")


SIDES: tuple[Side, Side] = ("control", "candidate")


def p99(times: list[float | None]) -> float:
    known = sorted(each for each in times if each is not None)
    assert len(known) >= 100
    return known[math.ceil(0.99 * len(known)) - 1]


def random_observations(count: int, seed: int) -> list[Observation]:
    draw = random.Random(seed)

    def one(place: int) -> Observation:
        judged = draw.random() < 0.5
        a, b, c, d, e = (draw.randrange(9) for _ in range(5))
        causes = {draw.choice("AB"): draw.randrange(1, 5)} if draw.random() < 0.5 else {}
        return Observation(
            experiment="test",
            at=START + timedelta(seconds=place),
            key=draw.choice("XYZ"),
            served=draw.choice(["control", "candidate"]),
            control_ms=draw.choice([None, draw.uniform(1.0, 50.0)]),
            candidate_ms=draw.choice([None, draw.uniform(1.0, 50.0)]),
            aside_ms=draw.choice([None, draw.uniform(1.0, 500.0)]),
            error=draw.choice([None, None, "it failed"]),
            skipped=draw.choice([None, None, "the queue is full"]),
            staleness_seconds=draw.choice([None, draw.uniform(0.0, 9.0)]),
            judgement=Judgement(a, b, c, d, e, causes) if judged else None,
        )

    return [one(place) for place in range(count)]


def test_totals_are_the_sums_of_an_interval(store: EvidenceStore) -> None:
    seen = random_observations(700, seed=4)
    for place in range(0, 700, 70):
        store.add(seen[place : place + 70])
    store.add([Observation("other", START, "", "control", error="not of this experiment")])
    inside = seen[100:600]
    totals = store.totals("test", START + timedelta(seconds=100), START + timedelta(seconds=600))

    judged = [each.judgement for each in inside if each.judgement]
    assert totals.calls == 500
    assert totals.served == sum(each.served == "candidate" for each in inside)
    assert totals.errors == sum(each.error is not None for each in inside)
    assert totals.skipped == sum(each.skipped is not None for each in inside)
    assert totals.tried == sum(
        any((each.candidate_ms is not None, each.error, each.judgement)) for each in inside
    )
    for name in ("compared", "equal", "explained", "unexplained", "flips"):
        assert getattr(totals, name) == sum(getattr(each, name) for each in judged)
    assert totals.causes == sum((Counter(each.causes) for each in judged), Counter())
    asides = {side: [each.aside_ms for each in inside if each.served == side] for side in SIDES}
    assert totals.control_p99_ms == p99([each.control_ms for each in inside])
    assert totals.candidate_p99_ms == p99([each.candidate_ms for each in inside])
    assert totals.control_aside_p99_ms == p99(asides["candidate"])
    assert totals.candidate_aside_p99_ms == p99(asides["control"])
    assert totals.staleness_seconds == max(each.staleness_seconds or 0.0 for each in inside)


@pytest.mark.parametrize(("count", "place"), [(2, 0), (10, 8), (99, 97), (101, 99), (250, 247)])
def test_one_accident_is_no_percentile(store: EvidenceStore, count: int, place: int) -> None:
    times = [float(number) for number in range(count)]
    random.Random(5).shuffle(times)
    seen = [Observation("test", START, "", "control", control_ms=each) for each in times]
    store.add(seen[:1])
    assert store.totals("test", *ALWAYS).control_p99_ms is None
    store.add(seen[1:])
    assert store.totals("test", *ALWAYS).control_p99_ms == float(place)


def test_nothing_observed_is_totals_of_nothing(store: EvidenceStore) -> None:
    totals = store.totals("test", *ALWAYS)
    assert (totals.calls, totals.compared, totals.control_p99_ms) == (0, 0, None)
    assert store.mismatches("test") == []


def test_times_without_a_zone_are_refused(store: EvidenceStore) -> None:
    naive = START.replace(tzinfo=None)
    with pytest.raises(EvidenceError, match="at=2025-07-18T03:45:00; must carry a zone"):
        store.totals("test", naive, START)


def test_the_newest_are_kept_and_the_rest_is_counted(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "EVIDENCE_ROWS", 50)
    monkeypatch.setattr(store_module, "_PRUNE_EVERY", 10)
    monkeypatch.setattr(store_module, "MISMATCHES_KEPT", 3)
    for each in random_observations(120, seed=1):
        store.add([each])
    for number in range(5):
        store.add([], [KeptMismatch("test", body(number, control=None))])
    last = START + timedelta(seconds=70)
    assert store.totals("test", *ALWAYS).calls == 50
    assert store.totals("test", last, ALWAYS[1]).calls == 50
    assert [mismatch.args for mismatch in store.mismatches("test")] == [(4,), (3,), (2,)]
    assert store.dropped("test") == {"observations": 70, "mismatches": 2}


def test_bytes_of_mismatches_are_bounded(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = body(1, control=None)
    monkeypatch.setattr(store_module, "MISMATCHES_BYTES", 2 * len(one) + 20)
    store.add([], [KeptMismatch("test", body(number, control=None)) for number in range(4)])
    assert [mismatch.args for mismatch in store.mismatches("test")] == [(3,), (2,)]


def test_what_is_no_evidence_is_told(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no database at all, but long enough to be taken for one" * 20)
    with pytest.raises(EvidenceError, match=r"notes\.txt; cannot be read or written"):
        EvidenceStore(text)
    with closing(sqlite3.connect(tmp_path / "later")) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(EvidenceError, match="format=9; this version reads 2"):
        EvidenceStore(tmp_path / "later")


def test_a_lock_is_waited_for_and_then_told(store: EvidenceStore) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EvidenceError, match="locked"):
            store.add(random_observations(3, seed=2))
        # Reading goes on.
        assert store.totals("test", *ALWAYS).calls == 0
    store.add(random_observations(3, seed=2))
    assert store.totals("test", *ALWAYS).calls == 3


WRITE = """
import sys
from tallow.migrate.shadow import EvidenceStore
from tests.migrate.shadow.test_evidence import random_observations
store = EvidenceStore(sys.argv[1])
for batch in range(int(sys.argv[2])):
    store.add(random_observations(7, seed=batch))
    print(batch, flush=True)
"""


def start_writer(path: Path, batches: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, path, str(batches)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_many_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "evidence.sqlite"
    writers = [start_writer(path, 10) for _ in range(3)]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert EvidenceStore(path).totals("test", *ALWAYS).calls == 3 * 10 * 7


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(1, 40))]
)
def test_a_kill_leaves_whole_batches(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "evidence.sqlite"
    draw = random.Random(seed)
    said = 0
    for _ in range(2):
        writer = start_writer(path, 100_000)
        assert writer.stdout is not None
        for _ in range(draw.randrange(1, 60)):
            writer.stdout.readline()
            said += 1
        os.kill(writer.pid, signal.SIGKILL)
        said += len(writer.communicate()[0].splitlines())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    calls = EvidenceStore(path).totals("test", *ALWAYS).calls
    # A batch may be written and not yet said, at each kill.
    assert calls % 7 == 0
    assert said <= calls // 7 <= said + 2


@dataclass(frozen=True)
class Request:
    candles: pl.DataFrame
    day: date
    side: Literal["a", "b"] = "a"


class Pair(NamedTuple):
    first: int
    second: str


FRAME = pl.DataFrame(
    {
        "instrument": ["NSE_EQ|INE301A01014"] * 3,
        "timestamp": [START + timedelta(minutes=k) for k in range(3)],
        "close": [1.0, None, math.nan],
    }
)
VALUES: list[Any] = [
    *(None, True, 7, -(1 << 70), 0.1, math.inf, "₹", b"\x00\xff", Decimal("1.50")),
    *(START, START.replace(tzinfo=None), START.date(), timedelta(days=-1, microseconds=5)),
    *([1, [2.0]], (1, ()), {1, 2}, {"a": {2: None}, (1, 2): [3]}),
    *(START.astimezone(ZoneInfo("Asia/Kolkata")), START.time(), np.float32(0.5)),
    *([10**5_000], Pair(1, "b")),
    Request(FRAME, START.date()),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back_without_a_pickle(tmp_path: Path, value: Any) -> None:
    file = tmp_path / "mismatch.zip"
    file.write_bytes(body(value, control=Outcome(value)))
    assert not [name for name in zipfile.ZipFile(file).namelist() if name.endswith("pickle")]
    (back,) = load_mismatch(file).args
    assert type(back) is type(value)
    if isinstance(value, Request):
        assert back.candles.equals(FRAME, null_equal=True)
        assert (back.day, back.side) == (value.day, value.side)
    else:
        assert back == value


def test_frames_and_arrays_come_back_without_a_pickle(tmp_path: Path) -> None:
    file = tmp_path / "mismatch.zip"
    array = np.array([[1.0, np.nan], [-0.0, 3.0]], dtype=np.float32)
    file.write_bytes(body(FRAME, FRAME["close"], array, control=None))
    frame, series, numbers = load_mismatch(file).args
    assert frame.equals(FRAME, null_equal=True)
    assert frame.schema == FRAME.schema
    assert series.equals(FRAME["close"], null_equal=True)
    assert numbers.dtype == array.dtype
    assert numbers.tobytes() == array.tobytes()


def test_frames_of_pandas_come_back_with_their_index(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    index = pandas.DatetimeIndex([START, START + timedelta(minutes=1)], name="at")
    frame = pandas.DataFrame({"close": [1.5, math.nan], "name": ["a", None]}, index=index)
    file = tmp_path / "mismatch.zip"
    file.write_bytes(body(frame, frame["close"], control=None))
    back, series = load_mismatch(file).args
    pandas.testing.assert_frame_equal(back, frame)
    pandas.testing.assert_series_equal(series, frame["close"])


def test_what_fits_no_type_is_kept_as_text_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "mismatch.zip"
    file.write_bytes(body(1 + 2j, control=Outcome(3.0)))
    mismatch = load_mismatch(file)
    assert mismatch.control == Outcome(3.0)
    with pytest.raises(EvidenceError, match=r"type builtins:complex, and kept as text: \(1\+2j\)"):
        _ = mismatch.args


def damaged(page: dict[str, Any], parts: dict[str, bytes], path: Path) -> Path:
    """Write a mismatch with its page and its files changed, as somebody else might."""
    source = body([1.0], control=None)
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        told = json.loads(archive.read("mismatch.json"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mismatch.json", json.dumps(told | page))
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


class Bomb:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


def test_a_pickle_is_never_loaded(tmp_path: Path, store: EvidenceStore) -> None:
    """As older versions wrote them, in a file or in the store, whoever owns it."""
    ran = tmp_path / "ran"
    bomb = pickle.dumps(Bomb(str(ran)))
    tree = ["tuple", [["pickle", "0.pickle"]]]
    path = damaged({"format": 1, "args": tree}, {"0.pickle": bomb}, tmp_path / "old.zip")
    store.add([], [KeptMismatch("test", path.read_bytes())])
    for mismatch in (load_mismatch(path), *store.mismatches("test")):
        with pytest.raises(EvidenceError, match=r"a pickle of an older version.*keep a new one"):
            _ = mismatch.args
    assert not ran.exists()


def test_a_class_of_a_file_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted_module.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)
    tree = ["tuple", [["dataclass", "planted_module:Thing", {}]]]
    path = damaged({"args": tree}, {}, tmp_path / "mismatch.zip")
    with pytest.raises(EvidenceError, match="import planted_module first"):
        _ = load_mismatch(path).args


BROKEN_TREES: list[Any] = [
    ["frame", "0.arrow"],
    ["array", "gone.npy"],
    ["int", "0x"],
    ["enum", "datetime:datetime", "x"],
    ["dataclass", "tests.migrate.shadow.sides:total", {}],
    ["unheard-of", 1],
    ["dict", [[["list", []], 1]]],
    [],
]


@pytest.mark.parametrize("tree", BROKEN_TREES)
def test_a_damaged_value_is_told(tree: Any, tmp_path: Path) -> None:
    path = damaged({"args": ["tuple", [tree]]}, {"0.arrow": b"ARROW1??"}, tmp_path / "m.zip")
    with pytest.raises(EvidenceError, match="mismatch: "):
        _ = load_mismatch(path).args


def test_a_page_nested_without_end_is_told(tmp_path: Path) -> None:
    path = tmp_path / "deep.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mismatch.json", "[" * 100_000 + "]" * 100_000)
    with pytest.raises(EvidenceError, match="is none, or damaged"):
        load_mismatch(path)


def test_an_archive_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallow.migrate.shadow.mismatch.MISMATCH_UNPACKED_BYTES", 10_000)
    path = damaged({}, {"0.npy": bytes(20_000)}, tmp_path / "mismatch.zip")
    with pytest.raises(EvidenceError, match="more than 10,000 bytes unpacked"):
        load_mismatch(path)


def test_a_mismatch_becomes_a_test(running: Running, tmp_path: Path) -> None:
    run = running(sides.total, sides.wrong)
    run([1.0, 2.0])
    (found,) = run.mismatches()
    found.save(tmp_path / "wrong.zip")
    mismatch = load_mismatch(tmp_path / "wrong.zip")
    assert mismatch == found
    assert replay(mismatch, candidate=sides.wrong) == mismatch.judgement
    assert replay(mismatch, candidate=sides.total) == Judgement(compared=1, equal=1)
    assert replay(mismatch, candidate=sides.total, judge=sides.flipped).flips == 1
    with pytest.raises(sides.OldError):
        replay(mismatch, candidate=sides.refuses)


def test_a_control_that_raised_is_replayed_too(tmp_path: Path) -> None:
    file = tmp_path / "mismatch.zip"
    raised = Outcome(None, "builtins.LookupError", "LookupError: ")
    file.write_bytes(body([1.0], control=raised))
    mismatch = load_mismatch(file)

    def refuses(*_args: Any, **_kwargs: Any) -> None:
        raise LookupError

    assert replay(mismatch, candidate=refuses).equal == 1
    assert replay(mismatch, candidate=sides.same).unexplained == 1


def test_a_file_that_is_no_mismatch_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mismatch.zip"
    file.write_text("no archive")
    with pytest.raises(EvidenceError, match=r"mismatch\.zip; is none, or damaged"):
        load_mismatch(file)
    page = {"format": 3}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mismatch.json", json.dumps(page))
    with pytest.raises(EvidenceError, match="format=3; this version reads 1 and 2"):
        load_mismatch(file)
    file.write_bytes(body(1, control=None))
    with pytest.raises(EvidenceError, match="its answer is not there"):
        replay(load_mismatch(file), candidate=sides.same)


def test_only_dataclasses_and_enumerations_are_filled_from_a_file(tmp_path: Path) -> None:
    """A file that names another class gets an error, and no object of it."""
    file = tmp_path / "mismatch.zip"
    file.write_bytes(body(Request(FRAME, START.date()), control=None))
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    own = b"tests.migrate.shadow.test_evidence:Request"
    for other, rule in (
        (b"subprocess:Popen", "must be a dataclass"),
        (b"gone:It", "import gone first"),
        (b"os:It", "is gone"),
    ):
        with zipfile.ZipFile(file, "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, part.replace(own, other))
        with pytest.raises(EvidenceError, match=rule):
            _ = load_mismatch(file).args

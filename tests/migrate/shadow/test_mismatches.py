"""Goal: a mismatch's values come back as they were, and a file brings nothing else.

Method: values of every kind are saved and loaded; files are damaged, and hold what is not theirs. A
mismatch is replayed as a user's test would.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import zipfile
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
from tallow.migrate.evidence import Judgement
from tallow.migrate.shadow import EvidenceStore, load_mismatch, replay
from tallow.migrate.shadow.outcome import CallOutcome
from tests.migrate.shadow import sides
from tests.migrate.shadow.conftest import Running
from tests.migrate.shadow.test_evidence import body

ROOT = Path(__file__).parents[3]
START = datetime(2025, 7, 18, 3, 45, tzinfo=UTC)


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
    file.write_bytes(body(value, control=CallOutcome(value)))
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
    file.write_bytes(body(1 + 2j, control=CallOutcome(3.0)))
    mismatch = load_mismatch(file)
    assert mismatch.control == CallOutcome(3.0)
    with pytest.raises(EvidenceError, match=r"type builtins:complex, and kept as text: \(1\+2j\)"):
        _ = mismatch.args


def damaged(page: dict[str, Any], parts: dict[str, bytes], path: Path) -> Path:
    """Write a mismatch with its page and its files changed, as somebody else might."""
    source = body([1.0], control=None)
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        before = json.loads(archive.read("mismatch.json"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mismatch.json", json.dumps(before | page))
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
    store.add([], [("test", path.read_bytes())])
    for mismatch in (load_mismatch(path), *store.mismatches("test")):
        with pytest.raises(EvidenceError, match=r"a pickle of an older version.*keep a new one"):
            _ = mismatch.args
    assert not ran.exists()


def test_files_name_outcomes_as_the_first_version_did(tmp_path: Path) -> None:
    """A file of an older version is read; one of this version is read by an older one."""
    name = "tallow.migrate.shadow.outcome:Outcome"
    old = ["dataclass", name, {"value": ["float", (3.0).hex()], "raised": None, "error": None}]
    path = damaged({"control": old}, {}, tmp_path / "mismatch.zip")
    assert load_mismatch(path).control == CallOutcome(3.0)
    with zipfile.ZipFile(io.BytesIO(body(1.0, control=CallOutcome(3.0)))) as archive:
        assert json.loads(archive.read("mismatch.json"))["control"] == old


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
def test_a_damaged_value_is_reported(tree: Any, tmp_path: Path) -> None:
    path = damaged({"args": ["tuple", [tree]]}, {"0.arrow": b"ARROW1??"}, tmp_path / "m.zip")
    with pytest.raises(EvidenceError, match="mismatch: "):
        _ = load_mismatch(path).args


def test_a_page_nested_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mismatch.json", "[" * 100_000 + "]" * 100_000)
    with pytest.raises(EvidenceError, match="is not a mismatch file, or damaged"):
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
    raised = CallOutcome(None, "builtins.LookupError", "LookupError: ")
    file.write_bytes(body([1.0], control=raised))
    mismatch = load_mismatch(file)

    def refuses(*_args: Any, **_kwargs: Any) -> None:
        raise LookupError

    assert replay(mismatch, candidate=refuses).equal == 1
    assert replay(mismatch, candidate=sides.same).unexplained == 1


def test_a_file_that_is_no_mismatch_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mismatch.zip"
    file.write_text("no archive")
    with pytest.raises(EvidenceError, match=r"mismatch\.zip; is not a mismatch file, or damaged"):
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
    own = b"tests.migrate.shadow.test_mismatches:Request"
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

"""Goal: a state's file of whatever form is taken, or refused in words that say what to do.

Method: a whole state is taken apart, one thing of it is changed to what nobody saves (a name that
lacks, a value of another kind, an array of another type or size), and it is put together again with
a right checksum, as an older version or another program might have; or its bytes are changed, and
the checksum is made to fit.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tallow import LiveEngine
from tallow.core.errors import StateError
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.state_file import read_state
from tests.frames import market

MAGIC = b"tallow state 3\n"
OPTIONS: dict[str, Any] = {"timeframes": ["5m", "1d"], "indicators": "ema(3), rsi(4)", "keep": 30}
WAITING = [[[0], np.arange(7.0).tobytes().hex(), [True]]]
FAILED = [[{"ema_3": [1]}, [[1, "no memory"]]], [{}, []]]
STORE = {
    "point": ["an epoch", 7],
    "behind": [[0, ["an epoch", 5], False]],
    "unmet": {"C": 6},
    "knows_all": True,
}
OTHERS = [None, True, 5, 2**70, -(2**70), 1.5, "text", "\ud800", [], [7], {}, {"a": 1}]

Path_ = tuple[Any, ...]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """Return a state's file, its header and its arrays, with something in all of them."""
    path = tmp_path_factory.mktemp("state") / "state"
    live = LiveEngine(**OPTIONS)
    candles = market(["A", "B"], rows=40)
    live.update(candles)
    last = candles.select("instrument", pl.col("timestamp").max() + pl.duration(minutes=1)).unique()
    live.update_ticks(last.with_columns(price=10.0, quantity=1.0))
    live.save(path, {"until": 3})
    header, arrays = read_state(path)
    header |= {"waiting": WAITING, "failed": FAILED, "store": STORE}
    assert all(held.size for held in arrays.values())
    return path, header, arrays


def write(path: Path, header: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Write a state's file as another program might."""
    body, text = io.BytesIO(), np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(body, header=text, **arrays)
    path.write_bytes(sealed(body.getvalue()))


def sealed(body: bytes) -> bytes:
    return MAGIC + hashlib.blake2b(body, digest_size=32).digest() + body


def load(path: Path) -> LiveEngine:
    return LiveEngine.load(path, **OPTIONS)


def assert_refused(path: Path) -> None:
    with pytest.raises(StateError, match=r"^state: file=.*; rebuild it$"):
        load(path)


def test_what_is_changed_below_is_a_state(whole):
    path, header, arrays = whole
    write(path, header, arrays)
    assert load(path).feed_position == {"until": 3}


def test_an_engine_without_instruments_is_saved_and_resumed(tmp_path):
    LiveEngine(**OPTIONS).save(tmp_path / "state")
    live = load(tmp_path / "state")
    live.update(market(["A"]))
    assert live.names == ["A"]


def places(value: Any, where: Path_ = ()) -> Iterator[Path_]:
    """Yield where each value of a header lies, outer ones first."""
    if where:
        yield where
    inner: Any = value.items() if isinstance(value, dict) else ()
    for name, each in enumerate(value) if isinstance(value, list) else inner:
        yield from places(each, (*where, name))


def put(value: Any, where: Path_, new: Any) -> Any:
    """Return a copy of a header with another value at a place."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = new
    return copy


@pytest.mark.parametrize("name", ["made_with", "names", "now", "revision", "failed", "waiting"])
def test_a_header_without_a_name_is_refused(whole, name):
    path, header, arrays = whole
    write(path, {key: value for key, value in header.items() if key != name}, arrays)
    assert_refused(path)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_header_with_a_value_of_another_kind_is_refused(whole, data):
    path, header, arrays = whole
    said = {name: value for name, value in header.items() if name != "position"}
    where = data.draw(st.sampled_from(list(places(said))))
    old: Any = said
    for name in where:
        old = old[name]
    new = data.draw(st.sampled_from(OTHERS))
    # Another number or text of its kind may be right, as may be nothing of what there may be none.
    assume(type(new) is not type(old) or new in (2**70, -(2**70), "\ud800", [7]))
    assume(not (where == ("store",) and new is None))
    # To Python, True is 1, as is to whoever compares versions.
    assume(not (where[0] == "made_with" and new == old))
    write(path, put(header, where, new), arrays)
    assert_refused(path)


@pytest.mark.parametrize(
    ("where", "new"),
    [
        (("names",), ["A", "A"]),
        (("names",), ["A", ""]),
        (("names",), ["A", "B", "C"]),
        (("waiting", 0, 0), [2]),
        (("waiting", 0, 1), "00" * 55),
        (("waiting", 0, 2), [True, False]),
        (("failed", 0, 0), {"another": [0]}),
        (("failed", 0, 1), [[-1, "text"]]),
        (("failed",), FAILED[:1]),
        (("store", "behind", 0, 0), 2),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(whole, where, new):
    path, header, arrays = whole
    write(path, put(header, where, new), arrays)
    assert_refused(path)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "shorter": lambda held: held[:-1],
    "longer": lambda held: np.concatenate([held, held[:1]]),
    "narrower": lambda held: held[..., :-1],
    "within another": lambda held: held[None],
    "flat": lambda held: held.ravel()[:1].reshape(()),
    "of texts": lambda held: held.astype("U8"),
    "of other numbers": lambda held: held.astype(np.float32),
    "of big ends": lambda held: held.astype(held.dtype.newbyteorder(">")).astype(">c16"),
}


def test_arrays_of_other_forms_are_refused(whole):
    path, header, arrays = whole
    for name, held in arrays.items():
        for change in CHANGES.values():
            write(path, header, arrays | {name: change(held)})
            assert_refused(path)
        write(path, header, {other: arrays[other] for other in arrays if other != name})
        assert_refused(path)
    write(path, header, arrays | {"memory/states/99": np.zeros(3)})
    assert_refused(path)


@pytest.mark.parametrize("name", ["memory/first", "memory/next", "ticks/spans", "ticks/clock"])
@pytest.mark.parametrize("number", [-1, 2**62, -(2**63), 2**63 - 1, 10**9])
def test_places_outside_of_what_is_held_are_refused(whole, name, number):
    path, header, arrays = whole
    for place in range(min(arrays[name].size, 4)):
        changed = arrays[name].copy()
        changed.ravel()[place] = number
        write(path, header, arrays | {name: changed})
        assert_refused(path)


def test_an_array_that_says_to_be_huge_is_refused(whole):
    path, header, arrays = whole
    write(path, header, arrays)
    source = zipfile.ZipFile(io.BytesIO(path.read_bytes()[len(MAGIC) + 32 :]))
    for name in source.namelist():
        for shape in ((10**13,), (2**62, 2**62), (-1,)):
            target = io.BytesIO()
            with zipfile.ZipFile(target, "w") as made:
                for each in source.namelist():
                    body = source.read(each)
                    made.writestr(each, huge(shape) + body[-64:] if each == name else body)
            path.write_bytes(sealed(target.getvalue()))
            assert_refused(path)


def huge(shape: tuple[int, ...]) -> bytes:
    said = io.BytesIO()
    array = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(said, array)
    return said.getvalue()


@pytest.mark.parametrize(
    "body", [b"", b"PK", b"no archive", b"\x00" * 4096, b'{"made_with": {}}', MAGIC]
)
def test_a_body_of_something_else_is_refused(whole, body):
    whole[0].write_bytes(sealed(body))
    assert_refused(whole[0])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_changed_bytes_are_refused_or_are_another_state(whole, data):
    path, header, arrays = whole
    write(path, header, arrays)
    body = bytearray(path.read_bytes()[len(MAGIC) + 32 :])
    # Names, lengths and places of an archive's members are at its end, and before each of them.
    ends = st.integers(len(body) - 60 * len(arrays), len(body) - 1)
    for place in data.draw(st.lists(ends | st.integers(0, len(body) - 1), min_size=1, max_size=3)):
        body[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.just(len(body)) | st.integers(0, len(body)))
    path.write_bytes(sealed(bytes(body[:cut])))
    try:
        load(path)
    except StateError as error:
        assert str(error).endswith("rebuild it")  # noqa: PT017 - others are not to come


@pytest.mark.parametrize("position", [{}, {"until": 3}, {"until": "x", "rows": 1, "digest": 2}, []])
def test_a_replay_after_another_feed_begins_with_the_first_candle(position):
    feed = ReplayFeed(market(["A"], rows=3))
    said = feed.go_on(position)
    assert said is not None
    assert "it begins with the first candle" in said
    first = feed.receive(0.0)
    assert first is not None
    assert first.frame["timestamp"].min() == market(["A"], rows=3)["timestamp"].min()

"""Goal: whatever text stands where a user may write one, the answer is a message and a code.

Method: every option that takes text gets every hostile text: names that no file can have, numbers
without end, times at the ends of the calendar, brackets without end, control characters. The code
is one of those that the help names, the message has no traceback and steers no terminal. Functions
below the command line are asked the same, and raise errors of Tallow's own or none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tallow.core.calendars import load_calendar
from tallow.core.errors import TallowError
from tallow.core.given import file_path, name_text
from tallow.core.limits import TEXT_CHARACTERS_MAX
from tallow.core.spec import parse_specs
from tallow.core.timeframe import parse_timeframe
from tallow.data.feeds.open import open_feed
from tallow.data.providers.content import open_content
from tallow.data.providers.facts import name_statements
from tallow.data.reading.readers import read_candles
from tallow.data.reading.zones import require_timezone
from tallow.data.store.store import open_store
from tallow.data.writers import check_output
from tallow.migrate.engines.registry import load_engine
from tallow.migrate.flags.flag import parse_flags
from tallow.migrate.rollout.plan import read_plan
from tallow.migrate.shadow import EvidenceStore, load_mismatch
from tallow.runtime.ranges import Range, moment_us
from tests.serve.calling import ingested, tallow

HOSTILE = [
    *("a\0b", "\ud800", "x" * 5_000, "~nobody_is_called_so/y", "9" * 5_000, "1e400", "-1", "nan"),
    *("9999-12-31", "0001-01-01", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"),
    *("(" * 50_000, "[" * 50_000, "ema" + " " * 50_000 + "!", "ema(" + "9" * 50_000 + ")"),
    *("999999999999m", "99999d", "", "  ", "a\x1b[31m\x07", "\u202ecba", "a" * 100_000),
    *("redis://:s3cret@\0", "ws://me:s3cret@x:99999999/", "http://me:s3cret@[::1", "://"),
]

FEW = ["a\0b", "\ud800", "x" * 300, "9" * 5_000, "0001-01-01T00:00+14:00", "99999d", HOSTILE[-2]]
"""Those that are tried on the command line, too."""

PARSERS: dict[str, Callable[[str], Any]] = {
    "specs": parse_specs,
    "timeframe": parse_timeframe,
    "calendar": load_calendar,
    "calendar dates": lambda text: load_calendar("XNSE", calendar_dates=text),
    "range": lambda text: Range.of(text, None, [text]),
    "moment": lambda text: moment_us("known_at", text),
    "timezone": require_timezone,
    "output": check_output,
    "candles": read_candles,
    "document": open_content,
    "pattern": lambda text: name_statements(open_content(__file__), text),
    "store": open_store,
    "feed": lambda text: open_feed(text).close(),
    "replay": lambda text: open_feed(f"replay:{text}").close(),
    "engine": load_engine,
    "flags": lambda text: parse_flags(text.encode("utf-8", "replace"), "flags.toml"),
    "flags in JSON": lambda text: parse_flags(text.encode("utf-8", "replace"), "flags.json"),
    "plan": lambda text: read_plan(Path(text)),
    "mismatch": load_mismatch,
    "evidence": lambda text: EvidenceStore(f"/proc/{text}"),
    "name": lambda text: name_text("name", text, TallowError),
    "file": lambda text: file_path("file", text, TallowError),
}


@pytest.mark.parametrize("parser", PARSERS)
def test_any_text_is_read_or_refused_in_words(
    parser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in HOSTILE:
        try:
            PARSERS[parser](text)
        except TallowError as error:
            told = str(error)
            assert told.replace("\n", "").replace("\t", "").isprintable(), text[:20]
            assert len(told) < 10_000, text[:20]
            assert "s3cret" not in told


def test_texts_are_read_in_linear_time() -> None:
    """The longest texts that are taken, each of a kind that once took cubic or quadratic time."""
    length = TEXT_CHARACTERS_MAX
    began = time.process_time()
    for text in ("ema" + " " * (length - 4) + "!", "(" * length, "ema(" * (length // 4)):
        with pytest.raises(TallowError, match="must read like"):
            parse_specs(text)
    with pytest.raises(TallowError, match=f"at most {length:,}"):
        parse_specs("e" * (length + 1))
    # Cubic time would be an hour.
    assert time.process_time() - began < 10


def test_a_pattern_of_a_user_takes_linear_time(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 200 + ".csv")
    path.write_text("x\n1\n")
    with pytest.raises(TallowError, match="must fit the whole name"):
        name_statements(open_content(path), r"(?P<instrument>(a+)+)!")
    with pytest.raises(TallowError, match="without look-around"):
        name_statements(open_content(path), r"(?P<instrument>a)(?=b).*")


NESTED = {
    "dates": ("[" * 20_000, lambda path: load_calendar("XNSE", calendar_dates=path)),
    "a date that is none": ("a = 2025-02-31", lambda p: load_calendar("XNSE", calendar_dates=p)),
    "a number without end": (
        "a = " + "9" * 9_999,
        lambda p: load_calendar("XNSE", calendar_dates=p),
    ),
    "a plan": ("a = " + "[" * 20_000, read_plan),
    "a plan's number": (f"experiment = 'a'\nflags = 'f'\ncalls = {'9' * 400}", read_plan),
    "a plan's gate": (f"experiment='a'\nflags='f'\ngates.errors = {'9' * 400}", read_plan),
    "a plan's file": ("experiment = 'a'\nflags = \"f\\u0000\"", read_plan),
}


@pytest.mark.parametrize("name", NESTED)
def test_files_nested_without_end_are_told(name: str, tmp_path: Path) -> None:
    text, read = NESTED[name]
    path = tmp_path / "file.toml"
    path.write_text(text)
    with pytest.raises(TallowError):
        read(path)


def commands(folder: Path, store: Path, text: str) -> Iterator[list[object]]:
    """Yield command lines in which a text stands where a user writes one."""
    for option in ("--start", "--end", "--longest", "--calendar-dates"):
        yield ["store", "coverage", "--missing", "--store", store, option, text]
    for option in ("--known-at", "--indicators", "--timeframe"):
        yield ["query", "A", "--store", store, "-i", "", option, text]
    yield ["query", text, "--store", store, "-i", ""]
    yield ["store", "stats", "--store", text]
    yield ["store", "prune", "--store", store, "--yes", "--before", text]
    yield ["store", "quarantine", "--store", store, "--export", text]
    yield ["rollout", "status", text]
    yield ["ingest", text, "--store", folder / "other"]


def test_no_text_is_answered_by_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ingested(tmp_path)
    monkeypatch.chdir(tmp_path)
    for text in FEW:
        for command in commands(tmp_path, store, text):
            result = tallow(*command)
            shown = " ".join(str(word)[:30] for word in command)
            assert result.exception is None or isinstance(result.exception, SystemExit), shown
            assert result.exit_code in (0, 1, 2), shown
            assert "s3cret" not in result.output, shown
            assert not set(result.output) & set("\x1b\x07\u202e"), shown

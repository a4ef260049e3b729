"""Goal: `tallow live` puts a feed into the store, shows the universe as it goes, and ends well.

Method: processes of their own replay candles, read a WebSocket server and hear signals, one of them
in a terminal; what the store and the state's file hold then is compared with what was sent. The
screen is drawn for terminals of several sizes, of candles whose numbers are worked out by hand.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from tallow import LiveEngine, load_calendar, open_store
from tallow.core.errors import StoreError
from tallow.core.time import to_us
from tallow.data.feeds.health import Rejection
from tallow.data.feeds.replay import ReplayFeed
from tallow.runtime.live.session import LiveSession
from tallow.runtime.live.tally import Correction, LiveStatistics, Refusal
from tallow.serve import live as module
from tallow.serve.live import asked_to_stop
from tallow.serve.live_view import LiveView, market
from tests.data.feeds.conftest import message
from tests.data.feeds.server import ScriptedServer
from tests.frames import MINUTE, assert_same_frame, candles, minutes, moment
from tests.frames import market as some_market
from tests.serve.calling import tallow

PATIENCE_SECONDS = 120
SPEC = ("--indicators", "ema(2)", "-t", "5m")
FRAME = some_market(["A", "B", "C"], "2025-06-02T09:15+05:30", rows=40)


def in_a_process(*arguments: object) -> Any:
    """Run the verb; return what it prints as JSON."""
    command = [sys.executable, "-m", "tallow", "live", *map(str, arguments), *SPEC, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def stored(store: Path) -> pl.DataFrame:
    with open_store(store) as opened:
        return opened.read().select(FRAME.columns)


def test_a_replay_fills_the_store_and_the_state_s_file_resumes(tmp_path: Path) -> None:
    store, state = tmp_path / "store", tmp_path / "live.state"
    noon = moment("2025-06-02T09:33+05:30")
    parts = [FRAME.filter(pl.col("timestamp") < noon), FRAME.filter(pl.col("timestamp") >= noon)]
    for number, part in enumerate(parts):
        file = tmp_path / f"{number}.parquet"
        part.write_parquet(file)
        where = ("--store", store, "--feed", f"replay:{file}", "--speed", "0", "--state", state)
        report = in_a_process(*where)
        counts = (report["rows_in"], report["appended"], report["repeated"], report["corrected"])
        assert counts == (len(part), len(part), 0, 0)
    assert stored(store).equals(FRAME)
    resumed = LiveEngine.load(state, ["5m", "1d"], "ema(2)", store=store)
    fresh = LiveEngine(["5m", "1d"], "ema(2)", store=store)
    fresh.catch_up()
    fresh.advance(to_us(max(FRAME["timestamp"]) + MINUTE + timedelta(seconds=2)))
    shown = [each.latest("5m").drop("revision") for each in (resumed, fresh)]
    assert len(shown[0]) == 3
    assert_same_frame(*shown)


def test_a_replay_that_ctrl_c_ended_goes_on_and_says_when_it_is_finished(tmp_path: Path) -> None:
    file, store, state = (tmp_path / name for name in ("day.parquet", "store", "live.state"))
    FRAME.write_parquet(file)
    where = ("--store", store, "--feed", f"replay:{file}", "--state", state)
    command = [sys.executable, "-m", "tallow", "live", *map(str, where), *SPEC, "--json"]
    # Forty minutes in two: there is time for a signal.
    slow = [*command, "--speed", "20"]
    with subprocess.Popen(slow, stdout=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + PATIENCE_SECONDS
        while not has_rows(store, 6):
            assert time.monotonic() < until, "the candles do not come"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        first = json.loads(process.communicate(timeout=PATIENCE_SECONDS)[0])
    assert 6 <= first["appended"] == first["rows_in"] < len(FRAME)
    assert first["appended"] == len(stored(store))
    told = []
    for rest in (len(FRAME) - first["rows_in"], 0):
        again = [*command, "--speed", "0"]
        done = subprocess.run(again, capture_output=True, text=True, check=False)
        report = json.loads(done.stdout)
        assert (report["rows_in"], report["appended"], report["repeated"]) == (rest, rest, 0)
        told.append(done.stderr)
    assert ": goes on after 2025-06-02T" in told[0]
    assert ": was replayed to its end, 2025-06-02T04:24:00+00:00, and has nothing new" in told[1]
    assert stored(store).equals(FRAME)


@contextmanager
def in_a_terminal(*arguments: object) -> Iterator[tuple[subprocess.Popen[bytes], list[bytes]]]:
    """Run the verb in a terminal; give the process, and what it has written when it is over."""
    outer, inner = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    command = [sys.executable, "-m", "tallow", "live", *map(str, arguments), *SPEC]
    written: list[bytes] = []
    with subprocess.Popen(command, stdout=inner, stderr=inner, env=environment) as process:
        os.close(inner)
        # A terminal that nobody reads stops who writes to it.
        reader = Thread(target=lambda: written.extend(iter(lambda: _read(outer), b"")))
        reader.start()
        yield process, written
        process.wait(PATIENCE_SECONDS)
        reader.join()
    os.close(outer)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:
        # So Linux ends a terminal to which nobody writes any more.
        return b""


def test_a_server_s_candles_are_in_the_store_when_ctrl_c_ends_the_session(tmp_path: Path) -> None:
    store = tmp_path / "store"
    rows = list(FRAME.sort("timestamp").iter_rows(named=True))
    late = rows.pop(5)
    changed = rows[0] | {"volume": 1.0}
    sent = [*rows[:60], late, changed, *rows[60:]]
    expected = FRAME.with_columns(
        volume=pl.when(
            (pl.col("instrument") == changed["instrument"])
            & (pl.col("timestamp") == changed["timestamp"])
        )
        .then(1.0)
        .otherwise("volume")
    )
    script = ['{"hello": "you"}', *map(message, sent), "no candle"]
    with (
        ScriptedServer(script) as server,
        in_a_terminal("--store", store, "--feed", server.url) as (process, written),
    ):
        until = time.monotonic() + PATIENCE_SECONDS
        while not has_rows(store, len(FRAME) + 1):
            assert time.monotonic() < until, "the candles do not come"
            assert process.poll() is None, b"".join(written)
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
    text = b"".join(written).decode()
    assert process.returncode == 0, text
    assert stored(store).equals(expected)
    # The screen went, and the report stays.
    screen, report = text.rsplit("\x1b[?1049l", 1)
    assert "\x1b[?1049h" in screen
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", report)
    counts = {name: int(count) for count, name in re.findall(r" (\d+) +([a-z ]+?)  ", plain)}
    # One message is no candle.
    assert (counts["rows in"], counts["quarantined"]) == (len(FRAME) + 2, 1)
    # A row that came together with later ones of its instrument is in order.
    assert counts["appended"] + counts["corrected"] == len(FRAME) + 1
    assert counts["corrected"] >= 1
    assert "no candle" in plain
    assert f"tallow query A --store {store} -t 5m" in plain


def has_rows(store: Path, count: int) -> bool:
    """Say whether so many revisions are there."""
    try:
        with open_store(store) as opened:
            return opened.stats().rows >= count
    except StoreError:
        return False


def test_a_second_signal_ends_at_once_and_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with asked_to_stop() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.fixture
def replay(tmp_path: Path) -> tuple[object, ...]:
    """Return what replays two candles, one of them on a day that no calendar knows."""
    file = tmp_path / "candles.parquet"
    days = [moment("2025-06-02T09:15+05:30"), moment("2035-06-01T09:15+05:30")]
    candles("A", days).write_parquet(file)
    return ("--feed", f"replay:{file}", "--store", tmp_path / "store", "--speed", "0", *SPEC)


def test_an_instrument_without_values_is_named_and_exits_with_1(
    replay: tuple[object, ...], tmp_path: Path
) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        store.write(candles("B", [moment("1999-06-01T09:15+05:30")]), source_timeframe="1m")
    result = tallow("live", *replay)
    assert result.exit_code == 1
    assert re.search(r"^B +all stored candles lie on days", result.stdout, re.MULTILINE)
    assert result.stderr.startswith("failed: ")
    assert list(json.loads(tallow("live", *replay, "--json").stdout)["failures"]) == ["B"]


def test_a_second_ctrl_c_says_what_is_there(
    replay: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LiveSession, "run", interrupted)
    result = tallow("live", *replay)
    assert result.exit_code == 130
    assert result.stderr.startswith("cancelled; what was acknowledged to the feed is in ")


def test_without_a_terminal_lines_and_a_report_tell_what_was_set_aside(
    replay: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PLAIN_SECONDS", 0.0)
    result = tallow("live", *replay)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("2025-06-02 09:16:00  connected  1 row, ")
    assert "1 quarantined" in lines[1]
    assert re.search(r"^ +1 +appended ", result.stdout, re.MULTILINE)
    assert re.search(r"^not_covered +1 .*--calendar-dates", result.stdout, re.MULTILINE)


def test_strict_exits_with_1_when_a_row_is_quarantined(replay: tuple[object, ...]) -> None:
    result = tallow("live", *replay, "--strict", "--json")
    assert (result.exit_code, json.loads(result.stdout)["by_rule"]) == (1, {"not_covered": 1})
    assert "quarantined: 1 row" in result.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--feed", "nonsense"], "must be one of replay:PATH"),
        (["--feed", "replay:nowhere.parquet"], "nowhere.parquet"),
        (["--speed", "-1"], "--speed -1"),
        (["--keep", "0"], "--keep 0"),
        (["--grace", "-1"], "--grace -1"),
        (["--feed", "ws://localhost:1", "--speed", "2"], "no option of it"),
        (["--indicators", "emma(9)"], "did you mean ema"),
        (["--timeframe", "7x"], "7x"),
        (["--calendar", "XNSX"], "XNS"),
    ],
)
def test_wrong_calls_say_what_to_change_and_make_no_store(
    replay: tuple[object, ...], tmp_path: Path, more: list[str], words: str
) -> None:
    result = tallow("live", *replay, *more)
    assert (result.exit_code, words in result.stderr) == (2, True), result.stderr
    assert "Try 'tallow live --help'" in result.stderr
    assert not (tmp_path / "store").exists()


def test_a_state_of_other_options_is_told_and_rebuilt_from_the_store(
    replay: tuple[object, ...], tmp_path: Path
) -> None:
    state = ("--state", tmp_path / "live.state")
    assert tallow("live", *replay, *state).exit_code == 0
    again = tallow("live", *replay, *state, "--grace", "5")
    assert again.exit_code == 0
    assert "Warning: state: " in again.stderr
    assert "grace" in again.stderr


# The screen


def played(names: list[str], size: str = "5m") -> tuple[LiveView, LiveStatistics]:
    """Replay seven minutes of each instrument, flat but for the last, which is higher each time."""
    frames = []
    for place, name in enumerate(names):
        frame = candles(name, minutes("2025-06-02T09:15+05:30", 7), volume=100.0)
        flat = frame.with_columns(pl.lit(100.0).alias(price) for price in ("open", "low"))
        last = pl.when(pl.col("timestamp") == frame["timestamp"][-1]).then(150.0 + 10 * place)
        frames.append(flat.with_columns(last.otherwise(100.0).alias(p) for p in ("high", "close")))
    engine = LiveEngine(list(dict.fromkeys([size, "1d"])), "ema(1), sma(2), rsi(14)")
    session = LiveSession(engine, ReplayFeed(pl.concat(frames)))
    for _ in range(7):
        session.step(0.0)
    view = LiveView(engine, size, feed="replay:x", store="s", instruments=None, is_replay=True)
    return view, session.statistics


def drawn(view: LiveView, statistics: LiveStatistics, width: int, height: int) -> list[str]:
    """Return the lines of the screen."""
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as captured:
        console.print(view.render(statistics, console))
    return captured.get().splitlines()


def test_the_screen_shows_what_moved_most_first_and_counts_the_rest() -> None:
    names = [f"NSE_EQ|NAME{number:02}" for number in range(40)]
    lines = drawn(*played(names), 100, 24)
    assert len(lines) <= 24
    table = [line.split() for line in lines if line.startswith("NAME")]
    # The fortieth rose from 100 to 540 in the second bar's second minute.
    assert table[0][:5] == ["NAME39", "09:20*", "540.00", "+440.00%", "700"]
    assert [row[0] for row in table[:3]] == ["NAME39", "NAME38", "NAME37"]
    headings = next(" ".join(line.split()) for line in lines if line.startswith("instrument"))
    assert headings == "instrument bar close change volume rsi_14 ema_1 sma_2 age"
    # sma(2) of the closes of both bars, 100 and 540; rsi(14) has not begun.
    assert table[0][5:] == ["-", "540.00", "320.00", "0s"]
    assert lines[-1].startswith(f"and {40 - len(table)} more;")
    assert "280 rows in" in lines[2]


@pytest.mark.parametrize(("width", "height"), [(40, 10), (80, 24), (80, 60), (120, 36)])
def test_the_screen_fits_the_terminal(width: int, height: int) -> None:
    lines = drawn(*played([f"N{number}" for number in range(50)]), width, height)
    assert max(map(len, lines)) <= width
    assert len(lines) <= height
    rows = [line for line in lines if re.match(r"N\d", line)]
    assert min(50, height - 9) <= len(rows) <= 50


def test_an_instrument_s_name_cannot_write_on_the_terminal() -> None:
    assert "\x1b" not in "".join(drawn(*played(["A\x1b[2JB", "C"]), 100, 24))


def test_the_screen_tells_what_is_wrong() -> None:
    view, calm = played(["A"], "1d")
    time = moment("2025-06-02T09:17+05:30")
    statistics = replace(
        calm,
        corrections=(Correction("A", time, 1), Correction("B", time, 4)),
        refusals=(Refusal("C", time, "high_below_low"), Refusal(None, None, "keep=0; no")),
        error="store: no room",
        lagging=(("A", 600.0),),
        saved_at=to_us(moment("2025-06-02T09:20:05+05:30")),
        from_store=3,
        health=replace(
            calm.health,
            connected=False,
            reconnects=7,
            lag_seconds=90.0,
            quarantined=1,
            rejections=(Rejection("rub\x1bish", "no JSON"),),
        ),
    )
    lines = drawn(view, statistics, 150, 30)
    head, text = " ".join(lines[:4]), "\n".join(lines)
    for words in ("ended", "lag 2m", "A 10m behind", "saved 09:20:05", "store: no room"):
        assert words in head
    for words in ("7 reconnects", "1 not understood", "3 from the store"):
        assert words in head
    assert "corrected   06-02 09:17 A  1 bar changed" in text
    assert "corrected   06-02 09:17 B  4 bars changed" in text
    assert "quarantined 06-02 09:17 C  high_below_low" in text
    assert "quarantined a batch  --keep 0; no" in text
    assert r"unread      no JSON  rub\x1bish" in text
    assert "2025-06-02*" in text


@pytest.mark.parametrize(
    ("calendar", "time", "words"),
    [
        ("XNSE", "2025-06-02T09:15+05:30", "XNSE open until 15:30"),
        ("XNSE", "2025-06-02T15:30+05:30", "XNSE closed, opens Tue 09:15"),
        ("XNSE", "2025-06-02T09:14+05:30", "XNSE closed, opens Mon 09:15"),
        ("XNSE", "2050-06-02T09:14+05:30", "XNSE closed, as far as is known"),
        ("24/7", "2025-06-02T09:14+05:30", "24/7 open"),
    ],
)
def test_the_head_says_whether_the_venue_trades(calendar: str, time: str, words: str) -> None:
    now = to_us(datetime.fromisoformat(time))
    assert market(load_calendar(calendar), now).plain == words

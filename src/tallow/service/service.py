"""A service: the store, the live engine, the thread that drives the feed, and who may ask them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from tallow.data.feeds.feed import Feed
from tallow.data.feeds.idle import IdleFeed
from tallow.data.feeds.open import open_session_feed
from tallow.data.store.store import Store, open_store
from tallow.engine import AnalyticsEngine
from tallow.plan.plan import make_plan
from tallow.runtime.live.live_engine import LiveEngine
from tallow.runtime.live.session import LiveSession
from tallow.service.alerting import Alerting, Judgements
from tallow.service.compat.board import Board
from tallow.service.errors import BusyError
from tallow.service.limits import READS_MAX, READS_WAITING_MAX, STREAM_STOP_SECONDS
from tallow.service.logs import log_event
from tallow.service.measured_engine import MeasuredEngine
from tallow.service.measures import Measures
from tallow.service.rollout_access import RolloutAccess
from tallow.service.rollout_watch import RolloutWatch
from tallow.service.settings import ServiceSettings, feed_options
from tallow.service.stream.answering import Answering
from tallow.service.stream.hub import Hub
from tallow.service.stream.live_bars import LiveBars
from tallow.service.stream.screens import Screens
from tallow.service.watch import FeedWatch
from tallow.service.workers import EngineOptions, WorkerPool
from tallow.service.writes.writing import Writes

T = TypeVar("T")


class Service:
    """What the routes share. Open it as a context; leaving it drains, saves and closes.

    Parameters
    ----------
    settings
        See `tallow.service.settings.read_settings`.

    Attributes
    ----------
    store
        Durable candles; every write to `live` goes there first.
    live
        Takes candles from any thread: `update`, `delete`, `advance`.
    engine
        Answers questions of the store, with the same calendar and convention.
    judgements
        Its rules of alerts, and saved screens.
    hub
        Tells clients of the stream what changes.
    answering
        Answers what these ask for.
    measures
        What is counted and timed, for the metrics.
    watch
        What is known of the feed.
    alerting
        Who is told of alerts, and what of.
    rollout, rollout_access
        What is known of a rollout, for the metrics; who reads and leads it.
    board
        The dashboard of the old API; None where that is not answered.
    is_stopping
        Whether the service was asked to end.
    writes
        The writes of clients: bounded, each key done once.
    """

    store: Store
    live: LiveEngine
    engine: AnalyticsEngine

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.judgements = Judgements.of(settings)
        self.store = open_store(settings.store, create=True)
        calendar, convention = settings.calendar, settings.convention
        self.engine = AnalyticsEngine(store=self.store, calendar=calendar, convention=convention)
        self.measures = Measures()
        self.rollout = RolloutWatch(settings.rollout)
        self.rollout_access = RolloutAccess(settings.rollout)
        self.is_stopping = False
        self.live = self._live_engine()
        self.board: Board | None = None
        if settings.compat is not None:
            self.board = Board(self.store, self.engine, self.live, settings.compat_universe)
        self.writes = Writes(self.store)
        self._workers = WorkerPool(EngineOptions(str(settings.store), calendar, convention))
        plan = make_plan(self.judgements.indicators, convention)
        bars = LiveBars(self.live, plan, self.read, self.store.universes.read)
        saved = self.judgements.saved
        screens = Screens(tuple(saved), partial(bars.screened, saved))
        rules = tuple(each.name for each in self.judgements.rules)
        self.hub = Hub(bars, self.measures, screens, rules)
        self.answering = Answering(self.hub, bars)
        self.live.listen(self.hub.take)
        self._readers = ThreadPoolExecutor(READS_MAX, thread_name_prefix="read")
        self._reads = 0
        self._stop = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        feed = self._stack.enter_context(self._open_feed())
        session = self._session(feed)
        self.alerting = Alerting(self, self.hub.take_alerts)
        self._stack.callback(self.alerting.close)
        if self.board is not None:
            self._stack.enter_context(self.board)
        self.watch = FeedWatch(session, self.measures)
        self._driver = threading.Thread(target=self._drive, args=(session, feed), name="feed")
        self._driver.start()
        self.alerting.start()
        self._stack.callback(self._driver.join)
        self._stack.callback(self._stop.set)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.is_stopping = True
        self.writes.close()
        self.rollout_access.close()
        self._stack.close()
        self._readers.shutdown()
        self._workers.close()
        self.store.close()

    async def stop(self) -> None:
        """Take what the feed had sent, save the state, and tell clients of the stream the rest."""
        self.is_stopping = True
        self._stop.set()
        await asyncio.to_thread(self._driver.join)
        await self.hub.stop(STREAM_STOP_SECONDS)

    @property
    def is_driven(self) -> bool:
        """Whether the thread that drives the feed runs."""
        return self._driver.is_alive()

    async def read(self, work: Callable[[], T]) -> T:
        """Do a read in one of the readers' threads, beside the loop.

        Raises
        ------
        BusyError
            If too many wait already.
        """
        if self._reads >= READS_MAX + READS_WAITING_MAX:
            raise BusyError(f"read: {self._reads} reads wait or run; ask again in a second")
        self._reads += 1
        try:
            with self.measures.timed("processing/read"):
                return await asyncio.get_running_loop().run_in_executor(self._readers, work)
        finally:
            self._reads -= 1

    async def compute(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what `function(engine, *arguments)` returns in a worker process.

        For what takes long: ranges of months, screens of the store, comparisons.

        Parameters
        ----------
        function
            One of a module, by its name; `engine` is an `AnalyticsEngine` over the service's store,
            which each worker opens once. It should change nothing: where its worker dies, it is
            asked again.
        arguments
            What can be pickled, as what is returned: bytes, or frames.

        Raises
        ------
        BusyError
            If too many wait already, or the worker died twice.
        """
        with self.measures.timed("processing/compute"):
            return await self._workers.compute(function, *arguments)

    def _session(self, feed: Feed) -> LiveSession:
        state, wanted = self.settings.state, self.settings.instruments
        return LiveSession(self.live, feed, store=self.store, state=state, instruments=wanted)

    def _drive(self, session: LiveSession, feed: Feed) -> None:
        """Drive the feed until the service ends; where a replay is over, go on as without one."""
        try:
            session.run(self._stop, self.watch.on_step)
            if not self._stop.is_set():
                idle = self._session(IdleFeed(feed.position()))
                # Its first step sets the engine's clock, which was the replay's.
                idle.run(self._stop, self.watch.on_step_after_end)
        except Exception:  # noqa: BLE001 - nobody waits for this thread: the log says it
            self.measures.count("errors/feed")
            log_event("error", kind="feed", exc_info=True)
        finally:
            if not self.watch.is_over:
                self.watch.look()
                log_event("feed", kind="ended")

    def _live_engine(self) -> LiveEngine:
        """Return the engine as the state's file has it, or with the past that is in the store."""
        settings, state = self.settings, self.settings.state
        what = (self.judgements.timeframes, self.judgements.indicators)
        options: dict[str, Any] = {"measures": self.measures, "store": self.store}
        options |= {"calendar": settings.calendar, "convention": settings.convention}
        if state is not None and state.exists():
            return MeasuredEngine.load(state, *what, **options)
        live = MeasuredEngine(*what, **options)
        live.catch_up(settings.instruments)
        return live

    def _open_feed(self) -> Feed:
        settings = self.settings
        if settings.feed is None:
            return IdleFeed()
        return open_session_feed(settings.feed, feed_options(settings), self.live.calendars)

"""A feed by its text, as the command line takes it."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import FeedError, ParameterError, near_matches
from tallow.core.renamed import renamed
from tallow.data.feeds.feed import Feed, shown
from tallow.data.reading.options import READ_KEYWORDS

FORMS = {
    "replay": "replay:PATH (files, or a store's folder)",
    "ws": "ws://HOST:PORT/PATH",
    "wss": "wss://HOST:PORT/PATH",
    "redis": "redis://HOST:PORT/0?stream=candles&group=tallow",
    "rediss": "rediss://HOST:PORT/0?stream=candles&group=tallow",
    "unix": "unix:///PATH/OF/SOCKET?stream=candles&group=tallow",
}
"""The feeds there are, by how their text begins."""

REDIS = ("redis", "rediss", "unix")
REPLAY_SPEED = 60.0
"""A session's replay has a minute each second, where no other speed is given."""

IN_URL = ("stream", "group", "consumer", "timezone")
"""A Redis feed's options that may stand in its URL; others there are Redis' own."""


@renamed(instrument="instrument_key")
def open_feed(text: str, **options: Any) -> Feed:
    """Open the feed that a text names.

    Parameters
    ----------
    text
        One of `FORMS`; a Redis feed's may hold the options `IN_URL`.
    options
        Those of the feed: `tallow.data.feeds.replay.ReplayFeed`, `.websocket.WebSocketFeed` or
        `.streams.RedisFeed`.

    Raises
    ------
    FeedError
        If no feed begins so, or its extra is not installed.
    ParameterError
        If the feed has no such option.
    """
    make, source, options = _prepared(text, options)
    return make(source, **options)


def require_feed(text: str, **options: Any) -> None:
    """Raise what `open_feed` would, as far as that shows without a server; connect to none.

    A replay's source is read.
    """
    make, source, options = _prepared(text, options)
    if text.partition(":")[0] in ("ws", "wss"):
        from tallow.data.feeds.websocket import require_address

        require_address(text, timezone=options.get("timezone"))
        return
    # Redis is asked with the first batch.
    make(source, **options).close()


def _prepared(
    text: str, options: dict[str, Any]
) -> tuple[Callable[..., Feed], str, dict[str, Any]]:
    """Return what makes a feed, its source, and its options; raises as `open_feed`."""
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in FORMS:
        forms = ", ".join(FORMS.values())
        raise FeedError(f"feed: {shown(text)}; must be one of {forms}{_meant(text)}")
    try:
        make = _maker(scheme)
    except ModuleNotFoundError as error:
        raise FeedError(
            f"feed: {shown(text)}: needs {error.name}; install it with: pip install 'tallow[live]'"
        ) from error
    source = rest if scheme == "replay" else text
    if scheme in REDIS:
        source, inside = _without_options(text)
        options = inside | options
    known = _options_of(make)
    for name in options.keys() - known:
        hint = near_matches(name, known)
        # Not what else there is: the command line has some of it only. Nor one of another feed.
        is_slip = hint.startswith("did") and name not in _options_of(_maker("replay"))
        hint = hint if is_slip else "leave it out"
        raise ParameterError(f"feed: {shown(text)}: {name}=; no option of it; {hint}")
    return make, source, options


def open_session_feed(feed: str, options: dict[str, Any], calendars: CalendarAssignment) -> Feed:
    """Open a feed; a replay goes at `REPLAY_SPEED` where no other is given."""
    return open_feed(feed, **_session_options(feed, options, calendars))


def require_session_feed(feed: str, options: dict[str, Any], calendars: CalendarAssignment) -> None:
    """Raise what `open_session_feed` would; see `require_feed`."""
    require_feed(feed, **_session_options(feed, options, calendars))


def _session_options(
    feed: str, options: dict[str, Any], calendars: CalendarAssignment
) -> dict[str, Any]:
    scheme = feed.partition(":")[0]
    if scheme == "replay":
        speed = options.get("speed", REPLAY_SPEED)
        if speed < 0:
            raise ParameterError(f"live: speed={speed}; must be 0 or more; 0 does not wait")
        options["speed"] = speed or None
    if scheme not in REDIS:
        options["calendar"] = calendars
    return options


def _meant(text: str) -> str:
    """Return a hint on text whose feed is left out: a file, or a server's address."""
    # Not Path.exists: it raises where no file can have such a name.
    if os.path.exists(text):  # noqa: PTH110
        return f"; did you mean replay:{shown(text)}?"
    is_address = re.fullmatch(r"[\w.-]+:[0-9]+(/.*)?", text)
    return f"; did you mean ws://{shown(text)}?" if is_address else ""


def _options_of(make: Callable[..., Feed]) -> list[str]:
    """Return the names of a feed's options, also of those that are one typed set."""
    named = list(inspect.signature(make).parameters)[1:]
    return [*named[:-1], *READ_KEYWORDS] if named[-1] == "reading" else named


def _maker(scheme: str) -> Callable[..., Feed]:
    """Return what makes the feed of a scheme; imports no other feed's library."""
    if scheme == "replay":
        from tallow.data.feeds.replay import ReplayFeed

        return ReplayFeed
    if scheme in REDIS:
        from tallow.data.feeds.streams import RedisFeed

        return RedisFeed
    from tallow.data.feeds.websocket import WebSocketFeed

    return WebSocketFeed


def _without_options(url: str) -> tuple[str, dict[str, str]]:
    """Take the feed's own options out of a URL's query."""
    base, _, query = url.partition("?")
    pairs = parse_qsl(query)
    rest = urlencode([pair for pair in pairs if pair[0] not in IN_URL])
    inside = {name: value for name, value in pairs if name in IN_URL}
    return f"{base}?{rest}" if rest else base, inside

"""A watch: a live engine's updates in, alerts out, each cause once."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from tallow.alerts.alert import Alert
from tallow.alerts.arming import Allowance, Arming
from tallow.alerts.record import AlertRecord, Turn
from tallow.alerts.rules import AlertRule, check_rules
from tallow.alerts.sending import OUTCOMES, Sender
from tallow.alerts.sinks import AlertSink
from tallow.core.arrays import Ints
from tallow.core.errors import AlertError, ScreenError
from tallow.core.limits import ALERT_CLOSE_SECONDS, ALERT_PROBLEMS_KEPT
from tallow.core.time import BEGIN_OF_TIME, from_us
from tallow.core.timeframe import parse_timeframe
from tallow.runtime.live.bar_rows import CANDLES, BarRows
from tallow.runtime.live.live_engine import LiveEngine
from tallow.runtime.live.updates import ArrayUpdate, LiveUpdate
from tallow.runtime.screens.live_screens import JudgedBars
from tallow.screens.answers import Screen
from tallow.screens.files import texts_of


@dataclass(frozen=True)
class WatchStatistics:
    """What a watch did so far.

    Attributes
    ----------
    rules
        By rule: how many alerts were `fired`; held back by `cooldown` and by `cap`; `repeated`, as
        their cause was claimed before; and `unclaimed`, as the record could not be written.
    sinks
        By sink: how many alerts were `sent`; `failed`; `unknown`, which may have arrived; and
        `dropped`, as its queue was full or the watch ended.
    unknown_before
        Deliveries that an earlier watch claimed and never confirmed: they may have been sent, and
        are not sent again.
    unjudged
        Closed bars that were not judged, as they had left the engine's memory.
    problems
        What went wrong last, in sentences.
    """

    rules: Mapping[str, Mapping[str, int]]
    sinks: Mapping[str, Mapping[str, int]]
    unknown_before: int
    unjudged: int
    problems: tuple[str, ...]

    @property
    def fired(self) -> int:
        """How many alerts were fired in all."""
        return sum(counts["fired"] for counts in self.rules.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return {
            "rules": {name: dict(counts) for name, counts in self.rules.items()},
            "sinks": {name: dict(counts) for name, counts in self.sinks.items()},
            "unknown_before": self.unknown_before,
            "unjudged": self.unjudged,
            "problems": list(self.problems),
        }


COUNTED = ("fired", "cooldown", "cap", "repeated", "unclaimed")


@dataclass
class _RuleState:
    """A rule, what it looks at, and how it stands."""

    rule: AlertRule
    screen: Screen
    allowance: Allowance
    arming: Arming = field(default_factory=Arming)
    known: dict[str, tuple[bool, int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


class _Firing(NamedTuple):
    """A bar on which a rule fires, by its row among the judged ones; these sort by time."""

    moment: int
    which_rule: int
    instrument: str
    row: int


class _Group:
    """The rules of one timeframe, which are judged together."""

    def __init__(self, timeframe: str, rules: Sequence[_RuleState]) -> None:
        self.timeframe, self.rules = timeframe, rules
        self.screens = [each.screen for each in rules]
        self.judged = np.empty(0, dtype=np.int64)

    def grow(self, names: Sequence[str]) -> None:
        """Add the instruments that are new, as the record has them."""
        new = names[len(self.judged) :]
        if not new:
            return
        for each in self.rules:
            found = [each.known.get(name, (True, BEGIN_OF_TIME)) for name in new]
            armed = np.array([armed for armed, _ in found], dtype=np.bool_)
            opened = np.array([opened for _, opened in found], dtype=np.int64)
            each.arming.grow(armed, opened)
        self.judged = np.append(self.judged, np.full(len(new), BEGIN_OF_TIME))

    def touched(self, rows: BarRows) -> tuple[Ints, int]:
        """Return of whom a bar closed or changed that is to be judged, and how many bars back."""
        closed = np.flatnonzero(rows.is_final & (rows.timestamp >= self.judged[rows.instrument]))
        which = rows.instrument[closed]
        if not len(which):
            return which, 0
        is_new = (rows.timestamp > self.judged[rows.instrument])[closed]
        is_new &= rows.values[CANDLES][closed] > 0.0
        self.judged[which] = np.maximum(self.judged[which], rows.timestamp[closed])
        most = np.bincount(which[is_new], minlength=1).max() if is_new.any() else 0
        # One more: the bar that was judged last may have changed, too.
        return np.unique(which), int(most) + int(not is_new.all() or most > 1)


class Watch:
    """Judges rules on the bars that a live engine closes, and tells sinks of causes, each once.

    Parameters
    ----------
    engine
        It must have the timeframes and indicators of the rules: see `indicators_of`.
    rules
        Each with a name of its own.
    sinks
        Who is told; each has a thread of its own.
    record
        Where causes are claimed before they are sent, for them to be told once over restarts: a
        file, or an `AlertRecord`. None keeps them in memory.
    saved
        Saved screens that rules may name: texts by name, or a file of them.

    Raises
    ------
    AlertError, ScreenError
        If rules, sinks or the record are not as they must be, or the engine lacks an indicator.

    Notes
    -----
    One thread gives updates, in their order. Every bar that closes is judged once, whether bars
    come one by one or many at once; a corrected bar is judged again if it is the newest that was
    judged, and never is told twice. A bar before that one changes nothing. Bars that had closed
    when the watch began are not judged, but for those that come again in an update.

    Examples
    --------
    >>> from tallow import LiveEngine
    >>> minute, opens = 60_000_000, 1_752_810_300_000_000  # 2025-07-18 09:15 in Mumbai
    >>> live = LiveEngine("1m", [])
    >>> with Watch(live, [AlertRule("rise", "close > open", "1m", {"close": "close"})]) as watch:
    ...     numbers = live.numbers(["RAYMOND"])
    ...     candle = [700.0], [702.0], [699.0], [701.0], [900.0]
    ...     _ = watch.take(live.update_arrays(numbers, [opens], *candle))
    ...     alerts = watch.take(live.advance(opens + 2 * minute))
    >>> alerts[0].text
    'RAYMOND: rise (1m): close > open; close = 701'
    """

    def __init__(
        self,
        engine: LiveEngine,
        rules: Iterable[AlertRule],
        sinks: Sequence[AlertSink] = (),
        *,
        record: AlertRecord | str | Path | None = None,
        saved: Mapping[str, str] | str | Path | None = None,
    ) -> None:
        self._engine, self._unjudged = engine, 0
        self._problems: deque[str] = deque(maxlen=ALERT_PROBLEMS_KEPT)
        texts, found = texts_of(saved), check_rules(rules)
        names = [sink.name for sink in sinks]
        if len(set(names)) < len(names):
            raise AlertError(f"sinks: {', '.join(names)}; two are one and the same; leave one out")
        self._groups = _groups(found, texts, engine)
        self._record = record if isinstance(record, AlertRecord) else AlertRecord(record)
        self._watched = {}
        for group in self._groups:
            for each in group.rules:
                self._watched[each.rule.name] = each
                each.known = self._record.turns(each.rule.identity)
                each.allowance.remember(self._record.fired(each.rule.identity))
        self._senders = [Sender(sink, self._record) for sink in sinks]
        self._open = self._senders.copy()

    def take(self, update: LiveUpdate | ArrayUpdate) -> list[Alert]:
        """Judge the bars that an update closed; return the alerts that are fired, in their order.

        They are claimed when it returns, and wait for their sinks.
        """
        fired: list[Alert] = []
        for group in self._groups:
            rows = update.rows[group.timeframe]
            if rows.is_final.any():
                fired += self._judge(group, rows)
        return fired

    def close(self, seconds: float = ALERT_CLOSE_SECONDS) -> None:
        """Wait so long for the sinks in all; what they have not sent by then is dropped."""
        until = time.monotonic() + seconds
        while self._open:
            self._open.pop().close(max(until - time.monotonic(), 0.0))
        self._record.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def statistics(self) -> WatchStatistics:
        """The counts so far."""
        problems = [f"{each.sink.name}: {each.problem}" for each in self._senders if each.problem]
        return WatchStatistics(
            {
                name: {kind: each.counts[kind] for kind in COUNTED}
                for name, each in self._watched.items()
            },
            {
                each.sink.name: {kind: each.counts[kind] for kind in OUTCOMES}
                for each in self._senders
            },
            self._record.unknown,
            self._unjudged,
            (*self._problems, *problems),
        )

    # From a bar to an alert

    def _judge(self, group: _Group, rows: BarRows) -> list[Alert]:
        names = self._engine.names
        group.grow(names)
        which, bars = group.touched(rows)
        if not bars:
            return []
        try:
            judged = self._engine.judge(group.screens, group.timeframe, bars)
        except ScreenError as error:
            self._unjudged += len(which)
            self._problems.append(str(error))
            return []
        is_wanted = np.isin(judged.instrument, which)
        turns: list[Turn] = []
        causes: list[_Firing] = []
        for layer in _layers(judged.instrument, is_wanted):
            for which_rule, each in enumerate(group.rules):
                numbers, opens = judged.instrument[layer], judged.opens[layer]
                fires, turned = each.arming.take(numbers, opens, judged.states[which_rule][layer])
                identity = each.rule.identity if turned.any() else ""
                for row in layer[turned].tolist():
                    number = judged.instrument[row]
                    armed = bool(each.arming.armed[number])
                    turns.append(Turn(identity, names[number], armed, int(judged.opens[row])))
                causes += [
                    _Firing(int(judged.ends[row]), which_rule, names[judged.instrument[row]], row)
                    for row in layer[fires].tolist()
                ]
        return self._claim(group, judged, sorted(causes), turns)

    def _claim(
        self, group: _Group, judged: JudgedBars, causes: Sequence[_Firing], turns: Sequence[Turn]
    ) -> list[Alert]:
        """Claim what is let through, with what turned, and hand it to the sinks."""
        if not causes and not turns:
            return []
        try:
            alerts = self._let_through(group, judged, causes)
            names = [each.sink.name for each in self._senders]
            self._record.claim(
                [(each.rule.identity, alert) for each, alert in alerts], names, turns
            )
        except AlertError as error:
            # What is not claimed is not sent: it might be sent twice.
            self._problems.append(str(error))
            for cause in causes:
                group.rules[cause.which_rule].counts["unclaimed"] += 1
            return []
        for each, alert in alerts:
            each.counts["fired"] += 1
            for sender in self._senders:
                sender.put(alert)
        return [alert for _, alert in alerts]

    def _let_through(
        self, group: _Group, judged: JudgedBars, causes: Sequence[_Firing]
    ) -> list[tuple[_RuleState, Alert]]:
        """Return the alerts that nothing holds back, with their rules."""
        alerts = [(group.rules[c.which_rule], _alert(group, judged, c)) for c in causes]
        known = self._record.known([alert.cause for _, alert in alerts])
        found = []
        for cause, (each, alert) in zip(causes, alerts, strict=True):
            held = "repeated" if alert.cause in known else None
            held = held or each.allowance.refusal(cause.instrument, cause.moment)
            if held:
                each.counts[held] += 1
            else:
                found.append((each, alert))
        return found


def _groups(
    rules: Sequence[AlertRule], saved: Mapping[str, str], engine: LiveEngine
) -> list[_Group]:
    """Return the rules by timeframe, read, with what the engine must have looked for."""
    by_size: dict[str, list[_RuleState]] = {}
    for rule in rules:
        size = parse_timeframe(rule.timeframe).text
        each = _RuleState(
            rule,
            rule.screen(saved, engine.convention),
            Allowance(rule.cooldown, rule.hourly_cap),
        )
        by_size.setdefault(size, []).append(each)
    groups = [_Group(size, watched) for size, watched in by_size.items()]
    for group in groups:
        engine.require_screens(group.screens, group.timeframe)
    return groups


def _layers(instrument: Ints, is_wanted: Any) -> list[Ints]:
    """Return rows in parts with one bar of each instrument at most, the oldest first."""
    rows = np.flatnonzero(is_wanted)
    if not len(rows):
        return []
    own = instrument[rows]
    starts = np.flatnonzero(np.append(True, own[1:] != own[:-1]))
    ages = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    return [rows[ages == age] for age in range(int(ages.max()) + 1)]


def _alert(group: _Group, judged: JudgedBars, cause: _Firing) -> Alert:
    rule, opened = group.rules[cause.which_rule].rule, int(judged.opens[cause.row])
    numbers: dict[str, float | None] = {
        name: None if np.isnan(values[cause.row]) else float(values[cause.row])
        for name, values in judged.numbers[cause.which_rule].items()
    }
    return Alert(
        f"{rule.identity}:{opened}:{cause.instrument}",
        rule.name,
        cause.instrument,
        group.timeframe,
        from_us(opened),
        from_us(cause.moment),
        rule.reason(numbers),
        numbers,
    )

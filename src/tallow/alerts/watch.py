"""A watch: a live engine's updates in, alerts out, each cause once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from tallow.alerts.alert import Alert
from tallow.alerts.arming import Allowance, Arming
from tallow.alerts.ends import with_ends
from tallow.alerts.outbox import Outbox
from tallow.alerts.record import AlertRecord, Turn
from tallow.alerts.rules import AlertRule, check_rules
from tallow.alerts.sinks import AlertSink
from tallow.core.arrays import Ints, Times
from tallow.core.errors import AlertError, ScreenError
from tallow.core.limits import ALERT_CLOSE_SECONDS, ALERT_PROBLEMS_KEPT
from tallow.core.time import BEGIN_OF_TIME, END_OF_TIME, from_us
from tallow.core.timeframe import parse_timeframe
from tallow.runtime.live.bar_rows import BarRows
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
    opened: int
    row: int


class _Group:
    """The rules of one timeframe, which are judged together."""

    def __init__(self, timeframe: str, rules: Sequence[_RuleState], engine: LiveEngine) -> None:
        self.timeframe, self.rules = timeframe, rules
        self.asked = engine.judged_screens([each.screen for each in rules], timeframe)
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

    def touched(self, rows: BarRows) -> tuple[Ints, Times]:
        """Return of whom bars closed or changed that are to be judged, and the oldest's open.

        The latter for all instruments, by number.
        """
        closed = rows.is_final & (rows.timestamp >= self.judged[rows.instrument])
        since = np.full(len(self.judged), END_OF_TIME)
        np.minimum.at(since, rows.instrument[closed], rows.timestamp[closed])
        return np.flatnonzero(since < END_OF_TIME), since


class Watch:
    """Judges rules on the bars that a live engine closes, and tells sinks of causes, each once.

    Parameters
    ----------
    engine
        It must have the timeframes and indicators of the rules: see `indicators_of`.
    rules
        Each with a name of its own.
    sinks
        Who is told; each has a thread of its own. Or an outbox, which the caller closes.
    record
        Where causes are claimed before they are sent, for them to be told once over restarts: a
        file, or an `AlertRecord`. None keeps them in memory.
    saved
        Saved screens that rules may name: texts by name, or a file of them.
    tells_ends
        Whether sinks are told, once, where what they were told of no longer holds.

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
    >>> import tallow
    >>> minute, opens = 60_000_000, 1_752_810_300_000_000  # 2025-07-18 09:15 in Mumbai
    >>> live = tallow.LiveEngine("1m", [])
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
        sinks: Sequence[AlertSink] | Outbox = (),
        *,
        record: AlertRecord | str | Path | None = None,
        saved: Mapping[str, str] | str | Path | None = None,
        tells_ends: bool = False,
    ) -> None:
        self._engine, self._unjudged = engine, 0
        self._problems: deque[str] = deque(maxlen=ALERT_PROBLEMS_KEPT)
        texts, found = texts_of(saved), check_rules(rules)
        self._groups = _groups(found, texts, engine)
        self._owns_outbox = not isinstance(sinks, Outbox)
        self._outbox = sinks if isinstance(sinks, Outbox) else Outbox(sinks, record)
        self._record, self._tells_ends = self._outbox.record, tells_ends
        self._watched = {}
        for group in self._groups:
            for each in group.rules:
                self._watched[each.rule.name] = each
                each.known = self._record.turns(each.rule.identity)
                each.allowance.remember(self._record.fired(each.rule.identity))

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
        if self._owns_outbox:
            self._outbox.close(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def statistics(self) -> WatchStatistics:
        """The counts so far."""
        return WatchStatistics(
            {
                name: {kind: each.counts[kind] for kind in COUNTED}
                for name, each in self._watched.items()
            },
            self._outbox.counts,
            self._record.unknown,
            self._unjudged,
            (*self._problems, *self._outbox.problems),
        )

    # From a bar to an alert

    def _judge(self, group: _Group, rows: BarRows) -> list[Alert]:
        names = self._engine.names
        group.grow(names)
        which, since = group.touched(rows)
        if not len(which):
            return []
        try:
            judged = self._judged_bars(group, which, since)
        except ScreenError as error:
            self._unjudged += len(which)
            self._problems.append(str(error))
            return []
        is_wanted = judged.opens >= since[judged.instrument]
        np.maximum.at(group.judged, judged.instrument[is_wanted], judged.opens[is_wanted])
        turns: list[Turn] = []
        causes: list[_Firing] = []
        for layer in _layers(judged.instrument, is_wanted):
            numbers, opens = judged.instrument[layer], judged.opens[layer]
            for which_rule, each in enumerate(group.rules):
                fires, turned = each.arming.take(numbers, opens, judged.states[which_rule][layer])
                turns += _turns(each, names, numbers[turned], opens[turned])
                causes += _firings(which_rule, names, judged, layer[fires])
        return self._claim(group, judged, sorted(causes), turns)

    def _judged_bars(self, group: _Group, which: Ints, since: Times) -> JudgedBars:
        """Return bars from `since` on; the engine may have closed more than an update says."""
        bars = 1
        while True:
            judged = self._engine.judge(group.asked, bars)
            counts = np.bincount(judged.instrument, minlength=len(since))
            oldest = np.full(len(since), END_OF_TIME)
            np.minimum.at(oldest, judged.instrument, judged.opens)
            if ((counts < bars) | (oldest <= since))[which].all():
                return judged
            bars *= 4

    def _claim(
        self, group: _Group, judged: JudgedBars, causes: Sequence[_Firing], turns: Sequence[Turn]
    ) -> list[Alert]:
        """Claim what is let through, with what turned, and hand it to the sinks."""
        if not causes and not turns:
            return []
        try:
            alerts = self._let_through(group, judged, causes)
            told = [(each.rule.identity, alert) for each, alert in alerts]
            if self._tells_ends:
                told = with_ends(told, self._ended(group, judged, turns), self._record)
            self._outbox.put(told, turns)
        except AlertError as error:
            # What is not claimed is not sent: it might be sent twice.
            self._problems.append(str(error))
            for cause in causes:
                group.rules[cause.which_rule].counts["unclaimed"] += 1
            return []
        for each, _ in alerts:
            each.counts["fired"] += 1
        return [alert for _, alert in alerts]

    def _ended(
        self, group: _Group, judged: JudgedBars, turns: Sequence[Turn]
    ) -> list[tuple[Turn, datetime]]:
        """Return where rules that tell of it no longer hold, and since when."""
        wanted = {each.rule.identity for each in group.rules if each.rule.tells_end}
        armed = [each for each in turns if each.armed and each.identity in wanted]
        ends = dict(zip(judged.opens.tolist(), judged.ends.tolist(), strict=True)) if armed else {}
        return [(each, from_us(ends[each.opened])) for each in armed]

    def _let_through(
        self, group: _Group, judged: JudgedBars, causes: Sequence[_Firing]
    ) -> list[tuple[_RuleState, Alert]]:
        """Return the alerts that nothing holds back, with their rules."""
        names = [_cause(group, each) for each in causes]
        known = self._record.known(names)
        found = []
        for cause, name in zip(causes, names, strict=True):
            each = group.rules[cause.which_rule]
            held = "repeated" if name in known else None
            held = held or each.allowance.refusal(cause.instrument, cause.moment)
            if held:
                each.counts[held] += 1
            else:
                found.append((each, _alert(group, judged, cause, name)))
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
    return [_Group(size, rule_states, engine) for size, rule_states in by_size.items()]


def _layers(instrument: Ints, is_wanted: Any) -> list[Ints]:
    """Return rows in parts with one bar of each instrument at most, the oldest first."""
    rows = np.flatnonzero(is_wanted)
    if not len(rows):
        return []
    own = instrument[rows]
    starts = np.flatnonzero(np.append(True, own[1:] != own[:-1]))
    if len(starts) == len(rows):
        return [rows]
    ages = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    return [rows[ages == age] for age in range(int(ages.max()) + 1)]


def _turns(each: _RuleState, names: Sequence[str], which: Ints, opens: Times) -> list[Turn]:
    """Return that a rule turned for instruments, at the bars that opened then."""
    if not len(which):
        return []
    identity, rows = each.rule.identity, (which, each.arming.armed[which], opens)
    return [
        Turn(identity, names[number], armed, opened)
        for number, armed, opened in zip(*(row.tolist() for row in rows), strict=True)
    ]


def _firings(
    which_rule: int, names: Sequence[str], judged: JudgedBars, rows: Ints
) -> list[_Firing]:
    """Return that a rule fires on rows of judged bars."""
    found = judged.ends[rows], judged.opens[rows], judged.instrument[rows], rows
    return [
        _Firing(moment, which_rule, names[number], opened, row)
        for moment, opened, number, row in zip(*(each.tolist() for each in found), strict=True)
    ]


def _cause(group: _Group, cause: _Firing) -> str:
    identity = group.rules[cause.which_rule].rule.identity
    return f"{identity}:{cause.opened}:{cause.instrument}"


def _alert(group: _Group, judged: JudgedBars, cause: _Firing, name: str) -> Alert:
    rule = group.rules[cause.which_rule].rule
    numbers: dict[str, float | None] = {
        each: None if np.isnan(values[cause.row]) else float(values[cause.row])
        for each, values in judged.numbers(cause.which_rule).items()
    }
    return Alert(
        name,
        rule.name,
        cause.instrument,
        group.timeframe,
        from_us(cause.opened),
        from_us(cause.moment),
        rule.reason(numbers),
        numbers,
    )

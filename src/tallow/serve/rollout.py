"""`tallow rollout`: control a rollout, show its state, and act on it."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from tallow.core.errors import RolloutError, TallowError, TallowWarning
from tallow.migrate.rollout.audit import AuditEntry, AuditLog
from tallow.migrate.rollout.controller import Controller
from tallow.migrate.rollout.gates import figure_text
from tallow.migrate.rollout.journal import Journal
from tallow.migrate.rollout.plan import EXAMPLE, RolloutPlan, read_paths, read_plan
from tallow.migrate.rollout.rollout import Rollout, revert, who_am_i
from tallow.migrate.rollout.state import RolloutState
from tallow.migrate.rollout.status import RolloutStatus, entry_facts, read_status, state_facts
from tallow.serve.console import (
    BAD,
    GOOD,
    QUIET,
    WARN,
    make_console,
    make_table,
    next_text,
    number,
    print_json,
)
from tallow.serve.options import PLAN
from tallow.serve.verbs import EXIT_INCOMPLETE
from tallow.serve.wording import say

ANALYSES_SHOWN, ENTRIES_SHOWN = 5, 8
"""Lines of the tables of `tallow rollout status`, the newest last; `--json` has more."""

_COLOURS = {
    "running": GOOD,
    "complete": GOOD,
    "success": GOOD,
    "paused": WARN,
    "inconclusive": WARN,
    "edited": WARN,
    "reverted": BAD,
    "failure": BAD,
    "fail": BAD,
    "revert": BAD,
}


def print_plan() -> int:
    """Print a plan to begin with."""
    say(EXAMPLE.removesuffix("\n"))
    return 0


def begin(path: Path, once: bool, who: str | None, json: bool) -> int:
    """Begin a rollout, or say where it stands; whoever watches it is another process.

    `once` is the old word for one look by `control`.
    """
    plan = read_plan(path)
    state = Rollout(plan, who).start()
    if once:
        warnings.warn(
            "rollout start: --once; it looks no more; write tallow rollout run --once",
            TallowWarning,
            stacklevel=2,
        )
        return control(path, once, who)
    if json:
        print_json(_state_facts(plan, state))
        return EXIT_INCOMPLETE if state.phase == "reverted" else 0
    console = make_console()
    console.print(_line(plan, state))
    if state.phase == "reverted":
        return _say_reverted(console, plan)
    if AuditLog(plan.paths.log).find_controller() is None:
        # Not wrapped: a command is copied whole.
        named = _named(plan)
        commands = (f"tallow rollout run{named}", f"tallow rollout status{named}")
        console.print(next_text(commands), soft_wrap=True, end="")
    return 0


def control(path: Path, once: bool, who: str | None) -> int:
    """Watch a rollout that has begun: look at the evidence, and do what follows from it."""
    from tallow.migrate.shadow import EvidenceStore

    plan, who, console = read_plan(path), who or who_am_i(), make_console()
    state = Journal(plan.paths, who).refresh()
    if state.phase == "new":
        raise RolloutError(
            f"run: {plan.paths.experiment} has not begun; begin it with: tallow rollout "
            f"start{_named(plan)}"
        )
    controller = Controller(plan, EvidenceStore(plan.paths.evidence), who)
    if once:
        with controller.guard():
            state = controller.step()
    else:
        state = _control(controller, plan, state, console)
    console.print(_line(plan, state))
    return _say_reverted(console, plan) if state.phase == "reverted" else 0


def _say_reverted(console: Console, plan: RolloutPlan) -> int:
    again = f"tallow rollout advance{_named(plan)} begins anew with the first stage"
    console.print(f"[{QUIET}]{escape(again)}[/]")
    return EXIT_INCOMPLETE


def _control(
    controller: Controller, plan: RolloutPlan, state: RolloutState, console: Console
) -> RolloutState:
    """Run a controller; print its log lines, and the rollout's state below them."""
    log, latest = AuditLog(plan.paths.log), ""
    log.read()
    console.print(f"[{QUIET}]log: {escape(str(plan.paths.log))}; Ctrl-C ends the control only[/]")
    with Live(_line(plan, state), console=console, transient=True, auto_refresh=False) as live:

        def show(state: RolloutState, error: TallowError | None) -> None:
            nonlocal latest
            for entry in log.read():
                live.console.print(_entry_text(entry))
            if error is not None and str(error) != latest:
                live.console.print(Text(f"{error}; it is tried again", WARN))
            latest = str(error or "")
            live.update(_line(plan, state), refresh=console.is_terminal)

        try:
            return controller.run(show)
        except KeyboardInterrupt:
            end = Journal(plan.paths, "").refresh()
            raise KeyboardInterrupt(
                f"ended; {plan.paths.experiment} stays at {_setting(end)}, and nobody watches it: "
                f"tallow rollout run{_named(plan)} goes on, tallow rollout revert{_named(plan)} "
                "turns it off"
            ) from None


def _act(
    what: Literal["advance", "pause", "resume"],
    path: Path,
    reason: str,
    who: str | None,
    json: bool,
) -> int:
    """Do what a person decided, and show the rollout's state."""
    plan = read_plan(path)
    state = getattr(Rollout(plan, who), what)(reason)
    if json:
        print_json(_state_facts(plan, state))
        return 0
    console = make_console()
    console.print(_line(plan, state))
    if state.is_on and AuditLog(plan.paths.log).find_controller() is None:
        console.print(Text(f"no controller watches it: tallow rollout run{_named(plan)}", WARN))
    return 0


advance, pause, resume = (partial(_act, what) for what in ("advance", "pause", "resume"))


def turn_off(path: Path, reason: str, who: str | None, json: bool) -> int:
    """Turn the candidate off, and report other problems."""
    paths = read_paths(path)
    problems = revert(paths, reason, who)
    if json:
        off = {"experiment": paths.experiment, "phase": "reverted", "problems": problems}
        print_json(off)
        return EXIT_INCOMPLETE if problems else 0
    console = make_console()
    console.print(f"{escape(paths.experiment)}: off for every instrument")
    for problem in problems:
        console.print(Text(problem, WARN))
    return EXIT_INCOMPLETE if problems else 0


def show_status(path: Path, json: bool) -> int:
    """Print a rollout's state."""
    plan = read_plan(path)
    journal = Journal(plan.paths, "")
    status = read_status(plan, journal)
    problems = list(status.problems)
    if status.is_unwatched:
        problems.append(f"no controller watches it: tallow rollout run{_named(plan)}")
    if json:
        print_json(
            _state_facts(plan, status.state)
            | {
                "controller": status.controller,
                "problems": problems,
                "stages": [stage.name for stage in plan.stages],
                "log": entry_facts(journal.recent),
            }
        )
    else:
        _print_status(status, journal, problems)
    return EXIT_INCOMPLETE if problems else 0


def _state_facts(plan: RolloutPlan, state: RolloutState) -> dict[str, Any]:
    """Return a rollout's state, as JSON shows it."""
    return state_facts(plan, state) | {"next": _next(plan, state)}


def _print_status(status: RolloutStatus, journal: Journal, problems: list[str]) -> None:
    plan, state, console = status.plan, status.state, make_console()
    console.print(_line(plan, state))
    facts = Table.grid("", Column(overflow="fold"), padding=(0, 2))
    facts.add_row("stages", " > ".join(_marked(stage.name, state) for stage in plan.stages))
    if state.since is not None:
        facts.add_row("since", f"{_local(state.since)} ({_ago(state.since)})")
    for name, text in {"because": state.reason, "next": _next(plan, state)}.items():
        facts.add_row(name, escape(text)) if text else None
    facts.add_row("watched by", escape(status.controller or "nobody"))
    console.print(facts)
    for problem in problems:
        console.print(Text(problem, BAD))
    analyses = [each for each in journal.recent if each.what == "analysis"][-ANALYSES_SHOWN:]
    if analyses:
        console.print()
        console.print(_analyses(analyses))
    if journal.acts:
        console.print()
        table = make_table("when", "who", "what", Column("why", overflow="fold"), title="Log")
        for entry in list(journal.acts)[-ENTRIES_SHOWN:]:
            why = entry.facts.get("reason", "")
            what = Text(entry.what, _COLOURS.get(entry.what, ""))
            table.add_row(_local(entry.at), escape(entry.who), what, escape(why))
        console.print(table)


def _analyses(entries: Sequence[AuditEntry]) -> Table:
    """Return the last analyses: each gate's figure, and below it what the gate allows."""
    names = list(dict.fromkeys(each["gate"] for entry in entries for each in entry.facts["gates"]))
    table = make_table("until", "stage", "verdict", *map(number, ["calls", *names]))
    table.title = "Analyses"
    for entry in entries:
        gates = {each["gate"]: each for each in entry.facts["gates"]}
        cells = [_figure(gates.get(name)) for name in names]
        verdict = entry.facts["verdict"]
        calls = f"{entry.facts['evidence']['tried']:,}"
        stage = entry.facts["stage"]
        table.add_row(_local(entry.at), stage, Text(verdict, _COLOURS[verdict]), calls, *cells)
    limits = {each["gate"]: each for entry in entries for each in entry.facts["gates"]}
    allowed = [f"<= {figure_text(name, limits[name]['fail_above'])}" for name in names]
    table.add_row("", "", "", "", *(Text(each, QUIET) for each in allowed))
    return table


def _figure(gate: dict[str, Any] | None) -> Text:
    if gate is None or gate["figure"] is None:
        return Text("-")
    return Text(figure_text(gate["gate"], gate["figure"]), _COLOURS[gate["verdict"]])


def _line(plan: RolloutPlan, state: RolloutState) -> Text:
    """Return a rollout in one line."""
    line = Text.assemble(
        (plan.paths.experiment, "bold"),
        "  ",
        (state.phase, _COLOURS.get(state.phase, "")),
        f"  {_setting(state)}",
    )
    if state.phase in ("running", "complete"):
        counts = f"{state.successes} successes, {state.failures} failures, "
        line.append(f"  {counts}{state.inconclusive} inconclusive", QUIET)
    elif state.reason:
        line.append(f"  {state.reason}", QUIET)
    return line


def _setting(state: RolloutState) -> str:
    return "a setting that cannot be read" if state.setting is None else str(state.setting)


def _named(plan: RolloutPlan) -> str:
    """Return a plan as a command names it; nothing where it is found without a name."""
    return "" if plan.paths.path == PLAN.absolute() else f" {shlex.quote(str(plan.paths.path))}"


def _next(plan: RolloutPlan, state: RolloutState) -> str:
    """Return the next step, of the controller or of a person."""
    if state.phase == "new":
        return f"tallow rollout start{_named(plan)}"
    if state.phase == "reverted":
        return f"nothing; tallow rollout advance{_named(plan)} begins anew with the first stage"
    if state.phase == "paused":
        return f"tallow rollout resume{_named(plan)}, or advance, or revert"
    known = [stage for stage in plan.stages if stage.name == state.stage]
    if state.phase == "complete" or not known:
        return "" if known else f"the plan has no stage {state.stage} any more"
    after = plan.after(state.stage)
    missing = max(0, known[0].successes - state.successes)
    return f"{after.name if after else 'complete'} after {missing} more successes"


def _marked(name: str, state: RolloutState) -> str:
    if name != state.stage:
        return f"[{QUIET}]{name}[/]"
    return f"[bold {_COLOURS.get(state.phase, '')}]{name}[/]"


def _entry_text(entry: AuditEntry) -> Text:
    what = entry.facts.get("verdict", entry.what)
    why = entry.facts.get("reason", "")
    return Text.assemble(
        (_local(entry.at), QUIET), "  ", (what, _COLOURS.get(what, "")), f"  {why}".rstrip()
    )


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _ago(moment: datetime) -> str:
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name} ago"
    return f"{seconds:.0f} seconds ago"

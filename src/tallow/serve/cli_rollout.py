"""The verbs of ``tallow rollout``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tallow.serve import options
from tallow.serve.options import option
from tallow.serve.verbs import add_verb, make_app

HELP = """Replace an engine in stages, and go back at once."""

EPILOG = """\b
Examples:
  tallow rollout plan > rollout.toml
  tallow rollout start
  tallow rollout run
  tallow rollout status
  tallow rollout revert --reason "wrong VWAP on the first bar"

\b
A plan names the flag, its file, the evidence and the log, and has the stages: the
candidate runs in the background for all instruments (shadow), then answers for some
of them, and at last for all. The serving processes write the evidence, see
tallow.migrate.shadow; they read the flag at each call.
"""

START_EPILOG = """\b
Examples:
  tallow rollout start
  tallow rollout start engines/rollout.toml

\b
Exit codes:
  0    it has begun, now or before
  1    the candidate is off: it failed, or was reverted
  2    a wrong plan, or a damaged log

\b
Next:
  tallow rollout run     watch it: without that, it stays at its first stage
"""

RUN_EPILOG = """\b
Examples:
  tallow rollout run
  tallow rollout run engines/rollout.toml
  tallow rollout run --once          for cron, at least once an interval

\b
Exit codes:
  0    one look with --once: all is well
  1    the candidate is off: it failed, or was reverted
  2    a wrong plan, a damaged log, another controller is there, or the rollout has
       not begun
  130  ended by Ctrl-C: the stage stays as it is, without anybody who watches it
"""

STATUS_EPILOG = """\b
Examples:
  tallow rollout status
  tallow rollout status --json | jq -r .phase

\b
Exit codes:
  0    all is as it should be
  1    something is wrong; the page says what: nobody watches it, the log was
       damaged, or the flag file says something else
  2    a wrong plan
"""

REVERT_EPILOG = """\b
Examples:
  tallow rollout revert
  tallow rollout revert engines/rollout.toml --reason "wrong VWAP on the first bar"

\b
Needs neither the candidate's code, nor a plan without mistakes, nor an intact log,
nor the evidence. If even this fails: in the flag file, write enabled = false under
the flag's heading.

\b
Exit codes:
  0    the candidate is off
  1    the candidate is off, but something else is wrong; the message says what
  2    the candidate is not off; the message says what to do
"""

PlanArgument = Annotated[
    Path, typer.Argument(metavar="PLAN", help="The rollout's plan.", show_default=True)
]
WhoOption = Annotated[
    str | None, option("--who NAME", "Your name in the log; by default user@host.")
]
ReasonOption = Annotated[str, option("--reason TEXT", "The reason, for the log.")]
OnceOption = Annotated[bool, option("--once", "Look once, do what is due, and end.")]
OldOnceOption = Annotated[bool, option("--once", "Of tallow rollout run.", hidden=True)]

rollout_app = make_app("rollout", HELP, EPILOG)
_verb = partial(add_verb, rollout_app)


@_verb("plan", "rollout:print_plan")
def plan() -> None:
    """Print a plan to begin with, with an explanation of each line."""


@_verb("start", "rollout:begin", START_EPILOG)
def start(
    path: PlanArgument = options.PLAN,
    once: OldOnceOption = False,
    who: WhoOption = None,
    json: options.JsonOption = False,
) -> None:
    """Begin a rollout with its first stage.

    Sets the flag, and returns; where it has begun before, nothing changes. tallow rollout run
    watches it from then on.
    """


@_verb("run", "rollout:control", RUN_EPILOG)
def run(path: PlanArgument = options.PLAN, once: OnceOption = False, who: WhoOption = None) -> None:
    """Watch a rollout that has begun, and lead it from stage to stage.

    Looks at the evidence, interval by interval: enough successes lead to the next stage, a failure
    turns the candidate off, and where there is too little to tell, the rollout pauses. Stays until
    Ctrl-C; killed at any moment, it resumes from the log.
    """


@_verb("status", "rollout:show_status", STATUS_EPILOG)
def status(path: PlanArgument = options.PLAN, json: options.JsonOption = False) -> None:
    """Show the stage, the last analyses, and who did what."""


@_verb("advance", "rollout:advance")
def advance(
    path: PlanArgument = options.PLAN,
    reason: ReasonOption = "",
    who: WhoOption = None,
    json: options.JsonOption = False,
) -> None:
    """Go to the next stage now, whatever the analyses say."""


@_verb("pause", "rollout:pause")
def pause(
    path: PlanArgument = options.PLAN,
    reason: ReasonOption = "",
    who: WhoOption = None,
    json: options.JsonOption = False,
) -> None:
    """Stay at this stage; a failure still turns the candidate off."""


@_verb("resume", "rollout:resume")
def resume(
    path: PlanArgument = options.PLAN,
    reason: ReasonOption = "",
    who: WhoOption = None,
    json: options.JsonOption = False,
) -> None:
    """Go on after a pause."""


@_verb("revert", "rollout:turn_off", REVERT_EPILOG)
def revert(
    path: PlanArgument = options.PLAN,
    reason: ReasonOption = "",
    who: WhoOption = None,
    json: options.JsonOption = False,
) -> None:
    """Turn the candidate off for every instrument, at once."""

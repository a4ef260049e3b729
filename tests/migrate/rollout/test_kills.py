"""Goal: a rollout that is killed at any moment goes on as if nothing had been.

Method: a course of acts is done once undisturbed. Then it is done again and again, and the process
of one act is killed at its first, second, ... operation that makes something durable: before it,
after it, or with its last bytes missing. Others go on from what is on the disk; every change must
be in the log exactly once, and the end must be the same.
"""

from __future__ import annotations

import os
import pathlib
import random
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from tallow.migrate.flags.setting import OFF, read_setting
from tallow.migrate.rollout import audit
from tallow.migrate.rollout.rollout import revert
from tests.migrate.rollout.acting import GOOD, World
from tests.migrate.rollout.test_controller import FAILING

How = Literal["before", "after", "torn"]
Act = Callable[[World], object]

STEP: Act = lambda world: world.controller.step()  # noqa: E731
# Whatever is done first puts log and flag file in step; this does nothing else.
SETTLE: Act = lambda world: world.person.start()  # noqa: E731
# What happens, and what of it only a person does.
COURSE: list[tuple[str, Act]] = [
    ("start", lambda world: world.person.start()),
    *[("", STEP)] * 2,
    ("pause", lambda world: world.person.pause()),
    ("resume", lambda world: world.person.resume()),
    *[("", STEP)] * 2,
    ("advance", lambda world: world.person.advance()),
    ("", STEP),
    ("revert", lambda world: revert(world.plan.paths, "", "ann@desk", world.clock)),
    ("advance", lambda world: world.person.advance()),
    *[("", STEP)] * 2,
]
STAGES = "stages = [{stage = 'shadow'}, {stage = 10}, {stage = 50}, {stage = 100}]"
CHANGES = ["start", "promote", "promote", "advance", "revert", "advance", "fail"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory where there is one: an fsync of a disk takes milliseconds."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def new_world(folder: Path) -> World:
    folder.mkdir()
    world = World(folder, STAGES, "flags.json")
    begin = world.clock.now
    for number in range(len(COURSE)):
        world.clock.wait(61)
        world.evidence.add(FAILING if number == len(COURSE) - 1 else GOOD)
    world.clock.now = begin
    return world


def at_act(world: World, number: int) -> World:
    """Return the world as another process sees it, a second after the evidence of an act."""
    world.clock.now = world.evidence.seen[number][0]
    world.clock.wait(1)
    return world


def killed(act: Act, world: World, operation: int, how: How) -> bool:
    """Do an act in a process that is killed at an operation; say whether it came so far."""
    pid = os.fork()
    if not pid:
        try:
            _kill_at(operation, how)
            act(world)
        except BaseException:  # noqa: BLE001 - nothing may get out of the child
            os._exit(3)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _kill_at(operation: int, how: How) -> None:
    count = 0

    def wrapped(function: Any) -> Any:
        def call(*args: Any) -> Any:
            nonlocal count
            count += 1
            if count < operation:
                return function(*args)
            if how == "torn" and isinstance(args[0], int):
                os.ftruncate(args[0], max(0, os.fstat(args[0]).st_size - 9))
            if how == "after":
                function(*args)
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

        return call

    os.fsync, os.truncate = wrapped(os.fsync), wrapped(os.truncate)
    pathlib.Path.replace = wrapped(pathlib.Path.replace)  # type: ignore[method-assign]


def go_on(world: World, number: int) -> None:
    """Do what is left of an act after a kill, and all acts after it."""
    what, act = COURSE[number]
    before = world.whats().count(what) if (world.folder / "rollout.log").exists() else 0
    needed = sum(name == what for name, _ in COURSE[: number + 1])
    SETTLE(at_act(world, number))
    # What a person did and the log does not have was not done.
    if not what or before < needed:
        act(world)
    for later in range(number + 1, len(COURSE)):
        COURSE[later][1](at_act(world, later))


def check(world: World) -> None:
    changes = [entry.what for entry in world.log() if "to" in entry.facts]
    assert changes == CHANGES
    assert world.person.state().phase == "reverted"
    assert not world.person.state().is_pending
    assert read_setting(world.flags, "engine") == OFF
    assert list(world.folder.glob(".*.before-*")) == []


def test_the_course_undisturbed(folder: Path) -> None:
    world = new_world(folder / "world")
    for number, (_, act) in enumerate(COURSE):
        act(at_act(world, number))
    check(world)


@pytest.mark.parametrize("how", ["after", "torn"])
@pytest.mark.parametrize("number", [0, 2, 9, 12])
def test_a_kill_at_each_operation(folder: Path, number: int, how: How) -> None:
    operations = 0
    base = new_world(folder / "base")
    for earlier in range(number):
        COURSE[earlier][1](at_act(base, earlier))
    while True:
        operations += 1
        world = new_world(folder / f"world{operations}")
        shutil.copytree(base.folder, world.folder, dirs_exist_ok=True)
        if not killed(COURSE[number][1], at_act(world, number), operations, how):
            break
        go_on(world, number)
        check(world)
    # An act is at least one line of the log; a change is also a file that is replaced.
    assert operations > 6


@pytest.mark.nightly
def test_kills_upon_kills(folder: Path) -> None:
    for seed in range(40):
        rng = random.Random(seed)
        world = new_world(folder / f"world{seed}")
        for number, (what, act) in enumerate(COURSE):
            at_act(world, number)
            needed = sum(name == what for name, _ in COURSE[: number + 1])
            while killed(act, world, rng.randint(1, 9), rng.choice(["before", "after", "torn"])):
                while killed(SETTLE, world, rng.randint(1, 9), rng.choice(["before", "after"])):
                    pass
                done = (world.folder / "rollout.log").exists()
                if what and (done and world.whats().count(what) >= needed):
                    break
        SETTLE(world)
        check(world)


def test_what_was_torn_is_told(folder: Path) -> None:
    world = new_world(folder / "world")
    world.person.start()
    with (world.folder / "rollout.log").open("ab") as file:
        file.write(b'{"n":3,"at":"2026')
    STEP(at_act(world, 0))
    repaired = next(entry for entry in world.log() if entry.what == "repaired")
    assert repaired.facts["torn"] == '{"n":3,"at":"2026'
    assert audit.AuditLog(world.folder / "rollout.log").read()[-1].what == "analysis"

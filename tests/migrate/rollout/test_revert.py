"""Goal: going back works whatever else does not.

Method: everything that a rollout has besides its flag file is taken away or damaged, one by one;
then the flag is read back as a serving process reads it.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tallow.core.errors import FlagError, RolloutError
from tallow.migrate.flags import FileProvider, decide
from tallow.migrate.flags.setting import OFF, Setting, force_off, read_setting, write_setting
from tallow.migrate.rollout import audit
from tallow.migrate.rollout.controller import Controller
from tallow.migrate.rollout.plan import read_paths
from tallow.migrate.rollout.rollout import revert
from tests.migrate.rollout.acting import World

FORBIDDEN = ("polars", "numba", "numpy", "openfeature", "tallow.engine", "tallow.migrate.shadow")
BLOCKED = f"""
import sys
class Blocked:
    def find_spec(self, name, *_):
        if name in {FORBIDDEN}:
            raise ImportError(name + " must not be needed")
sys.meta_path.insert(0, Blocked())
from tallow.serve.cli import main
sys.argv = ["tallow", "rollout", "revert", sys.argv[1], "--reason", "now", "--who", "ann@desk"]
main()
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.person.start()
    world.person.advance()
    text = world.flags.read_text() + '\n[flags.engine.instruments]\nA = "candidate"\n'
    world.flags.write_text(text)
    return world


def test_neither_engines_nor_frames_nor_openfeature_are_needed(world: World) -> None:
    plan = world.folder / "plan.toml"
    result = subprocess.run(
        [sys.executable, "-c", BLOCKED, plan], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "engine: off for every instrument\n"
    assert (world.log()[-2].who, world.log()[-2].facts["reason"]) == ("ann@desk", "now")
    assert read_setting(world.flags, "engine") == OFF


def test_instruments_set_apart_are_off_too(world: World) -> None:
    decision = decide("engine", FileProvider(world.flags))
    assert decision("A") == "candidate"
    assert revert(world.plan.paths, clock=world.clock) == []
    assert {decision(key) for key in ("A", "B", "C")} == {"off"}
    assert 'A = "candidate"' in world.flags.read_text()


def test_a_revert_counts_where_files_cannot_be_locked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_number: int, *, blocking: bool) -> bool:
        raise OSError(errno.ENOSYS, "no locks here")

    monkeypatch.setattr(audit, "lock_descriptor", refuse)
    assert "no locks here; choose another place" in revert(world.plan.paths)[0]
    assert read_setting(world.flags, "engine") == OFF
    with pytest.raises(RolloutError, match="no locks here"):
        world.person.advance()


def test_a_wrong_plan_is_no_hindrance(world: World) -> None:
    plan = world.folder / "plan.toml"
    plan.write_text(plan.read_text().replace("calls = 100", "calls = -1\nstagess = 3"))
    with pytest.raises(RolloutError):
        _ = world.plan
    assert revert(read_paths(plan)) == []
    assert read_setting(world.flags, "engine") == OFF


def damage_log(folder: Path) -> None:
    log = folder / "rollout.log"
    log.write_text(log.read_text().replace('"n":2', '"n":7'))


def log_is_a_folder(folder: Path) -> None:
    (folder / "rollout.log").unlink()
    (folder / "rollout.log").mkdir()


def lock_is_a_folder(folder: Path) -> None:
    (folder / "rollout.log.lock").unlink()
    (folder / "rollout.log.lock").mkdir()


def cut_flags(folder: Path) -> None:
    flags = folder / "flags.toml"
    flags.write_bytes(flags.read_bytes()[:-3])


def wrong_flag(folder: Path) -> None:
    flags = folder / "flags.toml"
    flags.write_text(flags.read_text().replace('off = "off"', "off = 0"))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (damage_log, "line 2 is not what was written there"),
        (log_is_a_folder, "Is a directory"),
        (lock_is_a_folder, "Is a directory"),
        (cut_flags, "Its old content is in flags.toml.before-"),
        (wrong_flag, "types=int, str; all must be of one"),
    ],
)
def test_it_is_off_first_and_complains_after(
    world: World, harm: Callable[[Path], None], told: str
) -> None:
    harm(world.folder)
    problems = revert(world.plan.paths)
    assert len(problems) == 1
    assert told in problems[0]
    assert read_setting(world.flags, "engine") == OFF


def test_a_flag_file_that_was_deleted_is_made(world: World) -> None:
    decision = decide("engine", FileProvider(world.flags))
    assert decision("A") == "candidate"
    world.flags.unlink()
    assert decision("A") == "candidate"
    assert revert(world.plan.paths) == []
    assert decision("A") == "off"


def test_a_full_disk_is_no_hindrance(world: World) -> None:
    # No file of this process may be longer than the old flag file, less what it needs for the log.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    world.flags.write_text(world.flags.read_text() + "#" * 2_000)
    size = (world.folder / "rollout.log").stat().st_size
    assert size < world.flags.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        problems = revert(world.plan.paths)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert "File too large" in " ".join(problems)
    assert read_setting(world.flags, "engine") == OFF
    # The next controller finds it off, and takes that over.
    assert world.controller.step().phase == "reverted"


def test_a_lock_that_is_held_is_not_waited_for(world: World) -> None:
    with world.controller.guard(), world.controller._journal.log.locked():
        problems = revert(world.plan.paths, "now")
    assert len(problems) == 1
    assert "is held by another process" in problems[0]
    assert read_setting(world.flags, "engine") == OFF
    assert world.controller.step().reason == "now"


def test_a_controller_that_slept_while_it_advanced_does_not_undo_it(world: World) -> None:
    controller: Controller = world.controller
    for _ in range(2):
        world.clock.wait(61)
    real = os.fsync
    number = world.person.state().number

    def revert_meanwhile(fd: Any) -> None:
        real(fd)
        # As soon as the advance is in the log, before the flag file is replaced.
        if world.person.state().number == number + 1:
            os.fsync = real
            revert(world.plan.paths, "now")

    os.fsync = revert_meanwhile
    try:
        with pytest.raises(RolloutError, match="changed meanwhile"):
            world.person.advance()
    finally:
        os.fsync = real
    assert read_setting(world.flags, "engine") == OFF
    assert controller.step().phase == "reverted"


def test_where_nothing_can_be_written_it_says_what_to_do(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "flags.toml"
    with pytest.raises(ValueError, match="write enabled = false"):
        force_off(missing, "engine")


def test_a_setting_keeps_all_else_in_the_file(tmp_path: Path) -> None:
    for name, text in {
        "flags.json": '{"flags": {"other": {"variants": {"a": 1}, "default": "a"}}}',
        "flags.toml": '# ours\n[flags]\nother = { variants = { a = 1 }, default = "a" } # old\n',
    }.items():
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o640)
        link = tmp_path / f"link-{name}"
        link.symlink_to(path)
        for setting in (Setting("shadow", 12.5), Setting("shadow"), OFF, Setting("off", 50)):
            write_setting(link, "engine", setting)
            assert read_setting(path, "engine") == setting
        assert FileProvider(path).resolve_integer_details("other", 0).value == 1
        assert path.stat().st_mode & 0o777 == 0o640
        assert link.is_symlink()
    assert (tmp_path / "flags.toml").read_text().startswith("# ours\n[flags]\nother")


@pytest.mark.parametrize("text", ["{", "[]", '{"flags": 3}', "\0", "flags = []"])
@pytest.mark.parametrize("name", ["flags.json", "flags.toml"])
def test_a_file_of_any_content_is_off(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert f"Its old content is in {name}.before-" in str(force_off(path, "engine"))
    assert read_setting(path, "engine") == OFF
    (aside,) = tmp_path.glob("*.before-*")
    assert aside.read_text() == text


NOBODY, SOMEBODY = 65_534, 65_533
two_users = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for two users")


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a rollout whose files are all of the user who serves, for that user alone."""
    folder = tmp_path_factory.mktemp("served")
    for above in (folder, *folder.parents):
        if above.stat().st_uid == os.geteuid() and not above.stat().st_mode & 0o001:
            above.chmod(0o755)
    world = World(folder)
    world.person.start()
    world.person.advance()
    for path in (folder, *folder.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    world.flags.chmod(0o600)
    return world


def stage_as_served(world: World) -> str:
    provider = FileProvider(world.flags)
    with acting_as(NOBODY):
        return decide("engine", provider)("X")


@two_users
def test_a_revert_by_root_counts_for_those_who_serve(served: World) -> None:
    (served.folder / "rollout.log").unlink()
    paths = read_paths(served.folder / "plan.toml")
    assert not [each for each in revert(paths, "wrong") if "flags" in each]
    assert stage_as_served(served) == "off"
    # What root made besides is theirs: their controller goes on with it.
    made = {path.name: path.stat().st_uid for path in served.folder.iterdir()}
    assert made == dict.fromkeys(made, NOBODY)


@two_users
def test_a_revert_that_does_not_count_says_so(served: World) -> None:
    """Another user may put files into the folder, and may neither read nor write this one."""
    served.folder.chmod(0o777)
    before = served.flags.read_bytes()
    with acting_as(SOMEBODY), pytest.raises(FlagError, match="the candidate is NOT off; do it as"):
        revert(read_paths(served.folder / "plan.toml"), "wrong")
    assert served.flags.read_bytes() == before


@two_users
def test_a_file_of_others_is_written_in_place_where_that_is_all_one_may(served: World) -> None:
    """A group may write the file, and the user who serves reads it as its owner only."""
    served.folder.chmod(0o777)
    os.chown(served.flags, NOBODY, SOMEBODY)
    served.flags.chmod(0o660)
    inode = served.flags.stat().st_ino
    groups = os.getgroups()
    os.setegid(SOMEBODY)
    os.setgroups([])
    try:
        with acting_as(SOMEBODY):
            revert(read_paths(served.folder / "plan.toml"), "wrong")
    finally:
        os.setegid(0)
        os.setgroups(groups)
    assert stage_as_served(served) == "off"
    assert (served.flags.stat().st_ino, served.flags.stat().st_uid) == (inode, NOBODY)


@two_users
def test_a_file_that_becomes_readable_again_counts(served: World) -> None:
    provider = FileProvider(served.flags)
    with acting_as(NOBODY):
        decide("engine", provider)
    os.chown(served.flags, 0, 0)
    write_setting(served.flags, "engine", OFF)
    with acting_as(NOBODY):
        assert provider.problem is not None
    served.flags.chmod(0o644)
    with acting_as(NOBODY):
        assert decide("engine", provider)("X") == "off"
        assert provider.problem is None

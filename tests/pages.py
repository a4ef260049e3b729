"""What tests of pages share: a page's blocks run in order, in an empty folder, as they are printed.

A line of a block of commands runs in a shell of its own, a block of Python in a process of its own.
Python whose first line is a comment with a file's name is put into that file instead; a block of
TOML is read. What is printed is compared where the page shows it in a block of text.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.service.program import free_port
from tests.sizes import sized

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w/.]+\.py)\n")

REPRESENTED = {
    "make demo": f"tallow demo {sized('--instruments 5 --sessions 5', '--instruments 20')}",
    "make test": "",
}
"""What stands for commands that install or take minutes: what they run after it, of a part of the
market, or nothing, as the environment of the tests is there, and the tests are what runs."""

UNTIL_CTRL_C = re.compile(r"^tallow (live(?!.*--speed 0)|rollout run(?!.*--once))\b")
"""Commands that go on until a person ends them."""

SERVES = "tallow serve "
"""Begins a command that other commands of the page talk to: it runs until the page ends."""

PORT, OWN_PORT = "127.0.0.1:8765", f"127.0.0.1:{free_port()}"
"""Where a page's service is, and where it is in the tests, which other services run beside."""

UNWATCHED = "tallow rollout status"
"""Ends with 1 where it shows that nobody watches a rollout: so it is where a page gives it."""


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the language and the text of a page's blocks; without a language they are commands."""
    for indent, language, text in BLOCK.findall(page.read_text("utf-8")):
        yield language or "bash", re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)


def _here(found: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield blocks that ask the service of the tests."""
    for language, text in found:
        yield language, text.replace(PORT, OWN_PORT)


def commands(text: str) -> list[str]:
    """Return the commands of a block, without what is remarked beside them."""
    lines = text.replace("\\\n", " ").splitlines()
    found = (re.sub(r"\s{2,}# .*|^# .*", "", line).strip() for line in lines)
    return [line for line in found if line]


def run_page(page: Path, folder: Path) -> None:
    """Run all blocks of a page in a folder."""
    printed = ""
    with ExitStack() as served:
        for language, text in _here(blocks(page)):
            if language == "text":
                assert printed == text, f"{page.name}: shows other than what is printed"
            elif language == "python":
                printed = _run_python(folder, text)
            elif language == "toml":
                tomllib.loads(text)
            else:
                assert language == "bash", f"{page.name}: a block of {language}"
                for command in commands(text):
                    if command.startswith(SERVES):
                        served.enter_context(_served(folder, command))
                    else:
                        printed = run_command(folder, command)


def run_commands(page: Path, folder: Path) -> int:
    """Run what a page of reference shows of Python and of a shell; return how many commands."""
    count = 0
    for language, text in _here(blocks(page)):
        if language == "python":
            _run_python(folder, text)
        for command in commands(text) if language == "bash" else ():
            run_command(folder, command)
            count += 1
    return count


def _run_python(folder: Path, text: str) -> str:
    named = FILE.match(text)
    if named is None:
        return _run(folder, ["python", "-c", text])
    path = folder / named[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return ""


def run_command(folder: Path, command: str) -> str:
    """Run a command in a folder, or what stands for it; return what it printed."""
    command = REPRESENTED.get(command, command)
    if UNTIL_CTRL_C.match(command):
        return _run_until_ctrl_c(folder, command)
    usual = {1} if command == UNWATCHED else {0}
    if command.startswith("tallow compare "):
        # Whether it is go hangs on how busy the machine is.
        usual = {0, 1}
    return _run(folder, ["bash", "-c", command], usual) if command else ""


def _run(folder: Path, words: list[str], codes: Collection[int] = (0,)) -> str:
    done = subprocess.run(
        words, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode in codes, f"{words[-1]}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def _served(folder: Path, command: str) -> Iterator[None]:
    """Run a service as a person does, beside what follows; give it when it listens."""
    log = folder / "serve.log"
    with (
        log.open("w") as lines,
        subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=folder,
            env=environment(folder),
            stdout=subprocess.DEVNULL,
            stderr=lines,
        ) as process,
    ):
        while process.poll() is None and "listening" not in log.read_text():
            time.sleep(0.1)
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0, log.read_text()


def _run_until_ctrl_c(folder: Path, command: str) -> str:
    """Run a command until it has printed a line, and end it as a person does."""
    with subprocess.Popen(
        # The shell becomes the program, which then gets the signal.
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate()
    assert first, f"{command}\n{errors}"
    assert process.returncode in {0, 130}, f"{command}\n{first}{rest}{errors}"
    return first + rest


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of a newcomer's shell in which the folder's environment is active."""
    programs = folder / ".venv" / "bin"
    if not programs.exists():
        _make_environment(folder / ".venv")
    # What the commands run is measured where it is tested by itself: here it would cost minutes.
    left = ("TALLOW_STORE", "TALLOW_PORT", "COV_CORE", "COVERAGE")
    own = {name: value for name, value in os.environ.items() if not name.startswith(left)}
    return own | {
        "PATH": f"{programs}{os.pathsep}{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(programs.parent),
        "TALLOW_PORT": OWN_PORT.rpartition(":")[2],
        # pip takes what it needs from the environment of the tests.
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
    }


def _make_environment(place: Path) -> None:
    """Make a fresh environment, which has what that of the tests has, and keeps what is added."""
    venv.create(place, with_pip=False, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    # As a site, or files that name further folders would not be looked at.
    all_here = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (site / "of_the_tests.pth").write_text(all_here)
    program = place / "bin" / "tallow"
    # Guarded, as pip writes it: processes that the program starts import it.
    body = "from tallow.__main__ import main\n\nif __name__ == '__main__':\n    main()\n"
    program.write_text(f"#!{place}/bin/python\n{body}")
    program.chmod(0o755)

"""Install with pip, and show how far it is: ``python tools/install.py TITLE PIP-ARGUMENT...``.

On a terminal one line moves; elsewhere each step has a line. What pip itself says is shown only
where it fails. Needs nothing but Python: it runs before anything is installed.
"""

from __future__ import annotations

import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

PIP = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile")
"""A module is compiled when it is first imported: most of what comes along never is."""

TICK_SECONDS = 0.5
STEPS = (
    (re.compile(r"Collecting ([\w.-]+)"), "collecting", "collecting packages"),
    (re.compile(r" +Downloading (\S+? \(.*\))"), "downloading", ""),
    (re.compile(r"Installing collected packages: .*"), "unpacking", "unpacking packages"),
)
"""What pip's lines begin with, the word for it on a terminal, and the whole line elsewhere."""


def install(title: str, arguments: Sequence[str]) -> int:
    """Run pip and show its steps; return its exit code."""
    began, said = time.monotonic(), []
    print(title, flush=True)
    pip = subprocess.Popen(
        [*PIP, "--progress-bar", "off", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    show = _MovingLine(began) if sys.stdout.isatty() else _PlainLines()
    for line in _lines(pip):
        said.append(line)
        show.step(line)
    code = pip.wait()
    show.end()
    if code:
        sys.stderr.writelines(said)
        print(f"pip could not install: exit code {code}; see above", file=sys.stderr)
    else:
        print(f"  done in {time.monotonic() - began:.0f} s", flush=True)
    return code


def _lines(pip: subprocess.Popen[str]) -> Iterator[str]:
    """Yield pip's lines, and an empty text in each tick in which it says nothing."""
    waiting: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in pip.stdout or ():
            waiting.put(line)
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = waiting.get(timeout=TICK_SECONDS)
        except queue.Empty:
            line = ""
        if line is None:
            return
        yield line


class _MovingLine:
    """The step that pip is at, and the seconds, in one line that is written again and again."""

    def __init__(self, began: float) -> None:
        self._began, self._step = began, "starting"

    def step(self, line: str) -> None:
        """Show what a line of pip says, or that time goes by."""
        for pattern, word, _ in STEPS:
            found = pattern.match(line)
            if found:
                packages = f"{line.count(',') + 1} packages"
                self._step = f"{word} {found[1] if found.groups() else packages}"
        self._write(f"  {time.monotonic() - self._began:3.0f} s  {self._step}")

    def end(self) -> None:
        """Erase the line."""
        self._write("")

    def _write(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        # To the line's begin, and what stood there is erased.
        print(f"\r\x1b[K{text[:width]}", end="", flush=True)


class _PlainLines:
    """A line for each step, the first time that pip is at it."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def step(self, line: str) -> None:
        """Print a step that was not printed before."""
        for pattern, _, text in STEPS:
            if text and text not in self._shown and pattern.match(line):
                self._shown.add(text)
                print(f"  {text}", flush=True)

    def end(self) -> None:
        """Print nothing: all lines are whole."""


if __name__ == "__main__":
    sys.exit(install(sys.argv[1], sys.argv[2:]))

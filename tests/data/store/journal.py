"""What a process asked the system to do to files, in its order, and what a loss of power may leave.

The calls are those that `strace` saw, so that nothing is missed that a library does by itself. Not
seen: what is written through memory (SQLite's ``-shm``, which no store needs after a crash), and in
which order the disk's own cache forgets.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

CALLS = (
    "openat,close,write,pwrite64,writev,pwritev,lseek,ftruncate,fsync,fdatasync,rename,renameat,"
    "renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,clone,clone3,fork,vfork"
)
MODELS = ("strict", "names", "sizes", "prefix")
"""Kept of what was not waited for: nothing; names only, files empty; names and sizes, with zeros;
the first so many names, and of each file its first so many writes."""

_BEGINNING = ("clone", "clone3", "fork", "vfork")

_CALL = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)")
_END = re.compile(r"(.*)\) += (-?\d+)")


@dataclass(frozen=True)
class Step:
    """One change: `kind` is create, write, cut, mkdir, move, link, remove, sync or say."""

    kind: str
    file: int = -1
    path: str = ""
    other: str = ""
    at: int = 0
    data: bytes = b""


@dataclass
class Journal:
    """The steps below one folder."""

    root: str
    steps: list[Step] = field(default_factory=list)
    _names: dict[str, int] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=set)
    _open: dict[int, int | str] = field(default_factory=dict)
    _places: dict[int, int] = field(default_factory=dict)
    _files: int = 0

    def read(self, trace: Path) -> Journal:
        """Take the calls of a trace; a call counts when it returned."""
        begun: dict[str, str] = {}
        others: set[str] = set()
        for line in trace.read_text().splitlines():
            found = _CALL.match(line)
            if found is None:
                continue
            pid, name, how, rest = found.groups()
            if "<unfinished" in rest:
                begun[pid] = rest.partition(" <unfinished")[0]
                continue
            rest = begun.pop(pid, "") + rest if how != "(" else rest
            end = _END.fullmatch(rest)
            if end is None or int(end[2]) < 0 or pid in others:
                continue
            if name in _BEGINNING:
                # A process that is no thread has numbers of its own for what it opens.
                others |= set() if "CLONE_FILES" in rest else {end[2]}
            else:
                self._take(name, end[1].split(", "), int(end[2]))
        return self

    def _take(self, name: str, args: list[str], result: int) -> None:
        texts = [_bytes(arg) for arg in args if arg.startswith('"')]
        paths = [text.decode(errors="replace") for text in texts]
        inside = [path for path in paths if path == self.root or path.startswith(f"{self.root}/")]
        if name == "openat":
            self._opened(paths[0], args[2], result)
        elif name in ("write", "pwrite64"):
            self._written(int(args[0]), texts, args, result, name == "pwrite64")
        elif name == "close":
            self._open.pop(int(args[0]), None)
        elif name == "lseek":
            self._places[int(args[0])] = result
        elif name in ("fsync", "fdatasync", "ftruncate", "writev", "pwritev"):
            file = self._open.get(int(args[0]))
            assert file is None or "writev" not in name, args
            if file is not None and name == "ftruncate":
                self.steps.append(Step("cut", int(file), at=int(args[1])))
            elif isinstance(file, int):
                self.steps.append(Step("sync", file))
            elif file is not None:
                self.steps.append(Step("sync", path=file))
        elif inside and name.startswith("mkdir"):
            self._folders.add(inside[0])
            self.steps.append(Step("mkdir", path=inside[0]))
        elif inside and name.startswith("unlink"):
            self._names.pop(inside[0], None)
            self.steps.append(Step("remove", path=inside[0]))
        elif len(inside) == 2:
            file = self._names[inside[0]] if name[0] == "l" else self._names.pop(inside[0])
            self._names[inside[1]] = file
            kind = "link" if name[0] == "l" else "move"
            self.steps.append(Step(kind, file, inside[0], inside[1]))

    def _opened(self, path: str, flags: str, number: int) -> None:
        self._open.pop(number, None)
        self._places[number] = 0
        if path in self._folders or self.root.startswith(path.rstrip("/") + "/"):
            self._open[number] = path
        elif path.startswith(f"{self.root}/"):
            if path not in self._names:
                self._names[path], self._files = self._files, self._files + 1
                self.steps.append(Step("create", self._names[path], path))
            self._open[number] = self._names[path]
            if "O_TRUNC" in flags:
                self.steps.append(Step("cut", self._names[path]))

    def _written(
        self, number: int, texts: list[bytes], args: list[str], count: int, is_placed: bool
    ) -> None:
        if number == 1:
            self.steps.append(Step("say", data=texts[0]))
        elif isinstance(file := self._open.get(number), int):
            at = int(args[3]) if is_placed else self._places[number]
            if not is_placed:
                self._places[number] = at + count
            self.steps.append(Step("write", file, at=at, data=texts[0][:count]))

    def leave(self, until: int, model: str, target: Path, draw: random.Random) -> None:
        """Make a folder as it may be found after the power went, so many steps having been done."""
        steps = self.steps[:until]
        names = _names(steps, model, draw)
        bodies = _bodies(steps, model, draw)
        for path, file in names.items():
            there = target / Path(path).relative_to(self.root)
            if file is None:
                there.mkdir(parents=True, exist_ok=True)
            else:
                there.parent.mkdir(parents=True, exist_ok=True)
                there.write_bytes(bodies.get(file, b""))


def _names(steps: Sequence[Step], model: str, draw: random.Random) -> dict[str, int | None]:
    """Return the names that are left, with the numbers of their files; None is a folder."""
    changes = [i for i, step in enumerate(steps) if step.path and step.kind != "sync"]
    synced = [(i, step.path) for i, step in enumerate(steps) if step.kind == "sync" and step.path]
    safe = [i for i in changes if any(at > i and _above(steps[i]) == path for at, path in synced)]
    rest = [i for i in changes if i not in set(safe)]
    if model == "strict":
        rest = []
    if model == "prefix":
        rest = rest[: draw.randint(0, len(rest))]
    names: dict[str, int | None] = {}
    for i in sorted([*safe, *rest]):
        step = steps[i]
        if step.kind in ("create", "mkdir"):
            names[step.path] = step.file if step.kind == "create" else None
        elif step.kind == "remove":
            names.pop(step.path, None)
        else:
            names[step.other] = step.file
            if step.kind == "move":
                names.pop(step.path, None)
    return names


def _above(step: Step) -> str:
    return str(Path(step.other or step.path).parent)


def _bodies(steps: Sequence[Step], model: str, draw: random.Random) -> dict[int, bytes]:
    synced = {step.file: i for i, step in enumerate(steps) if step.kind == "sync"}
    changed: dict[int, list[tuple[Step, bool]]] = {}
    for i, step in enumerate(steps):
        if step.kind in ("write", "cut"):
            changed.setdefault(step.file, []).append((step, i < synced.get(step.file, -1)))
    return {file: _body(each, model, draw) for file, each in changed.items()}


def _body(changes: Sequence[tuple[Step, bool]], model: str, draw: random.Random) -> bytes:
    loose = sum(not safe for _, safe in changes)
    kept = draw.randint(0, loose) if model == "prefix" else 0
    body = bytearray()
    for step, safe in changes:
        data = step.data
        if not safe and kept > 0:
            kept -= 1
        elif not safe and model == "sizes" and step.kind == "write":
            data = bytes(len(data))
        elif not safe:
            continue
        if step.kind == "cut":
            body = body[: step.at].ljust(step.at, b"\0")
        else:
            body = body.ljust(step.at, b"\0")
            body[step.at : step.at + len(data)] = data
    return bytes(body)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.strip('"').replace("\\x", ""))


def record(command: Sequence[str], root: Path, cwd: Path, trace: Path) -> Journal:
    """Run a command; return what it did below a folder that is not there yet."""
    watched = ["strace", "-f", "-qq", "-xx", "-s", "9999999", "-e", f"trace={CALLS}"]
    subprocess.run([*watched, "-o", str(trace), *command], cwd=cwd, check=True, capture_output=True)
    return Journal(str(root)).read(trace)


def record_work(work: str, folder: Path) -> Journal:
    """Return what a program did that is given a store's path; skip where strace is missing."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    command = [sys.executable, "-c", work, str(folder / "above" / "store")]
    return record(command, folder / "above", ROOT, folder / "trace")

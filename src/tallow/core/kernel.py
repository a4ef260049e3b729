"""The one way to compile a kernel, and where compiled kernels are kept.

Numba's disk cache looks at the file of a kernel only: an edit in another file that the kernel calls
into would be missed, and old numbers served in silence. So the cache folder's name carries a digest
of every source file that holds kernels, of those that these import, and Numba's version. A change
elsewhere leaves compiled kernels as they are. Snapshots and saved states are kept by declared
versions: changed words in a kernel's file cost a compilation, and no saved state.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from tallow.core.disk import may_access
from tallow.core.errors import TallowWarning
from tallow.core.limits import COMPILE_SECONDS
from tallow.core.private import is_private, own_folder

_KERNEL_FOLDERS = ("data/kernels", "indicators")
_IS_KERNEL = re.compile(r"^@kernel", re.MULTILINE)
_IMPORT = re.compile(r"^(?:from|import) tallow\.([\w.]+)(?: import (.*))?", re.MULTILINE)

F = TypeVar("F", bound=Callable[..., Any])
Scalar = TypeVar("Scalar", bound=np.generic)


@cache
def kernel_digest() -> str:
    """Return a digest of all kernel sources and the Numba version, as 16 hexadecimal digits."""
    digest = hashlib.sha256(metadata.version("numba").encode())
    digest.update(metadata.version("llvmlite").encode() + sys.version.encode())
    for _, text in sorted(_kernel_sources().items()):
        digest.update(text)
    return digest.hexdigest()[:16]


def _kernel_sources() -> dict[Path, bytes]:
    """Return the text of each file that holds kernels, and of what it imports, by path.

    A constant of another module is compiled into a kernel, so its file belongs to it.
    """
    package = Path(__file__).resolve().parent.parent
    files = (file for name in _KERNEL_FOLDERS for file in (package / name).rglob("*.py"))
    texts = {file: file.read_bytes() for file in files}
    waiting = [file for file, text in texts.items() if _IS_KERNEL.search(text.decode())]
    found: dict[Path, bytes] = {}
    while waiting:
        file = waiting.pop()
        if file not in found:
            found[file] = texts.get(file) or file.read_bytes()
            waiting += _imported_files(package, found[file].decode())
    return found


def _imported_files(package: Path, text: str) -> Iterator[Path]:
    """Yield this package's files that a source imports at its top; all of a package."""
    for module, names in _IMPORT.findall(text):
        target = package.joinpath(*module.split("."))
        if target.is_dir():
            named = [target / f"{name.strip()}.py" for name in names.split(",")]
            yield from [file for file in named if file.is_file()] or target.glob("*.py")
        elif target.with_suffix(".py").is_file():
            yield target.with_suffix(".py")


@cache
def cache_folder() -> Path:
    """Return the folder of compiled kernels: below ``TALLOW_CACHE_DIR``, or the user's cache.

    What is in it is run. One that others may write to is not used, nor one where this user may not
    write, or has no home: then each process compiles kernels again, and a `TallowWarning` says so.
    """
    try:
        folder = _cache_root() / f"kernels-{kernel_digest()}"
    except RuntimeError:
        return _temporary_folder("this user has no home")
    if not is_private(folder):
        return _temporary_folder(
            f"folder={folder}; others may write there, and compiled code is run"
        )
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if may_access(folder, os.R_OK | os.W_OK | os.X_OK):
        return folder
    return _temporary_folder(f"folder={folder}; this user may not write there")


def _temporary_folder(why: str) -> Path:
    """Return a folder for this process alone, and say once why it is used."""
    folder = own_folder()
    warnings.warn(
        f"kernels: {why}; they are compiled again in each process, into {folder}; set "
        "TALLOW_CACHE_DIR to a folder that is yours alone",
        TallowWarning,
        stacklevel=3,
    )
    return folder


def _cache_root() -> Path:
    chosen = os.environ.get("TALLOW_CACHE_DIR")
    if chosen:
        return Path(chosen)
    name = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    kept = os.environ.get(name)
    usual = "" if sys.platform == "win32" else ".cache"
    return (Path(kept) if kept else Path.home() / usual) / "tallow"


@contextmanager
def compiling_beside(statements: str) -> Iterator[None]:
    """Let another process run statements meanwhile, for the kernels which these compile.

    It does so where there is more than one core, and compiled kernels are kept. A failure there is
    no loss: what is missing is compiled here.
    """
    process = None
    if (os.cpu_count() or 1) > 1 and cache_folder().name == f"kernels-{kernel_digest()}":
        with suppress(OSError):
            process = subprocess.Popen(
                [sys.executable, "-c", statements],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
    try:
        yield
    finally:
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(COMPILE_SECONDS)
            process.kill()
            process.wait()


def is_compiled(function: Callable[..., Any]) -> bool:
    """Say whether this kernel was compiled on this machine before, in exactly this version."""
    if not hasattr(function, "py_func"):
        # A user's kernel in plain Python has nothing to compile.
        return True
    module = function.__module__.rpartition(".")[2]
    return any(cache_folder().glob(f"*/{module}.{function.__name__}-*.nbi"))


def read_only(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return a read-only view: what kernels take as inputs.

    Numba compiles a kernel once for writable and once for read-only arrays, and what comes out of a
    frame is read-only already; so all inputs are, and no kernel can change its input.
    """
    view = array.view()
    view.setflags(write=False)
    return view


def kernel(function: F) -> F:
    """Compile a module-level function, releasing the GIL, with a disk cache.

    No ``fastmath`` and no ``parallel``: both reorder sums, and then a chunk's bits depend on its
    length. The compiled function keeps its Python twin as ``py_func``.
    """
    return _compile(function)


def kernel_quick(function: F) -> F:
    """Compile a kernel of some microseconds: it keeps the GIL.

    It runs while a lock is held, and would have to wait for other threads to give the GIL back.
    """
    return _compile(function, nogil=False)


def kernel_part(function: F) -> F:
    """Compile a function that only kernels call; without its Python entry that is much faster."""
    return _compile(function, no_cpython_wrapper=True)


def kernel_step(function: F) -> F:
    """Compile a function that kernels call on every row, to become a part of its callers.

    For what takes the state: a call that counts references to it costs more than a step.
    """
    return _compile(function, no_cpython_wrapper=True, forceinline=True)


def _compile(function: F, **options: bool) -> F:
    """Compile with the cache folder set only while Numba binds this function to it.

    The setting is global, and the caller's own Numba functions keep theirs.
    """
    import numba

    settings: Any = numba.config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(cache_folder())
    try:
        # Any: Numba's types do not know all of its options.
        njit: Any = numba.njit
        compile_ = njit(
            cache=True, error_model="numpy", no_cfunc_wrapper=True, **{"nogil": True, **options}
        )
        return cast("F", compile_(function))
    finally:
        settings.CACHE_DIR = before

"""Goal: compiled kernels are kept where no other version finds them, and say what they are.

Method: the folder's name is looked at after changes of the sources it depends on; a kernel is
compiled in a process of its own, with a cache that is empty, and then again.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tallow.core import kernel as module
from tallow.core.errors import TallowWarning
from tallow.core.kernel import cache_folder, is_compiled, kernel_digest, read_only
from tallow.core.registry import registry

SOURCES = Path(module.__file__).parents[1]


@pytest.fixture
def _fresh():
    for each in (cache_folder, kernel_digest):
        each.cache_clear()
    yield
    for each in (cache_folder, kernel_digest):
        each.cache_clear()


@pytest.mark.usefixtures("_fresh")
def test_the_folder_can_be_chosen(monkeypatch, tmp_path):
    for variable, expected in (
        ("TALLOW_CACHE_DIR", tmp_path),
        ("XDG_CACHE_HOME", tmp_path / "tallow"),
    ):
        cache_folder.cache_clear()
        monkeypatch.delenv("TALLOW_CACHE_DIR", raising=False)
        monkeypatch.setenv(variable, str(tmp_path))
        assert cache_folder() == expected / f"kernels-{kernel_digest()}"
    cache_folder.cache_clear()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder().parent == tmp_path / "local" / "tallow"


@pytest.mark.usefixtures("_fresh")
def test_an_edit_in_a_kernels_file_or_in_what_it_imports_changes_the_folder(monkeypatch, tmp_path):
    """A kernel calls into other files, which Numba's own cache does not look at."""
    texts = {
        "core/kernel.py": "",
        "core/limits.py": "ROWS = 1\n",
        "core/marks.py": "MARK = 1\n",
        "data/kernels/rows.py": "from tallow.core.limits import ROWS\n@kernel\n",
        "data/reading/files.py": "from tallow.data.kernels.rows import a\n",
        "data/kernels/wing/sums.py": "from tallow.core import marks\n@kernel_part\n",
        "serve/page.py": "from tallow.data.kernels.rows import a\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "core" / "kernel.py"))
    before, changed = kernel_digest(), set()
    for name, text in texts.items():
        (tmp_path / name).write_text(f"{text}# edited\n")
        kernel_digest.cache_clear()
        if kernel_digest() != before:
            changed.add(name)
        (tmp_path / name).write_text(text)
    assert changed == {
        "core/limits.py",
        "core/marks.py",
        "data/kernels/rows.py",
        "data/kernels/wing/sums.py",
    }


def test_kernels_stand_in_their_rooms_and_nowhere_else():
    """What is compiled is kept by the text of these files."""
    package = Path(module.__file__).parents[1]
    found = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if re.search(r"^@kernel", file.read_text(), re.MULTILINE)
    }
    rooms = ("indicators/", "data/kernels/")
    assert found
    assert not {file for file in found if not file.startswith(rooms)}


def test_read_only_is_a_view():
    values = np.arange(3.0)
    view = read_only(values)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1.0
    values[0] = 7.0
    assert view[0] == 7.0


def test_a_plain_function_has_nothing_to_compile():
    assert is_compiled(lambda *_: None)


PROBE = """
import polars as pl
from tallow import AnalyticsEngine
engine = AnalyticsEngine({"A": "XNSE"}, threads=1)
print(engine.is_warm("wma(3)"))
steps = []
engine.warm_up("wma(3)", lambda *step: steps.append(step))
print(engine.is_warm("wma(3)"), steps)
import numba
print(numba.config.CACHE_DIR == "")
"""


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_the_first_use_compiles_and_the_second_finds_it(tmp_path):
    """An engine warms up with an instrument that its calendars know."""
    environment = {**os.environ, "TALLOW_CACHE_DIR": str(tmp_path)}
    environment.pop("NUMBA_CACHE_DIR", None)
    printed = [
        subprocess.run(
            [sys.executable, "-c", PROBE],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")[:3]
        for _ in range(2)
    ]
    assert printed == [
        ["False", "True [(1, 1)]", "True"],
        ["True", "True [(1, 1)]", "True"],
    ]
    assert list(Path(tmp_path).iterdir()) == [tmp_path / f"kernels-{kernel_digest()}"]


def test_every_built_in_kernel_has_its_python_twin():
    for indicator in registry().by_name.values():
        assert callable(getattr(indicator.advance, "py_func", indicator.advance))


def test_who_may_not_write_to_the_cache_compiles_for_one_process(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.delenv("TALLOW_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.warns(TallowWarning, match="this user may not write there") as said:
        folder = cache_folder.__wrapped__()
    assert f"into {folder}; set TALLOW_CACHE_DIR" in str(said[0].message)
    assert folder.is_dir()
    assert tmp_path not in folder.parents


def functions(tree: ast.AST) -> Iterator[tuple[ast.FunctionDef, set[str]]]:
    """Yield a module's functions with the names of their decorators."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node, {each.id for each in node.decorator_list if isinstance(each, ast.Name)}


def calls(function: ast.FunctionDef) -> set[str]:
    found = (each.func for each in ast.walk(function) if isinstance(each, ast.Call))
    return {each.id for each in found if isinstance(each, ast.Name)}


def test_parts_of_kernels_are_called_by_kernels_only():
    """They have no entry from Python: such a call ends the process."""
    trees = {
        ".".join(path.relative_to(SOURCES.parent).with_suffix("").parts): ast.parse(
            path.read_text("utf-8")
        )
        for path in SOURCES.rglob("*.py")
    }
    parts = {
        name: {
            each.name for each, marks in functions(tree) if marks & {"kernel_part", "kernel_step"}
        }
        for name, tree in trees.items()
    }
    assert sum(map(len, parts.values())) > 20
    for name, tree in trees.items():
        here = set(parts[name])
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                there = parts.get(node.module or "", set())
                here |= {each.asname or each.name for each in node.names if each.name in there}
        for function, marks in functions(tree):
            wrong = here & calls(function)
            assert marks & {"kernel", "kernel_quick", "kernel_part", "kernel_step"} or not wrong, (
                name,
                function.name,
                wrong,
            )

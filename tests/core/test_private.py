"""Goal: compiled code is loaded from folders that nobody else can write to, and from no other.

Method: folders with the rights that systems give them, and with those of a trap.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tallow.core import kernel
from tallow.core.errors import TallowWarning
from tallow.core.private import is_private


@pytest.mark.parametrize(("mode", "private"), [(0o700, True), (0o755, True), (0o777, False)])
def test_a_folder_that_others_write_to_is_not_private(
    mode: int, private: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(mode)
    assert is_private(folder) is private
    # Nor is what is below it, there or not.
    assert is_private(folder / "kernels") is private


def test_in_a_folder_for_all_only_owners_replace_what_is_theirs(tmp_path: Path) -> None:
    shared = tmp_path / "tmp"
    own = shared / "own"
    own.mkdir(parents=True)
    shared.chmod(0o1777)
    assert is_private(own)
    if os.geteuid() == 0:
        os.chown(own, 65_534, 65_534)
        assert not is_private(own)


def test_a_trap_is_told_and_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setenv("TALLOW_CACHE_DIR", str(tmp_path))
    with pytest.warns(TallowWarning, match="others may write there"):
        used = kernel.cache_folder.__wrapped__()
    assert tmp_path not in used.parents
    assert is_private(used)


def test_a_user_without_a_home_compiles_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("TALLOW_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    with pytest.warns(TallowWarning, match="this user has no home; they are compiled again"):
        folder = kernel.cache_folder.__wrapped__()
    assert is_private(folder)

"""Folders whose content is run, as compiled code is: nobody else may be able to write to them."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from functools import cache
from pathlib import Path


def is_private(folder: Path) -> bool:
    """Say whether only this user and root can write to a folder, or put another in its place.

    What does not exist yet is made by this user, if those above are.
    """
    if os.name != "posix":
        return True
    for each in (folder.absolute(), *folder.absolute().parents):
        try:
            found = each.stat()
        except OSError:
            continue
        if found.st_uid not in (0, os.geteuid()) or _others_write(found):
            return False
    return True


def _others_write(found: os.stat_result) -> bool:
    # In a folder such as /tmp, only the owner of what is there may put something in its place.
    if found.st_mode & stat.S_ISVTX:
        return False
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and _has_others(found.st_gid)


def _has_others(group: int) -> bool:
    """Say whether a group has members beside this user: many systems give each one a group."""
    import grp
    import pwd

    if group == 0:
        return False
    try:
        names = set(grp.getgrgid(group).gr_mem)
        names |= {entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == group}
        return bool(names - {pwd.getpwuid(os.geteuid()).pw_name})
    except KeyError:
        return group != os.getegid()


@cache
def own_folder() -> Path:
    """Return a new folder for this process alone, which goes with it."""
    folder = tempfile.mkdtemp(prefix="tallow-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)

"""What to do about a name that is no candle file: hints of messages."""

from __future__ import annotations

import difflib
import re
from itertools import islice
from pathlib import Path

NAMES_SEEN = 10_000
"""Names of a folder that are compared with the one that is not there."""

_LIKE_A_SPEC = re.compile(r"[A-Za-z]\w*\([^()]*\)?,?|[A-Za-z]\w*,")
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def missing_file_hint(path: Path) -> str:
    """Say what a path that does not exist may have meant."""
    if _LIKE_A_SPEC.fullmatch(path.name):
        return 'it reads like an indicator: put all of them into one pair of quotes, "ema(9), macd"'
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder} either; check the spelling"
    try:
        names = [each.name for each in islice(folder.iterdir(), NAMES_SEEN)]
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, n=1)
    if near:
        return f"did you mean {folder / near[0]}?"
    return "the path must exist; check its spelling"


def other_ending_hint(path: Path) -> str:
    """Say how a file of another kind becomes one that is read."""
    if path.suffix.lower() in WORKBOOKS:
        return "it is a workbook: open it, and save the sheet as CSV"
    return "rename or convert it"

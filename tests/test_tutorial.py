"""Goal: the tutorial works as it is printed.

Method: every block of the page is run in order, in an empty folder, each in a process of its own;
what a block prints is compared where the page shows it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(folder: Path, command: list[str]) -> str:
    """Run a command in the folder, with what was installed there; return what it printed."""
    site = folder / "site"
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        # pip puts packages into the folder, and takes what it needs from this environment.
        "PIP_TARGET": str(site),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_block_of_the_tutorial_runs_as_it_is_printed(tmp_path: Path) -> None:
    printed = ""
    for language, text in BLOCK.findall(PAGE.read_text("utf-8")):
        if language == "text":
            assert printed == text
        elif language == "python":
            printed = run(tmp_path, [sys.executable, "-c", text])
        else:
            assert language == "bash"
            for line in text.splitlines():
                run(tmp_path, ["bash", "-c", line])

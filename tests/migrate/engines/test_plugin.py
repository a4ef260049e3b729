"""Goal: an engine of a user's package is loaded by its name, and a broken one harms no other.

Method: a package with its metadata is written to a folder, and used by a fresh interpreter that has
the folder on its path, as if it had been installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ENGINE = """
    import polars as pl

    class Old:
        name, version = "old-desk", "desk 4"
        series = {"EMA9": "ema_9"}

        def answer(self, request):
            return pl.DataFrame({"instrument": ["A"], "x": [1.0]})

    ENGINE = Old()
"""

USE = """
    import sys
    import polars as pl
    from tallow.core.errors import EngineError
    from tallow.migrate.engines import load_engine
    from tallow.migrate.protocol import Request

    engine = load_engine("old-desk")
    print(engine.version, engine.answer(None)["x"].to_list(), load_engine("tallow").name)
    candles = pl.DataFrame(schema={"instrument": pl.String})
    stored = load_engine(sys.argv[1]).answer(Request(candles))
    print(stored.columns)
    try:
        load_engine("olddesk")
    except EngineError as error:
        print(error)
"""


def test_a_users_engine_is_nothing_special(tmp_path: Path) -> None:
    (tmp_path / "old_desk.py").write_text(dedent(ENGINE))
    metadata = tmp_path / "old_desk-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: old-desk\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[tallow.engines]\nold-desk = old_desk:ENGINE\nbroken = old_desk:NOTHING\n"
    )
    values = tmp_path / "values.csv"
    values.write_text("symbol,ts,EMA9\nA,2025-06-02T09:15:00Z,1.5\n")
    done = subprocess.run(
        [sys.executable, "-c", dedent(USE), str(values)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answered, columns, unknown = done.stdout.splitlines()
    assert answered == "desk 4 [1.0] tallow"
    # The names that it declares are known in stored values.
    assert columns == "['instrument', 'timestamp', 'ema_9']"
    assert "did you mean old-desk?" in unknown
    assert "broken = old_desk:NOTHING failed: AttributeError" in unknown

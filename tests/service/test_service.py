"""Goal: a service starts on an empty folder, answers, and stops.

Method: the real program, on a free port.
"""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from tests.service.program import served


def test_it_starts_on_an_empty_folder_and_answers(tmp_path: Path) -> None:
    with (
        served("--store", str(tmp_path / "candles")) as url,
        urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer,
    ):
        assert json.load(answer) == {"status": "ok"}
    assert (tmp_path / "candles").is_dir()

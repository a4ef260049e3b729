"""Goal: a user whom the system does not know gets words, where a store keeps something at home.

Method: a home that cannot be found, as in a container whose user has no entry.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tallow.core.errors import StoreError
from tallow.data.store.store import open_store


def test_a_user_without_a_home_is_told_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(StoreError, match="this user has no home; set XDG_STATE_HOME"):
        open_store("s3://bucket/candles")

"""Goal: what charts draw at another row is said, with the rows; and read there, it is what it says.

Method: a flag of a fractal is read at the row that its shift names, where the extreme must lie; the
reference page tells each shift.
"""

from __future__ import annotations

import numpy as np

from tallow.serve.reference import markdown
from tallow.testing.histories import walk
from tests.running import case, outputs


def test_a_fractal_is_drawn_at_its_extreme_which_is_known_later() -> None:
    rows, made = walk(500), case("fractal(3, 2)")
    assert made.indicator.shift is not None
    up, _ = made.indicator.shift(made.values)
    flagged = np.flatnonzero(outputs("fractal(3, 2)", rows)["up"] == 1.0)
    assert len(flagged) > 20
    for row in flagged:
        top = row + up
        assert top + 2 == row
        assert rows["high"][top] == rows["high"][top - 3 : row + 1].max()


def test_the_reference_page_tells_by_how_much() -> None:
    page = markdown()
    assert "| `fractal(2, 2)` | up | 2 rows earlier |" in page
    assert "| `ichimoku(9, 26, 52)` | span_b | 25 rows later |" in page
    assert "| `ichimoku(9, 26, 52)` | base |" not in page

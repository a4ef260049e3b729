"""What `result.plot()` returns: a page in a notebook, a file anywhere."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from tallow.core.text import counted
from tallow.data.writers import check_output, write_text
from tallow.plots.drawing import Drawing

ENDINGS = (".html", ".png", ".svg")
NOTEBOOK_HEIGHT = 620
PANE_HEIGHT = 84


class Plot:
    """Bars of an instrument as a chart: shown by a notebook, and written to files.

    Attributes
    ----------
    drawing
        What is drawn, as arrays.
    """

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing

    def __repr__(self) -> str:
        drawn = self.drawing
        panes = counted(len(drawn.panes), "pane")
        return f"Plot({counted(drawn.bars, 'bar')} of {drawn.title}, {panes})"

    def _repr_html_(self) -> str:
        """Return a frame that holds the whole page, apart from the notebook's own scripts."""
        height = NOTEBOOK_HEIGHT + PANE_HEIGHT * max(len(self.drawing.panes) - 3, 0)
        return (
            f'<iframe srcdoc="{escape(self.to_html())}" sandbox="allow-scripts allow-popups" '
            f'style="width:100%;height:{height}px;border:0"></iframe>'
        )

    def to_html(self) -> str:
        """Return the chart as a web page of its own, which loads nothing."""
        from tallow.plots.page import render

        return render(self.drawing)

    def write(self, output: str | os.PathLike[str]) -> Path:
        """Write the chart to a file, which appears whole or not at all; return its path.

        Parameters
        ----------
        output
            Ends in ``.html``: one page that opens without a network; or in ``.png`` or ``.svg``:
            a picture, for which ``tallow[plot]`` is installed.

        Raises
        ------
        OutputError
            If it has another ending, cannot be written, or needs what is not installed.
        """
        target = check_output(output, ENDINGS)
        if target.suffix.lower() == ".html":
            write_text(target, self.to_html())
        else:
            from tallow.plots.picture import write_picture

            write_picture(self.drawing, target)
        return target

// Legends of a chart: the values of the bar under the crosshair, else of the newest. Each can be
// clicked.

import { made } from "./desk.js";
import { PRICES } from "./chart_view.js";

const { numberText } = window.tallowParts;
const isKnown = Number.isFinite;

export function tell(view, row) {
  if (!view.chart || row < 0) return;
  view.shown = row === view.times.length - 1 ? null : row;
  const colours = view.colours;
  view.data.panes.forEach((pane, index) => {
    const parts = [];
    if (!index) parts.push(...candleTold(view, row, pane));
    if (pane.isVolume)
      parts.push(
        told(
          view,
          "volume",
          "volume",
          isKnown(view.volume[row]) ? numberText(view.volume[row], pane) : "\u2013",
          colours.text,
          row,
        ),
      );
    for (const curve of pane.curves) {
      const value = curve.numbers[row];
      parts.push(
        told(
          view,
          curve.label,
          curve.label,
          isKnown(value) ? numberText(value, pane) : "\u2013",
          view.colourOf(curve, row),
          row,
        ),
      );
    }
    if (!index) {
      for (const mark of view.data.marks)
        if (mark.row === row && mark.text) parts.push(made("span", {}, mark.text));
    }
    view.legends[index].replaceChildren(...parts);
  });
}

function candleTold(view, row, pane) {
  const { colours, candles } = view;
  const parts = [
    made(
      "span",
      {},
      view.fullTime(row) + (view.data.per > 1 ? ` (${view.data.per} bars in one)` : ""),
    ),
  ];
  const colour = candles.close[row] >= candles.open[row] ? colours.up : colours.down;
  for (const name of PRICES) {
    const value = candles[name][row];
    parts.push(
      told(
        view,
        name,
        name[0].toUpperCase(),
        isKnown(value) ? numberText(value, pane) : "\u2013",
        colour,
        row,
      ),
    );
  }
  if (view.forming.has(row)) parts.push(made("span", { className: "tag" }, "forming"));
  if (view.corrected.has(row))
    parts.push(made("span", { className: "tag corrected" }, "corrected"));
  return parts;
}

function told(view, column, label, text, colour, row) {
  const button = made(
    "button",
    { type: "button", title: `Explain ${column}` },
    `${label} `,
    made("b", {}, text),
  );
  button.dataset.column = column;
  button.style.color = colour;
  button.onclick = () => view.onPick(column, view.times[row]);
  return button;
}

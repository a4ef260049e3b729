// Cells of the market's grid.

import { made, number } from "./desk.js";

export function paintName(cell, row) {
  if (cell.dataset.of === row.instrument) return;
  cell.dataset.of = row.instrument;
  // Of NSE_EQ|INE002A01018 the end tells one from another.
  const cut = row.instrument.lastIndexOf("|");
  const text = row.symbol || row.instrument.slice(cut + 1);
  const rest = row.symbol ? row.instrument : row.instrument.slice(0, Math.max(cut, 0));
  cell.replaceChildren(made("b", {}, text), made("small", {}, rest));
  cell.title = row.instrument;
}

export function paintLast(cell, row) {
  const text = number(row.close);
  if (cell.firstChild?.data === text && cell.dataset.of === row.instrument) return;
  const before = cell.dataset.of === row.instrument ? Number(cell.dataset.value) : NaN;
  cell.textContent = text;
  cell.dataset.of = row.instrument;
  cell.dataset.value = row.close ?? "";
  cell.classList.remove("rose", "fell");
  if (row.close > before || row.close < before) {
    void cell.offsetWidth;
    cell.classList.add(row.close > before ? "rose" : "fell");
  }
}

export function paintDay(cell, value) {
  const text = value === null ? "\u2013" : `${value > 0 ? "+" : ""}${number(value)}`;
  if (cell.firstChild?.data !== text) cell.textContent = text;
  cell.classList.toggle("up", value > 0);
  cell.classList.toggle("down", value < 0);
}

export function paintSpark(cell, row, closes) {
  if (!Array.isArray(closes) || closes.length < 2) {
    if (cell.firstChild) cell.replaceChildren();
    return;
  }
  const values = row.close == null ? closes : [...closes.slice(0, -1), row.close];
  const low = Math.min(...values),
    high = Math.max(...values);
  const place = (value, k) =>
    `${((k / (values.length - 1)) * 100).toFixed(1)},${(22 - (high > low ? (value - low) / (high - low) : 0.5) * 20).toFixed(1)}`;
  const points = values.map(place).join(" ");
  if (!cell.firstChild) {
    cell.innerHTML =
      '<svg viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><polyline/></svg>';
  }
  const line = cell.firstChild.firstChild;
  if (line.getAttribute("points") !== points) line.setAttribute("points", points);
  cell.classList.toggle("down", values.at(-1) < values[0]);
}

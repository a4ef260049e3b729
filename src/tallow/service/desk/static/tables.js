// Tables and charts of pages that are looked at, not traded from.

import { isDark, made, part } from "./desk.js";

export const shown = (value) =>
  value === null || value === undefined || value === "" ? "\u2013" : String(value);

// Columns are [title, kind, cell(row)]; a cell is a text or an element.
export function table(columns, rows, empty) {
  if (!rows.length) return made("p", { className: "quiet" }, empty);
  const head = columns.map(([title, kind]) => made("th", { className: kind }, title));
  const lines = rows.map((row) =>
    made(
      "tr",
      {},
      ...columns.map(([, kind, cell]) => {
        const found = cell(row);
        return made("td", { className: kind }, found instanceof Node ? found : shown(found));
      }),
    ),
  );
  return made("table", {}, made("thead", {}, made("tr", {}, ...head)), made("tbody", {}, ...lines));
}

export const facts = (pairs) =>
  pairs.map(([name, value]) =>
    made("div", { className: "fact" }, made("dt", {}, name), made("dd", {}, shown(value))),
  );

// The frame has one chart of ECharts; it moves to where the page has room for it.
export async function chartOf() {
  const element = part("echart");
  part("echart-here").append(element);
  for (;;) {
    const chart = window.getElement(element)?.chart;
    if (chart) {
      new ResizeObserver(() => chart.resize()).observe(element.parentElement);
      return chart;
    }
    await new Promise(requestAnimationFrame);
  }
}

export const inks = () => {
  const style = getComputedStyle(document.body);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["text", "quiet", "edge", "grid", "main", "up", "down", "match", "warn"];
  return { ...Object.fromEntries(names.map((name) => [name, colour(name)])), isDark: isDark() };
};

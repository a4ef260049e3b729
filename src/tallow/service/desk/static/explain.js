// Where a value comes from: the record of /v1/explain, in the panel beside the chart.

import { ask, clockText, made, part, tried } from "./desk.js";

const line = (name, ...value) =>
  made("div", { className: "fact" }, made("dt", {}, name), made("dd", {}, ...value));
const shown = (value) => (value === null || value === undefined ? "\u2013" : String(value));

export async function explain(state, column, time) {
  const box = part("explained");
  box.hidden = false;
  box.replaceChildren(head(column), made("p", { className: "quiet" }, "Asking\u2026"));
  const indicators = state.indicators === "none" ? "" : state.indicators;
  const found = await tried(
    () =>
      ask(`/v1/explain/${encodeURIComponent(state.instrument)}`, {
        column,
        at: new Date(time / 1000).toISOString(),
        timeframe: state.timeframe,
        indicators,
      }),
    (text) => box.replaceChildren(head(column), made("p", { className: "problem" }, text)),
  );
  if (found) box.replaceChildren(head(column), ...parts(found).filter(Boolean));
}

function head(column) {
  const close = made(
    "button",
    { type: "button", className: "quiet", ariaLabel: "Close" },
    "\u2715",
  );
  close.onclick = () => {
    part("explained").hidden = true;
  };
  return made("header", {}, made("h2", {}, column), close);
}

function parts(found) {
  const { zone = found.session?.timezone } = found;
  const clock = (text) => (text ? clockText(Date.parse(text) * 1000, zone) : "\u2013");
  const { bar, computed, session, origin } = found;
  const all = [
    made("p", { className: "value" }, shown(found.value)),
    found.why_null ? made("p", { className: "note" }, found.why_null) : null,
    section("The bar", [
      line("opens", clock(bar.opens)),
      line("ends", clock(bar.ends)),
      line("prices", ["open", "high", "low", "close"].map((name) => shown(bar[name])).join("  ")),
      line("volume", shown(bar.volume)),
      line("candles", shown(bar.candles)),
      line("state", bar.is_final ? "final" : "forming"),
    ]),
  ];
  if (computed) all.push(...computation(computed, clock));
  if (session) {
    all.push(
      section("Session", [
        line("calendar", session.calendar),
        line("date", session.date),
        line("stated by", session.stated_by),
      ]),
    );
  }
  if (found.candles.length) all.push(candles(found.candles, clock));
  if (origin)
    all.push(
      section("How it was answered", [line("cache", origin.cache), line("began", origin.began)]),
    );
  for (const note of found.notes || []) all.push(made("p", { className: "note" }, note));
  return all;
}

function computation({ indicator, warm_up: warmUp, beside }, clock) {
  const parameters = Object.entries(indicator.parameters)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
  const all = [
    section(indicator.title, [
      line("formula", indicator.formula),
      line("parameters", parameters || "none"),
      line("of", indicator.inputs.join(", ")),
      line("version", shown(indicator.version)),
      line("after", indicator.reference),
    ]),
    section("Warm-up", [
      line("needs", `${warmUp.rows} bars`),
      line("has", `${warmUp.before} bars before this one`),
      line("first value", clock(warmUp.begins_at)),
    ]),
  ];
  if (beside)
    all.push(
      section("Computed again by the textbook", [
        line("value", shown(beside.value)),
        line("of", `${beside.rows} bars`),
        beside.note ? line("note", beside.note) : null,
      ]),
    );
  return all;
}

function candles(rows, clock) {
  const names = ["opens", "open", "high", "low", "close", "volume"];
  const revised = rows.some((row) => row.revision > 1);
  const cells = (row) =>
    [clock(row.opens), ...names.slice(1).map((name) => shown(row[name]))].map((text, k) =>
      made("td", { className: k ? "number" : "" }, text),
    );
  const table = made(
    "table",
    {},
    made(
      "thead",
      {},
      made("tr", {}, ...names.map((name, k) => made("th", { className: k ? "number" : "" }, name))),
    ),
    made(
      "tbody",
      {},
      ...rows.map((row) =>
        made(
          "tr",
          {
            className: row.revision > 1 ? "corrected" : "",
            title: `revision ${shown(row.revision)}, received ${clock(row.received_at)} from ${shown(row.source)}, entry ${shown(row.entry)}`,
          },
          ...cells(row),
        ),
      ),
    ),
  );
  return made(
    "section",
    {},
    made("h3", {}, revised ? "Candles, some of them corrected" : "Candles"),
    made("div", { className: "wide" }, table),
  );
}

function section(title, lines) {
  return made("section", {}, made("h3", {}, title), made("dl", {}, ...lines.filter(Boolean)));
}

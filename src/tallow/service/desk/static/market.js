// Market: who there is, what they are worth now, and who meets a condition.

import {
  address,
  ask,
  clockText,
  made,
  number,
  part,
  ready,
  setAddress,
  short,
  tell,
  tried,
} from "./desk.js";
import { rowsOf, Stream } from "./stream.js";
import { paintDay, paintLast, paintName, paintSpark } from "./cells.js";
import { Grid } from "./grid.js";

const CHOSEN = "tallow.columns";
const SHOWN = 4,
  RESORT = 3000;
const rows = new Map();
const sparks = new Map();
let about,
  grid,
  stream,
  search = "",
  members = null,
  opened = new Map();

function begin() {
  const words = address();
  const timeframe = part("timeframe");
  timeframe.replaceChildren(
    ...about.timeframes.map((each) => made("option", { value: each }, each)),
  );
  const usual = about.timeframes.includes("5m") ? "5m" : about.timeframes[0];
  timeframe.value = about.timeframes.includes(words.get("timeframe"))
    ? words.get("timeframe")
    : usual;
  for (const name of about.instruments) rowOf(name);
  grid = new Grid(part("grid"), columns(), { open, describe: "Instruments" });
  grid.onDraw = wantSparks;
  grid.onSort = ({ name, down }) => setAddress({ sort: `${name}${down ? " down" : ""}` });
  const [name, down] = (words.get("sort") || "instrument").split(" ");
  grid.sortBy(name, Boolean(down));
  part("search").value = search = words.get("search") || "";
  part("search").oninput = (event) => {
    search = event.target.value;
    setAddress({ search });
    filter();
  };
  part("search").onkeydown = (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") grid.body.focus();
    if (event.key === "Enter") grid.choose(0, true);
  };
  timeframe.onchange = () => {
    setAddress({ timeframe: timeframe.value });
    sparks.clear();
    for (const row of rows.values())
      rows.set(row.instrument, { instrument: row.instrument, symbol: row.symbol });
    subscribe();
    filter();
    if (part("screen").value) screen(part("screen").value);
  };
  showColumns();
  filter();
  stream = new Stream();
  subscribe();
  beginScreens(words.get("screen"));
  // Values change: their order follows, but not under a pointer.
  setInterval(() => {
    if (grid.sorted.name !== "instrument" && !grid.body.matches(":hover, :focus")) grid.sort();
  }, RESORT);
}

function rowOf(name) {
  let row = rows.get(name);
  if (!row) rows.set(name, (row = { instrument: name, symbol: about.symbols[name] || "" }));
  return row;
}

// Columns

function chosenColumns() {
  const kept = JSON.parse(localStorage.getItem(CHOSEN) || "null");
  return (kept || about.columns.slice(-SHOWN)).filter((each) => about.columns.includes(each));
}

function columns() {
  const day = (row) => {
    const first = opened.get(row.instrument);
    return first && row.close != null ? (row.close / first - 1) * 100 : null;
  };
  return [
    {
      name: "instrument",
      title: "Instrument",
      kind: "name",
      width: "minmax(150px, 1.6fr)",
      text: (row) => row.symbol || row.instrument,
      paint: paintName,
    },
    { name: "close", title: "Last", kind: "number", value: (row) => row.close, paint: paintLast },
    {
      name: "day",
      title: "Day %",
      kind: "number",
      about: "Since the day's open",
      value: day,
      paint: (cell, row) => paintDay(cell, day(row)),
    },
    {
      name: "spark",
      title: "Last bars",
      kind: "spark",
      width: "112px",
      text: () => "",
      paint: (cell, row) => paintSpark(cell, row, sparks.get(row.instrument)),
    },
    {
      name: "volume",
      title: "Volume",
      kind: "number",
      value: (row) => row.volume,
      text: (row) => (row.volume == null ? "\u2013" : short(row.volume)),
    },
    ...chosenColumns().map((name) => ({
      name,
      title: name,
      kind: "number",
      value: (row) => row[name],
      text: (row) => number(row[name]),
    })),
  ];
}

function showColumns() {
  const chosen = new Set(chosenColumns());
  part("columns").replaceChildren(
    ...about.columns.map((name) => {
      const box = made("input", { type: "checkbox", checked: chosen.has(name) });
      box.onchange = () => {
        if (box.checked) chosen.add(name);
        else chosen.delete(name);
        localStorage.setItem(
          CHOSEN,
          JSON.stringify(about.columns.filter((each) => chosen.has(each))),
        );
        grid.setColumns(columns());
        subscribe();
      };
      return made("label", {}, box, name);
    }),
  );
}

// Small lines are asked for as they come into sight, and again as bars close.

let sparkTimer = null;
function wantSparks(seen) {
  const missing = seen.filter((row) => !sparks.has(row.instrument)).map((row) => row.instrument);
  if (!missing.length || sparkTimer) return;
  sparkTimer = setTimeout(async () => {
    const names = grid.seen
      .map((row) => row.instrument)
      .filter((name) => !sparks.has(name))
      .slice(0, 64);
    for (const name of names) sparks.set(name, []);
    const query = { timeframe: part("timeframe").value, instrument: names };
    const found = names.length ? await tried(() => ask("/v1/desk/sparks", query), tell, "sparks") : {};
    for (const [name, closes] of Object.entries(found || {})) sparks.set(name, closes);
    sparkTimer = null;
    grid.touch();
  }, 60);
}

// Live values

function subscribe() {
  const timeframe = part("timeframe").value;
  stream.subscribe(
    "market",
    { timeframes: [timeframe], indicators: chosenColumns() },
    {
      snapshot: take,
      rows: take,
      resync: () => tell(""),
      error: ({ detail }) => tell(detail),
    },
  );
  if (about.timeframes.includes("1d")) {
    const keep = (message, names) => {
      for (const row of rowsOf(message, names))
        if (row.candles) opened.set(row.instrument, row.open);
      if (message.type === "snapshot") grid.sort();
      else grid.touch();
    };
    stream.subscribe(
      "days",
      { timeframes: ["1d"], indicators: [] },
      { snapshot: keep, rows: keep },
    );
  }
}

function take(message, names) {
  let isNew = false,
    newest = 0;
  for (const row of rowsOf(message, names)) {
    isNew ||= !rows.has(row.instrument);
    const held = rowOf(row.instrument);
    if (row.timestamp < held.timestamp || !row.candles) continue;
    if (held.timestamp && row.timestamp > held.timestamp) {
      const closes = sparks.get(row.instrument);
      if (closes?.length) sparks.set(row.instrument, [...closes.slice(1), row.close]);
    }
    Object.assign(held, row);
    newest = Math.max(newest, row.timestamp);
  }
  if (newest)
    part("moment").textContent = `Newest bar ${clockText(newest, about.zone)} (${about.zone})`;
  if (isNew) filter();
  else if (message.type === "snapshot" && !message.more) grid.sort();
  else grid.touch();
}

// What is shown: the search, and whoever meets the screen.

function filter() {
  const wanted = search.trim().toLowerCase();
  const shown = [];
  for (const row of rows.values()) {
    if (members && !members.has(row.instrument)) continue;
    if (wanted && !`${row.instrument} ${row.symbol}`.toLowerCase().includes(wanted)) continue;
    shown.push(row);
  }
  grid.setRows(shown);
  part("count").textContent =
    `${shown.length.toLocaleString("en-US")} of ${rows.size.toLocaleString("en-US")} instruments`;
  const empty = part("empty");
  empty.hidden = shown.length > 0;
  empty.textContent = !rows.size
    ? "No instrument yet. Feed the service candles: tallow serve --feed, or POST /v1/candles."
    : members && !wanted
      ? "No instrument meets this screen now."
      : "Nothing is called so. Search for a part of a key or a symbol.";
}

function open(row) {
  const words = new URLSearchParams({
    instrument: row.instrument,
    timeframe: part("timeframe").value,
  });
  location.href = `/desk/chart?${words}`;
}

// Screens

function beginScreens(asked) {
  const chips = Object.entries(about.screens).map(([name, text]) => {
    const chip = made("button", { type: "button", className: "chip", title: text }, name);
    chip.onclick = () => saved(name, chip);
    return chip;
  });
  part("saved").replaceChildren(...chips);
  part("screen-form").onsubmit = (event) => {
    event.preventDefault();
    screen(part("screen").value.trim());
  };
  part("clear").onclick = clear;
  part("squeezes").onclick = squeezes;
  if (asked) {
    part("screen").value = asked;
    screen(asked);
  }
}

function clear() {
  members = null;
  stream.drop("screen");
  part("screen").value = "";
  part("screened").hidden = true;
  part("clear").hidden = true;
  for (const each of document.querySelectorAll(".chip[aria-pressed]"))
    each.removeAttribute("aria-pressed");
  setAddress({ screen: null });
  tell("");
  filter();
}

function showMembers(names, note, unknown = []) {
  members = new Set(names);
  part("clear").hidden = false;
  const told = part("screened");
  told.hidden = false;
  told.replaceChildren(note);
  if (unknown.length) {
    const list = unknown.map((row) =>
      made("li", {}, made("b", {}, row.instrument), ` ${row.why || row.reason || ""}`),
    );
    told.append(
      made("details", {}, made("summary", {}, "Who is unknown, and why"), made("ul", {}, ...list)),
    );
  }
  filter();
}

async function screen(condition) {
  if (!condition) return clear();
  clear();
  part("screen").value = condition;
  setAddress({ screen: condition });
  const found = await tried(() =>
    ask("/v1/screens", { condition, timeframe: part("timeframe").value, limit: 50000 }),
  );
  if (!found) return;
  const { matched = found.rows.length, unknown = 0 } = found.counts;
  const why = Object.entries(found.why_unknown || {})
    .map(([reason, count]) => `${reason}: ${count}`)
    .join("; ");
  const note = `${matched} match${unknown ? `, ${unknown} unknown (${why})` : ""}, by the bars that have closed.`;
  showMembers(
    found.rows.map((row) => row.instrument),
    note,
    found.unknown,
  );
}

async function squeezes() {
  clear();
  const found = await tried(() =>
    ask("/v1/squeezes", { timeframe: part("timeframe").value, limit: 50000 }),
  );
  if (!found) return;
  const names = found.rows.map((row) => row.instrument);
  showMembers(
    names,
    `${names.length} in a squeeze: Bollinger bands near their lowest width.`,
    found.unknown,
  );
}

function saved(name, chip) {
  clear();
  chip.setAttribute("aria-pressed", "true");
  const held = new Set();
  const show = () => showMembers(held, `${held.size} in the screen ${name}, live.`);
  const timeframe = part("timeframe").value;
  stream.subscribe(
    "screen",
    { screen: name, timeframe },
    {
      snapshot: (message) => {
        held.clear();
        for (const each of message.members) held.add(each);
        show();
      },
      members: ({ entered, left }) => {
        for (const each of entered) held.add(each);
        for (const each of left) held.delete(each);
        show();
      },
      error: ({ detail }) => tell(detail),
    },
  );
}

await ready("grid");
about = await tried(() => ask("/v1/desk/about"));
if (about) begin();

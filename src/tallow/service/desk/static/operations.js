// Operations: how the service is, what it did not take, what it has, and what it told.

import {
  ask,
  clockText,
  made,
  onLook,
  part,
  post,
  ready,
  short,
  tell,
  tried,
  wait,
} from "./desk.js";
import { quarantine } from "./quarantine.js";
import { Stream } from "./stream.js";
import { chartOf, facts, inks, shown, table } from "./tables.js";

const EVERY = 2000,
  KEPT = 300;
const history = [];
const alerts = [];
let about,
  chart,
  before = null;

const ms = (seconds) =>
  seconds === null || seconds === undefined
    ? "\u2013"
    : `${Number((seconds * 1000).toPrecision(3))} ms`;
const bytes = (size) =>
  size >= 1e9 ? `${(size / 1e9).toFixed(2)} GB` : `${(size / 1e6).toFixed(1)} MB`;
const sum = (samples) => Object.values(samples).reduce((all, each) => all + each, 0);

async function look() {
  const found = await tried(() => ask("/v1/desk/state"), tell, "look");
  if (!found) {
    part("state").dataset.state = "bad";
    part("state").textContent = "No answer";
    return;
  }
  const { metrics, feed, reasons } = found;
  const one = (name) => metrics[name][""] ?? null;
  part("state").dataset.state = reasons.length ? "bad" : "good";
  part("state").textContent = reasons.length
    ? `Not ready: ${reasons.join("; ")}`
    : "Ready: it takes candles, and answers";
  const cache = metrics.cache_answers_total;
  const errors = sum(metrics.errors_total);
  const corrected = sum(metrics.revisions_total);
  tiles([
    [
      "Feed",
      feed.source ? (feed.connected ? "connected" : "not connected") : "none",
      feed.error || (feed.source ? "" : "candles come over HTTP"),
      feed.source && !feed.connected,
    ],
    [
      "Lag of the feed",
      feed.lag_seconds === null ? "\u2013" : `${feed.lag_seconds.toFixed(1)} s`,
      "behind the newest row that was complete",
    ],
    [
      "Rows",
      `${short(feed.rows_per_second)} / s`,
      `${short(one("candles_in_total"))} in all, ${corrected} corrections`,
    ],
    [
      "Durable",
      ms(metrics.durable_seconds[""].p99),
      `p99; half within ${ms(metrics.durable_seconds[""].p50)}`,
    ],
    [
      "Cache",
      sum(cache) ? `${Math.round((100 * cache.hit) / sum(cache))} %` : "\u2013",
      `there already, of ${sum(cache)} answers; ${bytes(one("cache_bytes") || 0)}`,
    ],
    [
      "Quarantined",
      short(one("quarantined_total")),
      "rows since it began",
      one("quarantined_total") > 0,
    ],
    ["Clients", short(one("clients")), `of the stream; ${sum(metrics.client_drops_total)} dropped`],
    [
      "Errors",
      short(errors),
      Object.entries(metrics.errors_total)
        .filter(([, count]) => count)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(", ") || "none since it began",
      errors > 0,
    ],
    [
      "Memory",
      bytes(one("memory_bytes") || 0),
      `${one("open_files") ?? "\u2013"} open files and sockets`,
    ],
    [
      "Instruments",
      short(one("instruments")),
      `${Object.keys(found.failures).length} behind the store`,
      Object.keys(found.failures).length > 0,
    ],
  ]);
  latencies(metrics);
  note(metrics, feed);
}

function tiles(all) {
  part("tiles").replaceChildren(
    ...all.map(([title, value, under, isBad]) =>
      made(
        "div",
        { className: `tile${isBad ? " bad" : ""}` },
        made("span", {}, title),
        made("b", {}, value),
        made("small", {}, under),
      ),
    ),
  );
}

const STAGES = {
  update: "An update of the live engine",
  tell: "Clients of the stream told",
  read: "A read",
  compute: "A question in a worker",
  request: "A request over HTTP",
};
function latencies(metrics) {
  const rows = Object.entries(metrics.processing_seconds).map(([name, each]) => [
    STAGES[name] || name,
    each,
  ]);
  for (const [size, each] of Object.entries(metrics.bar_visible_seconds))
    if (each.count) rows.push([`A ${size} bar seen after its end`, each]);
  part("latencies").replaceChildren(
    table(
      [
        ["what", "", ([name]) => name],
        ["times", "number", ([, each]) => short(each.count)],
        ["half within", "number", ([, each]) => ms(each.p50)],
        ["99 % within", "number", ([, each]) => ms(each.p99)],
      ],
      rows,
      "",
    ),
  );
}

// The page remembers what it saw; the service does not.
function note(metrics, feed) {
  const { count, seconds } = metrics.processing_seconds.update;
  const now = { at: Date.now(), rows: metrics.candles_in_total[""], count, seconds };
  if (before) {
    const span = (now.at - before.at) / 1000;
    history.push([
      now.at,
      (now.rows - before.rows) / span,
      feed.lag_seconds ?? 0,
      count > before.count ? ((seconds - before.seconds) / (count - before.count)) * 1000 : null,
    ]);
    if (history.length > KEPT) history.shift();
  }
  before = now;
  draw();
}

function draw() {
  if (!chart || !history.length) return;
  const ink = inks();
  const isNarrow = chart.getWidth() < 560;
  const names = ["rows / s", "lag, s", "update, ms"];
  const colours = [ink.main, ink.warn, ink.match];
  const axis = {
    axisLine: { lineStyle: { color: ink.edge } },
    axisLabel: { color: ink.quiet, fontSize: 11 },
    splitLine: { lineStyle: { color: ink.grid } },
  };
  chart.setOption({
    animation: false,
    backgroundColor: "transparent",
    tooltip: { trigger: "axis" },
    grid: names.map((_, k) =>
      isNarrow
        ? { left: 44, right: 12, top: `${k * 33.3 + 7}%`, height: "19%" }
        : { left: `${k * 33.3 + 4}%`, width: "26%", top: 34, bottom: 26 },
    ),
    title: names.map((text, k) => ({
      text,
      left: isNarrow ? 0 : `${k * 33.3 + 3}%`,
      top: isNarrow ? `${k * 33.3}%` : 2,
      textStyle: { color: ink.quiet, fontSize: 12, fontWeight: 500 },
    })),
    xAxis: names.map((_, k) => ({
      ...axis,
      type: "time",
      gridIndex: k,
      splitLine: { show: false },
      axisLabel: { ...axis.axisLabel, hideOverlap: true },
    })),
    yAxis: names.map((_, k) => ({
      ...axis,
      type: "value",
      gridIndex: k,
      splitNumber: 3,
      min: 0,
      max: (each) => (each.max > 1 ? null : 1),
    })),
    series: names.map((name, k) => ({
      name,
      type: "line",
      xAxisIndex: k,
      yAxisIndex: k,
      showSymbol: false,
      lineStyle: { width: 1.5, color: colours[k] },
      itemStyle: { color: colours[k] },
      data: history.map((row) => [row[0], row[k + 1]]),
    })),
  });
}

async function coverage(name) {
  const found = await tried(() => ask("/v1/instruments", { search: name, limit: 1 }));
  const one = found?.rows[0];
  if (!one) {
    part("coverage").replaceChildren(
      made("p", { className: "quiet" }, "No instrument is called so."),
    );
    return;
  }
  const start = new Date(Date.parse(one.last) - 14 * 86_400_000).toISOString().slice(0, 10);
  const rows = await tried(() =>
    ask("/v1/coverage", { instrument: one.instrument, start, end: one.last.slice(0, 10) }),
  );
  if (!rows) return;
  const bar = (row) => {
    const part = row.expected ? row.present / row.expected : 1;
    return made("meter", {
      min: 0,
      max: 1,
      low: 0.9,
      high: 0.999,
      optimum: 1,
      value: Math.min(part, 1),
      title: `${(part * 100).toFixed(1)} %`,
    });
  };
  part("coverage").replaceChildren(
    made("p", { className: "quiet" }, `${one.instrument}, one-minute candles of the last sessions`),
    table(
      [
        ["session", "", (row) => row.session],
        ["kind", "", (row) => row.kind],
        ["", "", bar],
        ["expected", "number", (row) => row.expected],
        ["there", "number", (row) => row.present],
        ["missing", "number", (row) => row.missing],
        ["outside", "number", (row) => row.outside],
      ],
      rows.rows.reverse(),
      "No session yet.",
    ),
  );
}

async function store() {
  const found = await tried(() => ask("/v1/store"));
  if (!found) return;
  const clock = (text) => (text ? clockText(Date.parse(text) * 1000, about.zone) : "\u2013");
  part("store").replaceChildren(
    ...facts([
      ["where", found.location],
      ["rows", found.rows.toLocaleString("en-US")],
      ["files", `${found.files}, ${bytes(found.bytes)}`],
      ["in the tail", found.tail_rows.toLocaleString("en-US")],
      ["first candle", clock(found.first)],
      ["last candle", clock(found.last)],
      ["writes", found.ingests.toLocaleString("en-US")],
      ["quarantined", found.quarantined.toLocaleString("en-US")],
    ]),
  );
}

function showAlerts() {
  const none = about.rules.length
    ? "None yet."
    : "No rules. Name a file of them in the setting rules; docs/alerts.md says what is in it.";
  part("alerts").replaceChildren(
    table(
      [
        ["rule", "", (each) => each.rule],
        ["instrument", "", (each) => each.instrument],
        ["", "", (each) => shown(each.text)],
      ],
      alerts.slice(0, 50),
      none,
    ),
  );
}

async function showOpen() {
  const found = await tried(() => ask("/v1/alerts"));
  if (!found) return;
  const box = part("alerts-open");
  box.hidden = !found.open.length;
  box.dataset.state = "bad";
  box.textContent = found.open.map((each) => `${each.cause}: ${each.reason}`).join("; ");
}

async function sendTest() {
  const button = part("alerts-test");
  button.disabled = true;
  part("alerts-tested").textContent = "";
  const found = await tried(() => post("/v1/alerts/test", {}), tell, "alerts");
  button.disabled = false;
  if (!found) return;
  part("alerts-tested").textContent = found.deliveries
    .map((each) => `${each.sink}: ${each.outcome}${each.why ? `, ${each.why}` : ""}`)
    .join("; ");
}

await ready("tiles");
part("tiles").closest(".desk-page").classList.add("scrolls");
about = await tried(() => ask("/v1/desk/about"));
if (about) {
  showAlerts();
  part("instruments").replaceChildren(
    ...about.instruments.slice(0, 2000).map((name) => made("option", { value: name })),
  );
  part("alerts-test").onclick = sendTest;
  part("coverage-form").onsubmit = (event) => {
    event.preventDefault();
    coverage(part("search").value.trim());
  };
  const stream = new Stream();
  stream.subscribe(
    "alerts",
    { alerts: true },
    {
      alerts: (message) => {
        alerts.unshift(...message.alerts.reverse());
        showAlerts();
      },
    },
  );
  chartOf().then((found) => {
    chart = found;
    draw();
  });
  onLook(draw);
  quarantine(about.zone);
  store();
  if (about.instruments.length) coverage(about.instruments[0]);
  for (let k = 0; ; k++) {
    if (!document.hidden) await look();
    if (k % 5 === 0 && !document.hidden) await showOpen();
    if (k % 15 === 14 && !document.hidden) store();
    await wait(EVERY);
  }
}

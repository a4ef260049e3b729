// Chart: one instrument, its bars and indicators, as they are and as they change.

import { address, ask, made, part, ready, setAddress, tell, tried, wait } from "./desk.js";
import { rowsOf, Stream } from "./stream.js";
import { LiveChart } from "./chart_live.js";
import { explain } from "./explain.js";
import { Picker } from "./picker.js";

const DAY = 86_400_000_000;
const RANGES = { "1D": 1, "5D": 7, "1M": 31, "3M": 92, "1Y": 366, All: 100_000 };
const USUAL = "ema(9), ema(50), rsi(14)";
const state = { instrument: "", timeframe: "5m", indicators: USUAL, since: null, until: null };
let about,
  view,
  stream,
  asked = 0,
  stale = null,
  moved = null;

function readAddress() {
  const words = address();
  state.instrument = words.get("instrument") || "";
  state.timeframe = words.get("timeframe") || "5m";
  state.indicators = words.get("indicators") ?? USUAL;
  const moment = (name) => (words.get(name) ? Date.parse(words.get(name)) * 1000 || null : null);
  state.since = moment("from");
  state.until = moment("to");
}

const momentText = (time) =>
  time === null ? null : new Date(time / 1000).toISOString().replace(/:\d\d\.\d+Z/, "Z");
const writeAddress = () =>
  setAddress({
    instrument: state.instrument,
    timeframe: state.timeframe,
    indicators: state.indicators === USUAL ? null : state.indicators || "none",
    from: momentText(state.since),
    to: momentText(state.until),
  });

const question = (since, until) =>
  ask(`/v1/desk/chart/${encodeURIComponent(state.instrument)}`, {
    timeframe: state.timeframe,
    indicators: state.indicators === "none" ? "" : state.indicators,
    pixels: Math.max(64, Math.floor((part("chart")?.clientWidth || innerWidth - 28) - 60)),
    since: since ?? undefined,
    until: until ?? undefined,
  });

// Ask for what is to be seen; only the last answer counts.
async function load(first) {
  const mine = ++asked;
  part("chart").setAttribute("aria-busy", "true");
  const data = await tried(() => first || question(state.since, state.until));
  if (mine !== asked) return;
  part("chart").removeAttribute("aria-busy");
  if (!data) return;
  const isEmpty = !data.bars;
  part("chart").hidden = isEmpty;
  part("empty").hidden = !isEmpty;
  if (isEmpty) {
    view.clear();
    part("empty").textContent = data.why_empty || "No bars here yet.";
    return;
  }
  view.show(data, [state.since, state.until]);
  const failed = Object.values(data.failures);
  if (failed.length) tell(failed.join("; "));
  part("about").textContent =
    `${data.zone}; ${(data.earlier + data.bars + data.later).toLocaleString("en-US")} bars in the store`;
  document.title = `${about?.symbols[state.instrument] || state.instrument} ${state.timeframe} - Tallow`;
  requestAnimationFrame(() => performance.mark("candles"));
}

// The same view, as it is now.
async function renew() {
  if (stale) return;
  stale = true;
  await wait(800);
  stale = null;
  await follow(true);
}

// What is seen is other than before: more detail, or more bars, where it needs them.
function onRange(range) {
  clearTimeout(moved);
  moved = setTimeout(() => {
    const { per, earlier, later } = view.data;
    const seen = range.to - range.from;
    const ideal = Math.ceil((seen * per) / view.places);
    state.since = view.timeAt(range.from);
    state.until = view.isAtEnd ? null : view.timeAt(range.to);
    writeAddress();
    showRanges();
    const isShort =
      (range.from < seen * 0.25 && earlier) ||
      (range.to > view.times.length - seen * 0.25 && later);
    if (isShort || ideal <= per / 2) follow();
  }, 120);
}

async function follow(isTold) {
  const mine = ++asked;
  const range = view.range;
  if (!range) return;
  // Beyond the first place, as many bars as are seen there.
  const lack = Math.max(0, -range.from) * view.data.per;
  const step = view.times.length > 1 ? view.times[1] - view.times[0] : 0;
  const since = view.timeAt(range.from) - lack * (step / view.data.per);
  const data = await tried(() => question(since, view.isAtEnd ? null : view.timeAt(range.to)));
  if (mine !== asked || !data?.bars) return;
  view.show(data);
  if (isTold) tell("");
}

function subscribe() {
  const columns = about.columns.filter((each) => view.curves?.has(each));
  const live = new Set(columns.filter((each) => !view.data?.fixed.includes(each)));
  if (!about.timeframes.includes(state.timeframe)) {
    stream.drop("chart");
    return;
  }
  const take = (message, names) => {
    let isStale = false;
    for (const row of rowsOf(message, names)) {
      if (!view.source || row.instrument !== state.instrument) continue;
      isStale = view.apply(row, live) || isStale;
    }
    const isPartly = view.curves && [...view.curves.keys()].some((each) => !live.has(each));
    if (isStale || message.changed?.length || (isPartly && message.type === "rows")) renew();
  };
  stream.subscribe(
    "chart",
    { instruments: [state.instrument], timeframes: [state.timeframe], indicators: [...live] },
    {
      snapshot: take,
      rows: take,
      resync: renew,
      error: ({ detail }) => tell(detail),
    },
  );
}

async function change(values, keepsRange = false) {
  Object.assign(state, values);
  if (!keepsRange) Object.assign(state, { since: null, until: null });
  writeAddress();
  showChosen();
  await load();
  if (view.source) subscribe();
}

function showChosen() {
  part("search").value = about.symbols[state.instrument] || state.instrument;
  for (const each of part("timeframes").children)
    each.setAttribute("aria-pressed", each.value === state.timeframe);
  showRanges();
}

function showRanges() {
  for (const each of part("ranges").children)
    each.setAttribute("aria-pressed", each.value === state.range && state.until === null);
}

function choose(text) {
  const wanted = text.trim().toLowerCase();
  const found =
    about.instruments.find(
      (name) =>
        name.toLowerCase() === wanted || (about.symbols[name] || "").toLowerCase() === wanted,
    ) ||
    about.instruments.find((name) =>
      `${name} ${about.symbols[name] || ""}`.toLowerCase().includes(wanted),
    );
  if (!wanted || !found)
    return tell(`${text}: no instrument is called so; type a part of a key or a symbol`);
  return found === state.instrument ? undefined : change({ instrument: found });
}

function beginTools() {
  part("instruments").replaceChildren(
    ...about.instruments
      .slice(0, 2000)
      .map((name) => made("option", { value: about.symbols[name] || name }, name)),
  );
  const sizes = [...new Set([...about.timeframes, state.timeframe])];
  part("timeframes").replaceChildren(
    ...sizes.map((size) => {
      const button = made("button", { type: "button", className: "chip", value: size }, size);
      button.onclick = () => change({ timeframe: size });
      return button;
    }),
  );
  part("ranges").replaceChildren(
    ...Object.keys(RANGES).map((name) => {
      const button = made("button", { type: "button", className: "chip", value: name }, name);
      button.onclick = () => {
        state.range = name;
        if (view.newest)
          change({ since: view.newest.timestamp - RANGES[name] * DAY, until: null }, true);
      };
      return button;
    }),
  );
  part("search").onchange = (event) => choose(event.target.value);
  part("search").onfocus = (event) => event.target.select();
  part("link").onclick = async () => {
    writeAddress();
    await tried(() => navigator.clipboard.writeText(location.href));
    part("link").textContent = "Copied";
    setTimeout(() => {
      part("link").textContent = "Copy link";
    }, 1500);
  };
  new Picker(
    part("picker-list"),
    () => (state.indicators === "none" ? "" : state.indicators),
    (indicators) => change({ indicators: indicators || "none" }, true),
  );
}

function press(event) {
  if (
    /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) ||
    event.ctrlKey ||
    event.metaKey ||
    !view.chart
  )
    return;
  const range = view.range;
  const seen = range.to - range.from;
  const steps = { ArrowLeft: [-0.1, -0.1], ArrowRight: [0.1, 0.1], "+": [0.1, 0], "-": [-0.2, 0] };
  if (event.key === "Escape") part("explained").hidden = true;
  if (event.key === "End") view.showRange();
  if (!(event.key in steps)) return;
  const [from, to] = steps[event.key];
  view.chart
    .timeScale()
    .setVisibleLogicalRange({ from: range.from + from * seen, to: range.to + to * seen });
  event.preventDefault();
}

readAddress();
// Asked for while the frame is still being made.
const first = state.instrument ? question(state.since, state.until) : null;
first?.catch(() => {});
const told = ask("/v1/desk/about");
told.catch(() => {});
await ready("chart");
view = new LiveChart(part("chart"), part("values"), {
  onRange,
  onPick: (column, time) => explain(state, column, time),
});
if (first) await load(first);
about = await tried(() => told);
if (about) {
  stream = new Stream();
  if (!state.instrument && about.instruments.length) {
    state.instrument = about.instruments[0];
    await load();
  }
  beginTools();
  showChosen();
  addEventListener("keydown", press);
  if (view.source) subscribe();
  if (!about.instruments.length) {
    part("empty").hidden = false;
    part("empty").textContent =
      "No instrument yet. Feed the service candles: tallow serve --feed, or POST /v1/candles.";
  }
}
window.tallow = { view, state, stream };

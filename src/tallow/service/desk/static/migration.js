// Migration: where a rollout stands, how the two engines differ, and what an admin does with it.

import { ask, clockText, made, onLook, part, post, ready, tell, tried, wait } from "./desk.js";
import { chartOf, facts, inks, table } from "./tables.js";

const EVERY = 5000,
  HOURS = 24;
const DONE = {
  start: ["Start", "The candidate's stages begin with the first one."],
  advance: ["Advance", "The rollout goes to its next stage now, whatever its gates say."],
  pause: ["Pause", "The rollout stays where it is until it is resumed."],
  resume: ["Resume", "The rollout goes on from where it was paused."],
  revert: ["Revert", "The candidate is turned off for everybody, at once."],
};
const MAY = {
  new: ["start"],
  running: ["advance", "pause", "revert"],
  paused: ["resume", "revert"],
  reverted: ["start"],
  done: ["revert"],
};
let about,
  chart,
  causes = {};

const clock = (text) =>
  text
    ? clockText(Date.parse(text) * 1000, about.zone, { dateStyle: "medium", timeStyle: "medium" })
    : "\u2013";
const settingText = (setting) =>
  typeof setting === "string"
    ? setting
    : Object.entries(setting || {})
        .map(([name, value]) => `${name} ${value}`)
        .join(", ");

async function look() {
  const found = await tried(() => ask("/v1/rollout"), tell, "look");
  if (!found) return;
  part("rollout").hidden = false;
  const state = part("state");
  state.dataset.state = found.phase === "reverted" || found.problems.length ? "bad" : "good";
  state.textContent = `${found.experiment}: ${found.phase}, stage ${found.stage}${found.since ? `, since ${clock(found.since)}` : ""}${found.reason ? ` (${found.reason})` : ""}`;
  part("problems").replaceChildren(...found.problems.map((text) => made("li", {}, text)));
  actions(found);
  stages(found);
  const stage = found.stages.find((each) => each.name === found.stage);
  const judged = judgements(found);
  part("gates").replaceChildren(
    table(
      [
        ["gate", "", (gate) => gate.name],
        ["seen last", "", (gate) => verdict(judged.get(gate.name))],
        ["passes below", "number", (gate) => gate.pass_below],
        ["fails above", "number", (gate) => gate.fail_above],
      ],
      stage?.gates || [],
      "This stage has no gates.",
    ),
  );
  part("analyses").replaceChildren(
    table(
      [
        ["when", "", (each) => clock(each.at)],
        ["verdict", "", (each) => each.facts?.verdict ?? each.verdict],
        ["why", "", (each) => each.facts?.reason ?? each.reason],
      ],
      [...found.analyses].reverse().slice(0, 20),
      "None yet: tallow rollout run makes one at each interval's end.",
    ),
  );
  part("log").replaceChildren(
    table(
      [
        ["when", "", (each) => clock(each.at)],
        ["what", "", (each) => each.what],
        ["who", "", (each) => each.who ?? each.by ?? each.actor],
        ["why", "", (each) => each.reason ?? each.facts?.reason],
      ],
      [...found.log].reverse().slice(0, 50),
      "Nothing was done yet.",
    ),
  );
  await evidence();
}

// What the newest analysis of this stage said of each gate.
function judgements(found) {
  const last = found.analyses.findLast((each) => each.facts.stage === found.stage);
  return new Map((last?.facts.gates || []).map((each) => [each.gate, each]));
}

function verdict(judged) {
  if (!judged) return null;
  const text = judged.text.slice(judged.gate.length + 2);
  const seen = made("span", { className: "verdict" }, `${judged.verdict}: ${text}`);
  seen.dataset.verdict = judged.verdict;
  return seen;
}

function actions(found) {
  const may = MAY[found.phase] || Object.keys(DONE);
  const buttons = Object.entries(DONE)
    .filter(([name]) => may.includes(name))
    .map(([name, [title]]) => {
      const button = made(
        "button",
        {
          type: "button",
          className: name === "revert" ? "danger" : name === "advance" ? "main" : "",
          onclick: () => confirm(name),
        },
        title,
      );
      button.dataset.act = name;
      return button;
    });
  part("actions").replaceChildren(...buttons);
}

function stages(found) {
  const place = found.stages.findIndex((each) => each.name === found.stage);
  part("stages").replaceChildren(
    ...found.stages.map((stage, k) => {
      const item = made(
        "li",
        { className: k < place ? "past" : "" },
        made("b", {}, stage.name),
        made("small", {}, settingText(stage.setting)),
      );
      if (k === place) item.setAttribute("aria-current", "step");
      return item;
    }),
  );
}

async function evidence() {
  const found = await tried(() => ask("/v1/rollout/evidence", { hours: HOURS }), tell, "look");
  if (!found) return;
  const { totals } = found;
  const count = (name) => totals[name].toLocaleString("en-US");
  part("totals").replaceChildren(
    ...(totals
      ? facts([
          ["calls", `${count("calls")}, of which the candidate answered ${count("served")}`],
          ["errors", count("errors")],
          ["compared", count("compared")],
          ["equal", count("equal")],
          ["explained", count("explained")],
          ["unexplained", count("unexplained")],
          ["flips", `${count("flips")} decisions that would be others`],
          [
            "p99",
            `${totals.control_p99_ms ?? "\u2013"} ms before, ${totals.candidate_p99_ms ?? "\u2013"} ms after`,
          ],
          [
            "dropped",
            Object.entries(found.dropped)
              .map(([name, number]) => `${name} ${number}`)
              .join(", ") || "nothing",
          ],
        ])
      : [
          made(
            "p",
            { className: "quiet" },
            "Nothing was compared yet. The application that asks both engines writes what it sees; docs/http.md says how.",
          ),
        ]),
  );
  part("worst").replaceChildren(
    table(
      [
        ["when", "", (call) => clock(call.at)],
        ["key", "", (call) => call.key],
        ["served by", "", (call) => call.served],
        ["compared", "number", (call) => call.judgement?.compared],
        ["unexplained", "number", (call) => call.judgement?.unexplained],
        ["flips", "number", (call) => call.judgement?.flips],
        ["error", "", (call) => call.error],
      ],
      found.worst,
      "No call differed.",
    ),
  );
  causes = totals ? { equal: totals.equal, ...totals.causes, unexplained: totals.unexplained } : {};
  draw();
}

function draw() {
  if (!chart) return;
  const ink = inks();
  const all = Object.entries(causes)
    .filter(([name, number]) => number && name !== "equal")
    .sort((a, b) => a[1] - b[1]);
  part("echart-here").dataset.empty = all.length ? "" : "No value differed.";
  chart.setOption(
    {
      animation: false,
      backgroundColor: "transparent",
      tooltip: {},
      grid: { left: 8, right: 40, top: 6, bottom: 6, containLabel: true },
      xAxis: { type: "value", show: false },
      yAxis: {
        type: "category",
        data: all.map(([name]) => name),
        axisLabel: { color: ink.text },
        axisLine: { show: false },
        axisTick: { show: false },
      },
      series: [
        {
          type: "bar",
          barMaxWidth: 18,
          label: { show: true, position: "right", color: ink.quiet },
          data: all.map(([name, value]) => ({
            value,
            itemStyle: { color: name === "unexplained" ? ink.down : ink.main },
          })),
        },
      ],
    },
    true,
  );
}

// An action is done once, however often it is sent: its key stands for it.
function confirm(name) {
  const [title, text] = DONE[name];
  const dialog = part("confirm");
  const once =
    crypto.randomUUID?.() ??
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (each) => each.toString(16)).join("");
  part("confirm-title").textContent = `${title}?`;
  part("confirm-text").textContent = text;
  part("confirm-reason").value = "";
  part("confirm-problem").textContent = "";
  part("confirm-do").textContent = title;
  part("confirm-not").onclick = () => dialog.close();
  part("confirm-form").onsubmit = async (event) => {
    event.preventDefault();
    part("confirm-do").disabled = true;
    const headers = name === "revert" ? {} : { "Idempotency-Key": once };
    const told = (problem) => {
      part("confirm-problem").textContent = problem;
    };
    const done = await tried(
      () => post(`/v1/rollout/${name}`, { reason: part("confirm-reason").value.trim() }, headers),
      told,
    );
    part("confirm-do").disabled = false;
    if (!done) return;
    dialog.close();
    await look();
    tell(
      done.problems?.length
        ? done.problems.join("; ")
        : `Done: ${done.phase}, stage ${done.stage}.`,
      done.problems?.length ? "problem" : "good",
    );
  };
  dialog.showModal();
}

await ready("actions");
part("rollout").closest(".desk-page").classList.add("scrolls");
about = await tried(() => ask("/v1/desk/about"));
if (about && !about.has_rollout) {
  part("empty").hidden = false;
  part("empty").textContent =
    "This service has no rollout. Begin it with --rollout PLAN, or the setting rollout; `tallow rollout begin` makes a plan.";
} else if (about) {
  chartOf().then((found) => {
    chart = found;
    draw();
  });
  onLook(draw);
  for (;;) {
    if (!document.hidden && !part("confirm").open) await look();
    await wait(EVERY);
  }
}

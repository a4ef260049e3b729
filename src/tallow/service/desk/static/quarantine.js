// Quarantine: cells are mended where they are, and the row is read again.

import { ask, clockText, made, part, post, tell, tried } from "./desk.js";
import { table } from "./tables.js";

const PRICES = ["open", "high", "low", "close", "volume"];

export async function quarantine(zone) {
  const found = await tried(() => ask("/v1/quarantine", { limit: 100 }));
  if (!found) return;
  const lines = found.rows.map((row) => {
    let record = {};
    try {
      record = JSON.parse(row.record);
    } catch {
      /* A line of text that was no row: as it came. */
    }
    return { ...row, record };
  });
  const input = (row, name) => {
    const value = row.record[name];
    const field = made("input", {
      className: "cell",
      value: value ?? "",
      ariaLabel: `${name} of row ${row.id}`,
    });
    field.dataset.cell = name;
    return field;
  };
  part("quarantine").replaceChildren(
    table(
      [
        ["instrument", "", (row) => row.instrument],
        ["time", "", (row) => row.timestamp && clockText(Date.parse(row.timestamp) * 1000, zone)],
        ["rule", "", (row) => found.rules[row.rule] || row.reason || row.rule],
        ...PRICES.map((name) => [name, "number", (row) => input(row, name)]),
        [
          "",
          "",
          (row) => {
            const button = made("button", { type: "button" }, "Retry");
            button.onclick = () => retry(row, button.closest("tr"), zone);
            return button;
          },
        ],
      ],
      lines,
      "Nothing waits here: every row kept the rules.",
    ),
  );
  if (found.total > lines.length)
    part("quarantine").append(
      made(
        "p",
        { className: "quiet" },
        `${found.total - lines.length} more; tallow store quarantine --export writes them all to a file.`,
      ),
    );
}

async function retry(row, line, zone) {
  const said = { id: row.id };
  for (const field of line.querySelectorAll("[data-cell]")) {
    const now = field.value.trim();
    if (now !== String(row.record[field.dataset.cell] ?? ""))
      said[field.dataset.cell] = Number.isNaN(Number(now)) || now === "" ? now : Number(now);
  }
  const done = await tried(() => post("/v1/quarantine/retry", [said]));
  if (!done) return;
  await quarantine(zone);
  if (done.settled?.length) tell("The row keeps the rules now, and is a candle.", "good");
  else
    tell(
      done.refused?.map((each) => each.text || each.reason || each.rule || "").join("; ") ||
        "The row still breaks a rule.",
    );
}

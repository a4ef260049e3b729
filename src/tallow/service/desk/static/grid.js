// A grid that makes rows for what is seen of it alone, whatever the number of all.

import { made } from "./desk.js";

const MORE = 4;

export class Grid {
  // A column has `name`, `title`, `text(row)`; it may have `value(row)` to sort by, `kind`, `paint(cell, row)`.
  constructor(box, columns, { height = 36, open, describe }) {
    Object.assign(this, { box, height, open, rows: [], order: [], chosen: 0, lines: new Map() });
    this.head = made("div", { className: "grid-head", role: "row" });
    this.sheet = made("div", { className: "grid-sheet", role: "rowgroup" });
    this.body = made("div", { className: "grid-body", tabIndex: 0 }, this.sheet);
    box.setAttribute("role", "grid");
    box.setAttribute("aria-label", describe);
    box.append(this.head, this.body);
    this.body.addEventListener("scroll", () => this.draw(), { passive: true });
    this.body.addEventListener("keydown", (event) => this.press(event));
    this.sheet.addEventListener("click", (event) => {
      const line = event.target.closest("[data-place]");
      if (line) this.choose(Number(line.dataset.place), true);
    });
    new ResizeObserver(() => this.draw()).observe(this.body);
    this.setColumns(columns);
  }

  setColumns(columns) {
    this.columns = columns;
    this.box.style.setProperty(
      "--columns",
      columns.map((each) => each.width || "minmax(84px, 1fr)").join(" "),
    );
    this.head.replaceChildren(
      ...columns.map((column) => {
        const cell = made(
          "button",
          {
            type: "button",
            role: "columnheader",
            className: column.kind || "",
            title: column.about || column.title,
          },
          column.title,
        );
        cell.onclick = () => this.sortBy(column.name);
        return cell;
      }),
    );
    for (const line of this.lines.values()) line.remove();
    this.lines.clear();
    this.showSort();
    this.draw();
  }

  // Rows must be sorted anew where they are others; values may change as they are.
  setRows(rows) {
    this.rows = rows;
    this.sort();
  }

  sortBy(name, down) {
    const isSame = this.sorted?.name === name;
    this.sorted = {
      name,
      down: down ?? (isSame ? !this.sorted.down : name !== this.columns[0].name),
    };
    this.onSort?.(this.sorted);
    this.showSort();
    this.sort();
  }

  showSort() {
    this.columns.forEach((column, k) => {
      const is = this.sorted?.name === column.name;
      this.head.children[k].setAttribute(
        "aria-sort",
        is ? (this.sorted.down ? "descending" : "ascending") : "none",
      );
    });
  }

  sort() {
    const column = this.columns.find((each) => each.name === this.sorted?.name);
    this.order = [...this.rows];
    if (column) {
      const value = column.value || column.text;
      const sign = this.sorted.down ? -1 : 1;
      const isKnown = (each) => each !== null && each !== undefined && each !== "";
      const keyed = this.order.map((row) => [value(row), row]);
      // What is not known is last, both ways.
      keyed.sort(([a], [b]) =>
        !isKnown(a)
          ? isKnown(b)
            ? 1
            : 0
          : !isKnown(b)
            ? -1
            : typeof a === "number"
              ? sign * (a - b)
              : sign * String(a).localeCompare(String(b)),
      );
      this.order = keyed.map(([, row]) => row);
    }
    this.sheet.style.height = `${this.order.length * this.height}px`;
    this.box.setAttribute("aria-rowcount", this.order.length + 1);
    this.chosen = Math.min(this.chosen, Math.max(this.order.length - 1, 0));
    this.draw();
  }

  get seen() {
    const first = Math.max(0, Math.floor(this.body.scrollTop / this.height) - MORE);
    const count = Math.ceil(this.body.clientHeight / this.height) + 2 * MORE;
    return this.order.slice(first, first + count);
  }

  // Draw once before the next picture, however often it is asked for.
  touch() {
    this.waits ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    if (this.waits) cancelAnimationFrame(this.waits);
    this.waits = null;
    const seen = this.seen;
    const first = Math.max(0, Math.floor(this.body.scrollTop / this.height) - MORE);
    const kept = new Map();
    const free = [];
    const wanted = new Set(seen);
    for (const [row, line] of this.lines) wanted.has(row) ? kept.set(row, line) : free.push(line);
    this.lines = kept;
    seen.forEach((row, k) => {
      let line = kept.get(row);
      if (!line) {
        line = free.pop() || this.line();
        kept.set(row, line);
      }
      this.fill(line, row, first + k);
    });
    for (const line of free) line.remove();
    this.onDraw?.(seen);
  }

  line() {
    const line = made("div", { className: "grid-row", role: "row" });
    for (const column of this.columns)
      line.append(made("span", { role: "gridcell", className: column.kind || "" }));
    this.sheet.append(line);
    return line;
  }

  fill(line, row, place) {
    line.style.transform = `translateY(${place * this.height}px)`;
    line.dataset.place = place;
    line.ariaRowIndex = place + 2;
    line.classList.toggle("chosen", place === this.chosen);
    this.columns.forEach((column, k) => {
      const cell = line.children[k];
      if (column.paint) column.paint(cell, row);
      else {
        const text = column.text(row);
        if (cell.firstChild?.data !== text) cell.textContent = text;
      }
    });
  }

  choose(place, opens) {
    this.chosen = Math.min(Math.max(place, 0), this.order.length - 1);
    const top = this.chosen * this.height;
    if (top < this.body.scrollTop) this.body.scrollTop = top;
    const under = top + this.height - this.body.clientHeight;
    if (under > this.body.scrollTop) this.body.scrollTop = under;
    this.draw();
    if (opens && this.order.length) this.open(this.order[this.chosen]);
  }

  press(event) {
    const page = Math.floor(this.body.clientHeight / this.height) - 1;
    const steps = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -Infinity,
      End: Infinity,
    };
    if (event.key in steps) this.choose(this.chosen + steps[event.key], false);
    else if (event.key === "Enter") this.choose(this.chosen, true);
    else return;
    event.preventDefault();
  }
}

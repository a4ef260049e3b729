// Indicators to choose from, as they are declared: the form of one is made of its parameters.

import { ask, made, tried } from "./desk.js";

export class Picker {
  constructor(box, current, onChange) {
    Object.assign(this, { box, current, onChange });
    box.closest("details").addEventListener("toggle", (event) => event.target.open && this.open());
  }

  async open() {
    this.all ??= (await tried(() => ask("/v1/indicators")))?.indicators;
    if (this.all) this.draw();
  }

  // The text of specs at its top level: commas in brackets are parts of a spec.
  specs() {
    return (this.current().match(/(?:[^,([]|\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\])+/g) || [])
      .map((each) => each.trim())
      .filter(Boolean);
  }

  draw() {
    const chosen = this.specs().map((spec) => {
      const remove = made(
        "button",
        { type: "button", className: "quiet", ariaLabel: `Remove ${spec}` },
        "\u2715",
      );
      remove.onclick = () => this.set(this.specs().filter((each) => each !== spec));
      return made("div", { className: "picked" }, made("code", {}, spec), remove);
    });
    const search = made("input", {
      type: "search",
      placeholder: "Find an indicator",
      ariaLabel: "Find an indicator",
    });
    const list = made("div", { className: "choices" });
    const show = () => {
      const wanted = search.value.trim().toLowerCase();
      const found = this.all.filter((each) =>
        `${each.name} ${each.title} ${each.aliases.join(" ")}`.toLowerCase().includes(wanted),
      );
      list.replaceChildren(
        ...found.slice(0, 60).map((each) => {
          const button = made(
            "button",
            { type: "button", className: "choice" },
            made("b", {}, each.name),
            ` ${each.title}`,
          );
          button.onclick = () => this.form(each.name);
          return button;
        }),
      );
    };
    search.oninput = show;
    show();
    const own = made(
      "form",
      { className: "own" },
      made("input", { placeholder: "or a spec: ema(rsi(14), 9)", ariaLabel: "A spec" }),
      made("button", { type: "submit" }, "Add"),
    );
    own.onsubmit = (event) => {
      event.preventDefault();
      this.add(own.firstChild.value.trim());
    };
    this.box.replaceChildren(...chosen, search, list, own);
    search.focus();
  }

  async form(name) {
    const about = await tried(() => ask(`/v1/indicators/${encodeURIComponent(name)}`));
    if (!about) return;
    const fields = about.parameters.map((each) => [each, field(each)]);
    const form = made(
      "form",
      { className: "parameters" },
      made("h3", {}, about.title),
      made("p", { className: "quiet" }, about.formula),
      ...fields.map(([each, input]) =>
        made("label", { title: each.description }, each.name, input),
      ),
      made(
        "p",
        {},
        made("button", { type: "submit", className: "main" }, "Add"),
        " ",
        made("button", { type: "button", className: "quiet", onclick: () => this.draw() }, "Back"),
      ),
    );
    form.onsubmit = (event) => {
      event.preventDefault();
      const words = fields
        .filter(([each, input]) => input.value !== String(each.default ?? "") && input.value !== "")
        .map(([each, input]) => `${each.name}=${input.value}`);
      this.add(words.length ? `${name}(${words.join(", ")})` : about.example || name);
    };
    this.box.replaceChildren(form);
    form.querySelector("input, select, button").focus();
  }

  add(spec) {
    if (spec) this.set([...this.specs().filter((each) => each !== spec), spec]);
  }

  set(specs) {
    this.onChange(specs.join(", "));
    // The address has it by then.
    setTimeout(() => this.draw());
  }
}

function field(parameter) {
  if (parameter.choices.length) {
    const select = made(
      "select",
      {},
      ...parameter.choices.map((each) => made("option", { value: each }, each)),
    );
    select.value = parameter.default;
    return select;
  }
  if (typeof parameter.default === "string") return made("input", { value: parameter.default });
  const step =
    Number.isInteger(parameter.default) && Number.isInteger(parameter.minimum ?? 0) ? 1 : "any";
  return made("input", {
    type: "number",
    value: parameter.default,
    min: parameter.minimum ?? "",
    max: parameter.maximum ?? "",
    step,
  });
}

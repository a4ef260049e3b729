// What all pages share: who asks, questions to the service, the look, small texts.

export const part = (name, under = document) => under.querySelector(`[data-part="${name}"]`);

export const made = (tag, options = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name in element) element[name] = value;
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((each) => each !== undefined && each !== null));
  return element;
};

// The frame is made by scripts, too: wait for a part of it.
export const ready = (name) =>
  new Promise((resolve) => {
    const look = () => part(name) && (watcher.disconnect(), resolve(part(name)));
    const watcher = new MutationObserver(look);
    watcher.observe(document.documentElement, { childList: true, subtree: true });
    look();
  });

export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Who asks: a key stays in this tab's memory of the session, and goes with each request as a header.
// No cookie: a page from elsewhere that sends a request sends no key with it.

const KEY = "tallow.key";
const tabs = new BroadcastChannel("tallow.key");
tabs.onmessage = ({ data }) => {
  if (data === "who?" && key()) tabs.postMessage({ key: key() });
  if (data.key && !key()) sessionStorage.setItem(KEY, data.key);
  if (data === "signed out") {
    sessionStorage.removeItem(KEY);
    location.reload();
  }
};
export const key = () => sessionStorage.getItem(KEY);
const keyOfAnotherTab = async () => {
  tabs.postMessage("who?");
  await wait(150);
  return key();
};

let signing = null;
export const signIn = () => (signing ??= askForKey().finally(() => (signing = null)));
const askForKey = async () => {
  if (!key() && (await keyOfAnotherTab())) return;
  const dialog = await ready("sign-in");
  const problem = part("sign-in-problem", dialog);
  const input = part("sign-in-key", dialog);
  problem.textContent = key() ? "This key is no longer good. Sign in with another." : "";
  sessionStorage.removeItem(KEY);
  dialog.showModal();
  await new Promise((resolve) => {
    part("sign-in-form", dialog).onsubmit = async (event) => {
      event.preventDefault();
      const text = input.value.trim();
      const headers = { Authorization: `Bearer ${text}` };
      let answer;
      try {
        answer = await fetch("/v1/timeframes", { headers });
      } catch {
        problem.textContent = "The service does not answer. Is it running?";
        return;
      }
      if (!answer.ok) {
        problem.textContent = await problemText(answer);
        input.select();
        return;
      }
      input.value = "";
      sessionStorage.setItem(KEY, text);
      dialog.close();
      resolve();
    };
    dialog.oncancel = (event) => event.preventDefault();
  });
  showKey();
};
export const signOut = () => {
  sessionStorage.removeItem(KEY);
  tabs.postMessage("signed out");
  location.reload();
};
const showKey = () => {
  part("sign-out").hidden = !key();
};

// Questions

const problemText = async (answer) => {
  if (answer.status === 401)
    return "This key is not known, or no longer good. Paste it as it was printed.";
  try {
    return (await answer.clone().json()).detail;
  } catch {
    return `The service answered ${answer.status}.`;
  }
};

export class Problem extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

export const ask = async (path, query = {}, options = {}) => {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null) words.append(name, each);
    }
  }
  const address = words.size ? `${path}?${words}` : path;
  for (let tries = 0; ; tries++) {
    const headers = { Accept: "application/json", ...options.headers };
    if (key()) headers.Authorization = `Bearer ${key()}`;
    let answer;
    try {
      answer = await fetch(address, { ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem("The service does not answer. Is it running?", 0);
    }
    if (answer.ok) return answer.status === 204 ? null : answer.json();
    if (answer.status === 401) {
      await signIn();
      continue;
    }
    const after = Number(answer.headers.get("Retry-After"));
    if (after && tries < 3 && (answer.status === 503 || answer.status === 429)) {
      await wait(after * 1000);
      continue;
    }
    throw new Problem(await problemText(answer), answer.status);
  }
};

export const post = (path, body, headers = {}) =>
  ask(
    path,
    {},
    {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json", ...headers },
    },
  );

// Look: as the system has it, until somebody chooses.

const LOOK = "tallow.look";
export const isDark = () => document.body.classList.contains("body--dark");
const setLook = (look) => window.Quasar?.Dark.set(look === "auto" ? "auto" : look === "dark");
export const onLook = (paint) =>
  new MutationObserver(paint).observe(document.body, {
    attributes: true,
    attributeFilter: ["class"],
  });

// Small texts

export const short = (value) => {
  const size = Math.abs(value);
  const [by, unit] =
    size >= 1e9 ? [1e9, "B"] : size >= 1e6 ? [1e6, "M"] : size >= 1e4 ? [1e3, "K"] : [1, ""];
  return (value / by).toLocaleString("en-US", { maximumFractionDigits: unit ? 2 : 0 }) + unit;
};
export const number = (value, decimals = 2) =>
  value === null || value === undefined
    ? "\u2013"
    : typeof value === "number"
      ? value.toLocaleString("en-US", {
          minimumFractionDigits: decimals,
          maximumFractionDigits: decimals,
        })
      : String(value);
export const clockText = (
  microseconds,
  zone,
  options = { dateStyle: "medium", timeStyle: "short" },
) => new Date(microseconds / 1000).toLocaleString("en-GB", { timeZone: zone, ...options });

let teller = "";
export const tell = (text, kind = "problem", by = "") => {
  teller = text ? by : "";
  const box = part("told");
  box.textContent = text;
  box.dataset.kind = kind;
  box.hidden = !text;
};
// Do something, and tell what went wrong with it. What a page does by itself has a name, `by`: when it
// goes well it takes back what it told, and not what somebody is to read.
export const tried = async (act, where, by = "") => {
  try {
    const found = await act();
    if (teller === by) tell("");
    return found;
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    if (!(error instanceof Problem)) console.error(error);
    (where || tell)(error.message, "problem", by);
    return undefined;
  }
};

// What is in the address is what the page shows.
export const address = () => new URLSearchParams(location.search);
export const setAddress = (values) => {
  const words = address();
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") words.delete(name);
    else words.set(name, value);
  }
  history.replaceState(null, "", words.size ? `?${words}` : location.pathname);
};

ready("look").then((button) => {
  setLook(localStorage.getItem(LOOK) || "auto");
  button.onclick = () => {
    const look = isDark() ? "light" : "dark";
    localStorage.setItem(LOOK, look);
    setLook(look);
  };
  part("sign-out").onclick = signOut;
  showKey();
});

// Keys for the keyboard: "/" goes to the search of a page.
addEventListener("keydown", (event) => {
  const inText = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName);
  if (event.key === "/" && !inText && !event.ctrlKey && !event.metaKey) {
    part("search")?.focus();
    event.preventDefault();
  }
});

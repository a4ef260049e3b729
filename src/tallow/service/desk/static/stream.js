// The stream: subscriptions that outlive a connection.

import { key, post, ready, part } from "./desk.js";

export class Stream {
  constructor() {
    this.wanted = new Map();
    this.delay = 500;
    this.connect();
    // A phone that wakes up does not wait for the next try.
    addEventListener("online", () => this.retry?.());
    document.addEventListener("visibilitychange", () => !document.hidden && this.retry?.());
  }

  // `asked` is a subscription without type and id; `on` has a function by kind of message.
  subscribe(id, asked, on) {
    this.drop(id);
    this.wanted.set(id, { asked, on });
    this.send({ type: "subscribe", id, ...asked });
  }

  drop(id) {
    if (this.wanted.delete(id)) this.send({ type: "unsubscribe", id });
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN && this.isWelcome) {
      this.socket.send(JSON.stringify(message));
    }
  }

  async connect() {
    this.retry = null;
    showConnection("connecting");
    try {
      const names = ["tallow.v1"];
      if (key()) names.push(`ticket.${(await post("/v1/tickets", {})).ticket}`);
      const scheme = location.protocol === "https:" ? "wss:" : "ws:";
      this.socket = new WebSocket(`${scheme}//${location.host}/v1/stream`, names);
    } catch {
      this.lost();
      return;
    }
    this.isWelcome = false;
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    this.socket.onclose = () => this.lost();
  }

  lost() {
    this.socket = null;
    showConnection("lost");
    const timer = setTimeout(() => this.retry?.(), this.delay);
    this.delay = Math.min(this.delay * 2, 10_000);
    this.retry = () => {
      clearTimeout(timer);
      this.connect();
    };
  }

  take(message) {
    if (message.type === "welcome") {
      this.isWelcome = true;
      this.delay = 500;
      this.stream = message.stream;
      showConnection("live");
      for (const [id, { asked, on, seq, stream }] of this.wanted) {
        const held = seq === undefined ? {} : { stream, seq };
        this.send({ type: "subscribe", id, ...asked, ...held });
        on.connected?.();
      }
      this.onWelcome?.(message);
      return;
    }
    if (message.type === "heartbeat") {
      for (const each of this.wanted.values()) {
        if (each.stream === this.stream) each.seq = message.seq;
      }
      return;
    }
    const found = this.wanted.get(message.id);
    if (!found) return;
    if (message.type === "subscribed") found.columns = message.columns;
    found.on[message.type]?.(message, found.columns);
    if (message.seq !== undefined && !message.more && message.type !== "subscribed") {
      found.seq = message.seq;
      found.stream = this.stream;
    }
  }
}

const CONNECTIONS = {
  live: "Live",
  connecting: "Connecting",
  lost: "Connection lost; trying again",
};
const showConnection = async (state) => {
  const shown = await ready("connection");
  shown.hidden = false;
  shown.dataset.state = state;
  part("connection-text", shown).textContent = CONNECTIONS[state];
};

// Rows of the stream as objects.
export const rowsOf = (message, columns) =>
  message.rows.map((row) => {
    const found = {};
    for (let k = 0; k < columns.length; k++) found[columns[k]] = row[k];
    return found;
  });

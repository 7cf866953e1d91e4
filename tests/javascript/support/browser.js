// Fakes of the browser APIs that the widget's modules need. The APIs that only the view needs are missing.
// Tests control the clocks.

import { mock } from "node:test";

export const ORIGIN = "https://timer.example.com";
export const EPOCH = Date.UTC(2026, 10, 24, 12);

class MemoryStorage {
  /** @param {string} key */
  getItem(key) {
    return Object.hasOwn(this, key) ? Reflect.get(this, key) : null;
  }

  /** @param {string} key @param {string} value */
  setItem(key, value) {
    Reflect.set(this, key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    Reflect.deleteProperty(this, key);
  }
}

/** Delivers messages to the other channels of the same name. The delivery is a microtask. */
class FakeBroadcastChannel {
  /** @type {Set<FakeBroadcastChannel>} */
  static open = new Set();
  /** @type {((event: {data: any}) => void) | null} */
  onmessage = null;

  /** @param {string} name */
  constructor(name) {
    this.name = name;
    FakeBroadcastChannel.open.add(this);
  }

  /** @param {unknown} message */
  postMessage(message) {
    const data = structuredClone(message);
    for (const other of FakeBroadcastChannel.open) {
      if (other !== this && other.name === this.name) queueMicrotask(() => other.onmessage?.({ data }));
    }
  }

  close() {
    FakeBroadcastChannel.open.delete(this);
  }
}

/** Grants each lock to one request at a time, in the order of the requests. */
class FakeLocks {
  /** @type {Map<string, {grant: () => void}[]>} */
  #queues = new Map();
  /** @type {Map<string, (reason: unknown) => void>} */
  #holders = new Map();

  /**
   * @param {string} name
   * @param {[() => unknown] | [{signal?: AbortSignal, steal?: boolean}, () => unknown]} args
   * @returns {Promise<unknown>}
   */
  request(name, ...args) {
    const [{ signal, steal }, task] = args.length === 1 ? [/** @type {any} */ ({}), args[0]] : args;
    return new Promise((resolve, reject) => {
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, queue);
      const request = {
        grant: () => {
          this.#holders.set(name, reject);
          const release = () => {
            if (this.#holders.get(name) !== reject) return;
            this.#holders.delete(name);
            queue.shift()?.grant();
          };
          Promise.resolve(task()).then(resolve, reject).finally(release);
        },
      };
      signal?.addEventListener("abort", () => {
        const index = queue.indexOf(request);
        if (index < 0) return;
        queue.splice(index, 1);
        reject(signal.reason);
      });
      if (steal) this.#holders.get(name)?.(new DOMException("Stolen", "AbortError"));
      queueMicrotask(() => {
        if (steal || (!this.#holders.has(name) && !queue.length)) request.grant();
        else queue.push(request);
      });
    });
  }
}

/** A connection whose server is the test. */
export class FakeSocket {
  /** All connections of the test, in the order in which they were opened. @type {FakeSocket[]} */
  static all = [];
  /** Whether the server accepts connections; else, it closes them at once. */
  static isAccepting = true;
  /** Whether the server replies to pings. */
  static isReplying = true;
  state = "connecting";
  /** @type {string[]} */
  sent = [];
  /** @type {(() => void) | null} */
  onopen = null;
  /** @type {((event: {data: string}) => void) | null} */
  onmessage = null;
  /** @type {(() => void) | null} */
  onclose = null;

  /** @param {string} url */
  constructor(url) {
    this.url = url;
    FakeSocket.all.push(this);
    setImmediate(() => {
      if (this.state !== "connecting") return;
      if (!FakeSocket.isAccepting) return this.drop();
      this.state = "open";
      this.onopen?.();
    });
  }

  /** The connections that are open. */
  static get open() {
    return FakeSocket.all.filter(({ state }) => state === "open");
  }

  /** @param {string} data */
  send(data) {
    this.sent.push(data);
    if (FakeSocket.isReplying) setImmediate(() => this.receive({ type: "pong" }));
  }

  close() {
    this.state = "closed";
  }

  /** Send a message from the server. @param {object} message */
  receive(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** Close the connection by the server or the network. */
  drop() {
    this.state = "closed";
    this.onclose?.();
  }
}

/** @param {object} target @param {string} name @param {unknown} value */
function define(target, name, value) {
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
}

/**
 * A page of Issue Timer's origin, and the two clocks of the machine: `Date.now()` and `performance.now()`.
 */
export class FakeBrowser {
  #monotonic = 1_000;
  #wall = EPOCH;
  document = Object.assign(new EventTarget(), { hidden: false });
  window = new EventTarget();
  storage = new MemoryStorage();

  constructor() {
    define(globalThis, "document", this.document);
    define(globalThis, "window", this.window);
    define(globalThis, "location", new URL(ORIGIN));
    define(globalThis, "localStorage", this.storage);
    define(globalThis, "BroadcastChannel", FakeBroadcastChannel);
    // Provide no locks, like a page without HTTPS, unless a test enables them.
    define(navigator, "locks", undefined);
    define(globalThis, "WebSocket", FakeSocket);
    FakeSocket.all = [];
    FakeSocket.isAccepting = FakeSocket.isReplying = true;
    mock.timers.enable({ apis: ["setTimeout"] });
    mock.method(performance, "now", () => this.#monotonic);
    mock.method(Date, "now", () => this.#wall);
    mock.method(Math, "random", () => 0.5);
  }

  /** Close all channels, and restore the mocked functions. */
  close() {
    FakeBroadcastChannel.open.clear();
    mock.timers.reset();
    mock.restoreAll();
  }

  /** The time of `performance.now()`. */
  get monotonic() {
    return this.#monotonic;
  }

  /** Advance both clocks, and run the timers that are due. @param {number} ms */
  async pass(ms) {
    const longest = ms > 60_000 ? 1_000 : 100;
    for (let remaining = ms; remaining > 0; remaining -= longest) {
      const step = Math.min(remaining, longest);
      this.#monotonic += step;
      this.#wall += step;
      mock.timers.tick(step);
      await flush();
    }
  }

  /**
   * Change only `Date.now()`, as if the clock was set or the machine slept.
   *
   * @param {number} ms the time to add
   */
  setClock(ms) {
    this.#wall += ms;
  }

  /** @param {boolean} hidden */
  setHidden(hidden) {
    this.document.hidden = hidden;
    this.document.dispatchEvent(new Event("visibilitychange"));
  }

  /** Provide locks, like a page with HTTPS. */
  enableLocks() {
    define(navigator, "locks", new FakeLocks());
  }

  /** Open a channel as another tab would. */
  openTab() {
    return new FakeBroadcastChannel(`issue-timer:${ORIGIN}`);
  }

  /** Open the channel of a user's connection as another tab would. */
  openLiveTab(user = 1) {
    return new FakeBroadcastChannel(`issue-timer:live:${ORIGIN}:${user}`);
  }

  /** The stored actions of all users. @returns {import("../../../web/widget/types.d.ts").Action[]} */
  get stored() {
    return Object.entries(this.storage)
      .filter(([key]) => key.startsWith("issue-timer:outbox:"))
      .map(([, value]) => JSON.parse(value));
  }
}

/** Run all tasks that are not waiting for a timer. */
export async function flush() {
  for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

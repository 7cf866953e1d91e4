import { randomName } from "./storage.js";

/** @import { TabMessage } from "./types.d.ts" */

/** Messages to and from other tabs that show the same server's timers. */
export class Tabs {
  /** @type {?BroadcastChannel} */
  #channel = null;
  #name;

  /** @param {string} server Issue Timer's origin */
  constructor(server) {
    this.#name = `issue-timer:${server}`;
  }

  /** Receive messages until `close` is called. @param {(message: TabMessage) => void} receive */
  open(receive) {
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => receive(data);
  }

  close() {
    this.#channel?.close();
    this.#channel = null;
  }

  /** @param {TabMessage} message */
  post(message) {
    this.#channel?.postMessage(message);
  }
}

/** The name of this tab. The name stays the same when the page is reloaded. */
export const tab = tabName();

function tabName() {
  const key = "issue-timer:tab";
  try {
    const name = sessionStorage[key] ?? randomName();
    // Store the name only while the tab changes from one page to the next. A duplicated tab gets a copy of
    // sessionStorage, and would get the same name.
    const forget = () => sessionStorage.removeItem(key);
    forget();
    addEventListener("pageshow", forget);
    addEventListener("pagehide", () => (sessionStorage[key] ??= name));
    return name;
  } catch {
    return randomName();
  }
}

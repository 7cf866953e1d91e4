// The modules under test, loaded when the fake browser is there: some look at it when they are loaded.

import { FakeBrowser, flush, ORIGIN } from "./browser.js";
import { FakeServer } from "./server.js";

export const REPO = "octo-org/hello-world";

/** @param {number} number */
export function issue(number) {
  return { github_repo: REPO, github_issue_number: number };
}

/** A connected manager of a user who is signed in, with what its events have reported. */
export async function setUp() {
  const browser = new FakeBrowser();
  const server = new FakeServer(browser);
  const { TimerManager } = await import("../../../web/timer-manager.js");
  const manager = new TimerManager({ server: ORIGIN });
  /** @type {any[]} */
  const reported = [];
  for (const type of ["transition", "problem"]) {
    manager.addEventListener(type, (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      reported.push({ type, ...detail });
    });
  }
  const tearDown = () => {
    manager.disconnect();
    browser.close();
  };
  return {
    browser,
    server,
    manager,
    reported,
    tearDown,
    /** Connect, and wait until the timers are there. */
    async connect() {
      manager.connect();
      await flush();
    },
    /** The state of the timers in short. */
    get shown() {
      return manager.state.timers.map((timer) => `${timer.github_issue_number} ${timer.status}`);
    },
  };
}

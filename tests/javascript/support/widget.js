// A widget's manager in a fake browser. The fake browser must exist before the modules are loaded, because
// some modules use the browser while they load.

import { FakeBrowser, flush, ORIGIN } from "./browser.js";
import { FakeServer } from "./server.js";

export const REPO = "octo-org/hello-world";

/** @param {number} number */
export function issue(number) {
  return { github_repo: REPO, github_issue_number: number };
}

/** Create a manager for a signed-in user, and record the manager's events. */
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
    /** Connect the manager, and wait until the timers are loaded. */
    async connect() {
      manager.connect();
      await flush();
    },
    /** The issue number and the status of each timer that the manager shows. */
    get shown() {
      return manager.state.timers.map((timer) => `${timer.github_issue_number} ${timer.status}`);
    },
  };
}

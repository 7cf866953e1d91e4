// What the browser keeps for this site or, where that is forbidden or there is no room, the page for as long as
// it is open.

/** @type {Map<string, string>} */
const fallback = new Map();

/** @returns {?Storage} null where a browser's settings forbid it */
function kept() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

export const storage = {
  /**
   * @param {string} key
   * @returns {any} null if there is nothing, or nothing that can be read
   */
  get(key) {
    try {
      return JSON.parse(kept()?.getItem(key) ?? fallback.get(key) ?? "null");
    } catch {
      return null;
    }
  },

  /**
   * @param {string} key
   * @param {any} value anything that JSON can represent
   */
  set(key, value) {
    const text = JSON.stringify(value);
    try {
      /** @type {Storage} */ (kept()).setItem(key, text);
    } catch {
      // What was there before would win.
      storage.remove(key);
      fallback.set(key, text);
    }
  },

  /** @param {string} key */
  remove(key) {
    kept()?.removeItem(key);
    fallback.delete(key);
  },

  /**
   * @param {string} prefix
   * @returns {string[]} sorted
   */
  keys(prefix) {
    return [...Object.keys(kept() ?? {}), ...fallback.keys()].filter((key) => key.startsWith(prefix)).sort();
  },
};

/** The name of this tab, also after the page was left and loaded again. */
export const tab = tabName();

/** @returns {string} one that nobody has; `crypto.randomUUID` is for pages with HTTPS only */
export function randomName() {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

function tabName() {
  const key = "issue-timer:tab";
  try {
    const name = sessionStorage[key] ?? randomName();
    // Not while the page is shown: a tab that is duplicated gets a copy of what there is.
    const forget = () => delete sessionStorage[key];
    forget();
    addEventListener("pageshow", forget);
    addEventListener("pagehide", () => (sessionStorage[key] = name));
    return name;
  } catch {
    return randomName();
  }
}

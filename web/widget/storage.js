// JSON in the browser's storage for this site. Where that is forbidden or full, the page keeps it while it is
// open.

/** @type {Map<string, string>} */
const fallback = new Map();

/** @returns {?Storage} null where a browser's settings forbid it */
function local() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

export const storage = {
  /**
   * @param {string} key
   * @returns {any} what `set` has stored under the key; null if there is nothing, or it is not JSON
   */
  get(key) {
    try {
      return JSON.parse(local()?.getItem(key) ?? fallback.get(key) ?? "null");
    } catch {
      return null;
    }
  },

  /**
   * @param {string} key
   * @param {unknown} value anything that JSON can represent
   */
  set(key, value) {
    const text = JSON.stringify(value);
    try {
      /** @type {Storage} */ (local()).setItem(key, text);
    } catch {
      // Otherwise `get` would prefer the former value.
      storage.remove(key);
      fallback.set(key, text);
    }
  },

  /** @param {string} key */
  remove(key) {
    local()?.removeItem(key);
    fallback.delete(key);
  },

  /**
   * @param {string} prefix
   * @returns {string[]} sorted
   */
  keys(prefix) {
    return [...Object.keys(local() ?? {}), ...fallback.keys()].filter((key) => key.startsWith(prefix)).sort();
  },
};

/** @returns {string} a unique name; `crypto.randomUUID` exists on pages with HTTPS only */
export function randomName() {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

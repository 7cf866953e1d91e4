// JSON values in the site's localStorage. If localStorage is forbidden or full, the page keeps the values in
// memory.

/** @type {Map<string, string>} */
const fallback = new Map();

/** @returns {?Storage} null if the browser's settings forbid localStorage */
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
   * @returns {any} the value that `set` has stored; null if there is no value, or if the value is not JSON
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
   * @param {unknown} value a value that JSON can represent
   */
  set(key, value) {
    const text = JSON.stringify(value);
    try {
      /** @type {Storage} */ (local()).setItem(key, text);
    } catch {
      // Remove the previous value, because `get` would return it instead of the new value.
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

/** @returns {string} a unique name; `crypto.randomUUID` exists only on pages with HTTPS */
export function randomName() {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

// What the browser keeps for this site or, where that is forbidden, the page for as long as it is open.

const fallback = new Map();

function kept() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

export const storage = {
  /** @returns {any} null if there is nothing, or nothing that can be read */
  get(key) {
    try {
      return JSON.parse(kept()?.getItem(key) ?? fallback.get(key) ?? null);
    } catch {
      return null;
    }
  },

  set(key, value) {
    const text = JSON.stringify(value);
    try {
      kept().setItem(key, text);
    } catch {
      fallback.set(key, text);
    }
  },

  remove(key) {
    kept()?.removeItem(key);
    fallback.delete(key);
  },

  /** @returns {string[]} in order */
  keys(prefix) {
    return [...Object.keys(kept() ?? {}), ...fallback.keys()].filter((key) => key.startsWith(prefix)).sort();
  },
};

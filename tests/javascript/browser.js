// Stands in for what page modules read of the browser when they are loaded.

/**
 * Set the languages and the time zone of the browser. Call it before importing modules of the page.
 *
 * @param {string[]} languages most preferred first
 * @param {string} [timeZone]
 */
export function pretendBrowser(languages, timeZone = "Europe/Berlin") {
  Object.defineProperty(navigator, "languages", { value: languages, configurable: true });
  process.env.TZ = timeZone;
}

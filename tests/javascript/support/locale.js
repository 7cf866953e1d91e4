// The browser settings that page modules read while they load.

/**
 * Set the languages and the time zone of the browser. Call this function before importing modules of the
 * page.
 *
 * @param {string[]} languages the languages, beginning with the preferred language
 * @param {string} [timeZone]
 */
export function setLocale(languages, timeZone = "Europe/Berlin") {
  Object.defineProperty(navigator, "languages", { value: languages, configurable: true });
  process.env.TZ = timeZone;
}

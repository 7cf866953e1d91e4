// Time zones: their names, what they are called, and their clocks.

import { WEEKDAYS } from "./week.js";

/** @import { Day, Weekday } from "./types.d.ts" */

/** Return the names of all time zones that the browser knows. */
export function zoneNames() {
  const names = Intl.supportedValuesOf("timeZone");
  // Some browsers omit UTC.
  return names.includes("UTC") ? names : [...names, "UTC"];
}

/**
 * Return the time zone that a text names: a zone in any case, or the end of a name that only one zone has, such
 * as "kathmandu" or "new york".
 *
 * @param {string} text
 * @returns {string | null}
 */
export function findZone(text) {
  const name = text.trim().replaceAll(" ", "_").toLowerCase();
  // Offsets such as "+05:30" are valid for the browser, but they are not names of zones.
  if (!/^[a-z]/u.test(name)) return null;
  const names = zoneNames();
  const known = names.find((zone) => zone.toLowerCase() === name);
  if (known) return known;
  const ending = names.filter((zone) => zone.toLowerCase().endsWith(`/${name}`));
  if (ending.length === 1) return ending[0];
  // The browser also knows the other names of zones, such as both Asia/Kolkata and Asia/Calcutta.
  const areas = new Set(names.filter((zone) => zone.includes("/")).map((zone) => zone.split("/")[0]));
  const written = name.includes("/") ? [name] : [...areas].map((area) => `${area}/${name}`);
  return written.map(canonical).find(Boolean) ?? null;
}

/** @param {string} timeZone */
function canonical(timeZone) {
  try {
    return new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}

/**
 * Return what clocks in a time zone show at an instant.
 *
 * @param {string} timeZone
 * @param {Date} instant
 * @returns {{day: Day, weekday: Weekday, minutes: number}} the minutes since midnight
 */
export function clocksIn(timeZone, instant) {
  const format = new Intl.DateTimeFormat("en", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]));
  const day = `${parts.year.padStart(4, "0")}-${parts.month}-${parts.day}`;
  return {
    day,
    weekday: WEEKDAYS[(new Date(`${day}T00:00Z`).getUTCDay() + 6) % 7],
    minutes: Number(parts.hour) * 60 + Number(parts.minute),
  };
}

// The formats of dates, times and durations in a language.

/** @import { Figure, Parts } from "./types.d.ts" */

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const DATE_FORMATS = {
  day: { weekday: "short", day: "numeric", month: "short" },
  longDay: { weekday: "long", day: "numeric", month: "long" },
  longDayWithYear: { dateStyle: "full" },
  date: { dateStyle: "medium" },
  shortDay: { day: "numeric", month: "short" },
  weekday: { weekday: "short" },
  longWeekday: { weekday: "long" },
  dayOfMonth: { day: "numeric", month: "long" },
  month: { month: "short", year: "numeric" },
  year: { year: "numeric" },
  time: { timeStyle: "short" },
  moment: { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" },
};

/** @typedef {"hoursAndMinutes" | "onlyHours" | "onlyMinutes" | "onlySeconds" | "lessThanAMinute"} DurationText */

/** Formats durations, and instants in the browser's time zone. */
export class Formats {
  #locale;
  #text;
  /** @type {Record<string, Intl.DateTimeFormat>} */
  #dates = {};

  /**
   * @param {string} locale
   * @param {(name: DurationText, parts: Parts) => string} text
   *   returns the text of a duration
   */
  constructor(locale, text) {
    this.#locale = locale;
    this.#text = text;
    this.followTimeZone();
  }

  /** Use the present time zone of the browser from now on. */
  followTimeZone() {
    for (const [name, options] of Object.entries(DATE_FORMATS)) {
      this.#dates[name] = new Intl.DateTimeFormat(this.#locale, options);
    }
  }

  /**
   * Format an instant.
   *
   * @param {string} format a key of `DATE_FORMATS`
   * @param {Date} instant
   */
  date(format, instant) {
    return this.#dates[format].format(instant);
  }

  /**
   * Format two instants as a range. A part that both instants share, such as the date, appears only once.
   *
   * @param {string} format a key of `DATE_FORMATS`
   * @param {Date} start
   * @param {Date} end
   */
  range(format, start, end) {
    return this.#dates[format].formatRange(start, end);
  }

  /**
   * Format a day. The text contains the year if the day is not in the current year.
   *
   * @param {Date} start the instant at which the day begins
   * @param {Date} now
   */
  day(start, now) {
    return this.date(start.getFullYear() === now.getFullYear() ? "longDay" : "longDayWithYear", start);
  }

  /**
   * Format a duration in hours and minutes, or in seconds if the duration is below a minute. Spaces in the
   * text are non-breaking.
   *
   * @param {number} duration in seconds
   */
  duration(duration) {
    const [hours, minutes, seconds] = [duration / 3600, (duration / 60) % 60, duration].map(Math.floor);
    const parts = { hours, minutes, seconds: Math.max(1, seconds) };
    return this.#text(durationText(duration, hours, minutes), parts).replaceAll(" ", "\u00a0");
  }

  /**
   * Format a figure that was rounded together with others. A time that was rounded to zero is "<1m".
   *
   * @param {Figure} figure
   */
  figure({ exact, shown }) {
    if (shown || exact <= 0) return this.duration(shown);
    return this.#text("lessThanAMinute", {}).replaceAll(" ", "\u00a0");
  }
}

/**
 * @param {number} duration
 * @param {number} hours
 * @param {number} minutes
 */
function durationText(duration, hours, minutes) {
  if (hours) return minutes ? "hoursAndMinutes" : "onlyHours";
  return duration > 0 && !minutes ? "onlySeconds" : "onlyMinutes";
}

/**
 * Return the weekday on which weeks begin, 1 (Monday) to 7. Return Monday if the browser does not provide the
 * weekday (Firefox).
 *
 * @param {string} tag a locale
 * @returns {number}
 */
export function firstWeekdayOf(tag) {
  /** @type {Intl.Locale & {getWeekInfo?: () => {firstDay: number}, weekInfo?: {firstDay: number}}} */
  const locale = new Intl.Locale(tag);
  // Older versions of Chromium have the property `weekInfo` instead of the method `getWeekInfo`.
  return (locale.getWeekInfo?.() ?? locale.weekInfo)?.firstDay ?? 1;
}

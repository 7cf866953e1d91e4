// The formats of dates, times and durations in a language.

import { formatLocale } from "../widget/locale.js";
import { dayOf } from "./calendar.js";
import { DAY_MINUTES } from "./time-of-day.js";

/** @import { Figure, Parts } from "./types.d.ts" */

/**
 * The formats of dates and times. An hour is numeric with AM and PM, and has two digits else.
 *
 * @type {Record<string, Intl.DateTimeFormatOptions>}
 */
const DATE_FORMATS = {
  day: { weekday: "short", day: "numeric", month: "short" },
  longDay: { weekday: "long", day: "numeric", month: "long" },
  longDayWithYear: { dateStyle: "full" },
  date: { dateStyle: "medium" },
  dayWithYear: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
  dateAndTime: { dateStyle: "medium", timeStyle: "short" },
  shortDay: { day: "numeric", month: "short" },
  weekday: { weekday: "short" },
  longWeekday: { weekday: "long" },
  longDate: { day: "numeric", month: "long", year: "numeric" },
  dayOfMonth: { day: "numeric", month: "long" },
  month: { month: "short", year: "numeric" },
  year: { year: "numeric" },
  time: { timeStyle: "short" },
  hour: { hour: "numeric" },
  moment: { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" },
  zonedTime: { hour: "numeric", minute: "2-digit", timeZoneName: "short" },
  offsetTime: { hour: "numeric", minute: "2-digit", timeZoneName: "shortOffset" },
  zonedMoment: {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "numeric",
    minute: "2-digit",
    timeZoneName: "short",
  },
};

/** @typedef {"hoursAndMinutes" | "onlyHours" | "onlyMinutes" | "onlySeconds" | "lessThanAMinute"} DurationText */

/** Formats durations, and instants in the browser's time zone. */
export class Formats {
  #locale;
  #text;
  /** @type {Record<string, Intl.DateTimeFormat>} */
  #dates = {};
  #clock;
  #endOfDay;

  /**
   * @param {string} locale
   * @param {(name: DurationText, parts: Parts) => string} text
   *   returns the text of a duration
   */
  constructor(locale, text) {
    this.#locale = locale;
    this.#text = text;
    /** @type {Intl.DateTimeFormatOptions} */
    const time = { hour: "2-digit", minute: "2-digit", timeZone: "UTC" };
    this.#clock = new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone: "UTC" });
    this.#endOfDay = new Intl.DateTimeFormat(locale, this.has12Hours ? time : { ...time, hourCycle: "h24" });
    this.followTimeZone();
  }

  /** Use the present time zone of the browser from now on. */
  followTimeZone() {
    for (const [name, options] of Object.entries(DATE_FORMATS)) {
      const hour = options.hour && !this.has12Hours ? "2-digit" : options.hour;
      this.#dates[name] = new Intl.DateTimeFormat(this.#locale, { ...options, hour });
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
   * Format instants around a change of clocks, such as "02:30 CEST" and "02:30 CET". The texts contain the
   * days if the instants are on different days.
   *
   * @param {Date[]} instants
   */
  clockTimes(instants) {
    const areOnOneDay = new Set(instants.map(dayOf)).size === 1;
    const named = instants.map((instant) => this.date(areOnOneDay ? "zonedTime" : "zonedMoment", instant));
    const areDistinct = new Set(named).size === named.length;
    return areDistinct ? named : instants.map((instant) => this.date("offsetTime", instant));
  }

  /**
   * Format the start and the end of an entry. The text names the clocks if they change in between.
   *
   * @param {Date} start
   * @param {Date} end
   */
  span(start, end) {
    if (start.getTimezoneOffset() === end.getTimezoneOffset()) return this.range("moment", start, end);
    return `${this.date("zonedMoment", start)} – ${this.date("zonedMoment", end)}`;
  }

  /** Whether times have 12 hours with AM and PM. */
  get has12Hours() {
    return this.#clock.resolvedOptions().hour12 === true;
  }

  /**
   * Format a time of day. The end of a day is 24:00 or, with 12 hours, 12:00 AM.
   *
   * @param {number} minutes since midnight
   */
  clock(minutes) {
    const format = minutes < DAY_MINUTES ? this.#clock : this.#endOfDay;
    return format.format((minutes % DAY_MINUTES) * 60_000);
  }

  /**
   * Format a full hour. With 12 hours, the text has no minutes.
   *
   * @param {Date} instant
   */
  hour(instant) {
    return this.date(this.has12Hours ? "hour" : "time", instant);
  }

  /**
   * Join alternatives, such as "90m or 90h".
   *
   * @param {string[]} alternatives
   */
  either(alternatives) {
    return new Intl.ListFormat(this.#locale, { type: "disjunction" }).format(alternatives);
  }

  /**
   * Join names, such as "one, two and three".
   *
   * @param {string[]} names
   */
  all(names) {
    return new Intl.ListFormat(this.#locale).format(names);
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
    // A share of a time is not exact: 49 minutes divided by 49 are less than 60 seconds.
    const exact = Math.round(duration * 1000) / 1000;
    const [hours, minutes, seconds] = [exact / 3600, (exact / 60) % 60, exact].map(Math.floor);
    const parts = { hours, minutes, seconds: Math.max(1, seconds) };
    return this.#text(durationText(exact, hours, minutes), parts).replaceAll(" ", "\u00a0");
  }

  /**
   * Format a difference, such as "+30m" or "−1h".
   *
   * @param {number} seconds
   */
  balance(seconds) {
    const minutes = Math.trunc(seconds / 60);
    const duration = this.duration(Math.abs(minutes) * 60);
    return minutes ? `${minutes > 0 ? "+" : "\u2212"}${duration}` : duration;
  }

  /**
   * Format a part of a whole, such as "50%".
   *
   * @param {number} part from 0 to 1
   */
  percent(part) {
    return new Intl.NumberFormat(this.#locale, { style: "percent", maximumFractionDigits: 0 }).format(part);
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

/**
 * Return the locale in which to format dates within texts of a language: the widget's, unless it has another
 * order of day and month than the browser's locale. In regions without formats in English, for example,
 * English has those of the USA.
 *
 * @param {string} language the language of the texts, such as "en" or "de-AT"
 */
export function formatLocaleOf(language) {
  const tag = formatLocale(language);
  if (isDayFirst(tag) === isDayFirst(navigator.languages[0] ?? language)) return tag;
  // 001 stands for the world (UN M49).
  return new Intl.Locale(tag, { region: "001" }).toString();
}

/** @param {string} tag a locale */
function isDayFirst(tag) {
  const parts = new Intl.DateTimeFormat(tag, { day: "numeric", month: "short" }).formatToParts(0);
  return parts.findIndex(({ type }) => type === "day") < parts.findIndex(({ type }) => type === "month");
}

// The person's language: texts, and how dates, times and durations are written in it.

import { stringsFor } from "../widget/strings.js";
import english from "./strings.en.js";

const TRANSLATED = ["en", "de"];

/** The person's first language that the page is translated to, with their region. */
export const locale =
  navigator.languages.find((tag) => TRANSLATED.includes(new Intl.Locale(tag).language)) ?? "en";
const { language } = new Intl.Locale(locale);

const texts = language === "en" ? english : (await import(`./strings.${language}.js`)).default;

/** What the widget says of a text that names no issue. */
export const { mistakes } = (await stringsFor(locale)).strings;

/** Return a text of the page; some have parts that are filled in. */
export function text(name, parts) {
  const found = texts[name];
  return typeof found === "function" ? found(parts) : found;
}

/** Put the person's language in place of the English of a document. */
export function translate(root) {
  document.documentElement.lang = locale;
  if (language === "en") return;
  for (const element of root.querySelectorAll("[data-text]"))
    element.textContent = text(element.dataset.text);
  for (const element of root.querySelectorAll("[data-label]"))
    element.ariaLabel = text(element.dataset.label);
  for (const element of root.querySelectorAll("[data-hint]"))
    element.placeholder = text(element.dataset.hint);
  document.title = text(document.documentElement.dataset.title);
}

/** The weekday that weeks begin with, 1 (Monday) to 7; Firefox does not tell. */
export const firstWeekday = (() => {
  const tag = new Intl.Locale(locale);
  return (tag.getWeekInfo?.() ?? tag.weekInfo)?.firstDay ?? 1;
})();

/** Write a duration in hours and minutes, and one below a minute in seconds; nothing breaks it into two lines. */
export function showDuration(duration) {
  const [hours, minutes, seconds] = [duration / 3600, (duration / 60) % 60, duration].map(Math.floor);
  let name = "onlyMinutes";
  if (hours) name = minutes ? "hoursAndMinutes" : "onlyHours";
  else if (duration > 0 && !minutes) name = "onlySeconds";
  return text(name, { hours, minutes, seconds: Math.max(1, seconds) }).replaceAll(" ", "\u00a0");
}

const options = {
  day: { weekday: "short", day: "numeric", month: "short" },
  longDay: { weekday: "long", day: "numeric", month: "long" },
  longDayWithYear: { dateStyle: "full" },
  date: { dateStyle: "medium" },
  shortDay: { day: "numeric", month: "short" },
  weekday: { weekday: "short" },
  time: { timeStyle: "short" },
  moment: { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" },
};
let formats;
followTimeZone();

/** Write instants, from now on, as they are in the time zone that the browser is in now. */
export function followTimeZone() {
  const of = ([name, parts]) => [name, new Intl.DateTimeFormat(locale, parts)];
  formats = Object.fromEntries(Object.entries(options).map(of));
}

/** Write an instant as a date, a time, or what else there is a format for. */
export function show(format, instant) {
  return formats[format].format(instant);
}

/** Write a day by its beginning, and its year if that is not the present one. */
export function showDay(instant, now) {
  return show(instant.getFullYear() === now.getFullYear() ? "longDay" : "longDayWithYear", instant);
}

/** Write two instants as one range, without saying twice what they have in common. */
export function showRange(format, start, end) {
  return formats[format].formatRange(start, end);
}

// Calendar days, as texts like "2026-11-24". They are the person's own: the instants between which one lies
// depend on the time zone of the browser.

const pad = (number, length = 2) => String(number).padStart(length, "0");

/** Return the time zone of the browser, by its IANA name; one may travel while a page is open. */
export function timeZone() {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Return the day of an instant. */
export function dayOf(instant) {
  return `${pad(instant.getFullYear(), 4)}-${pad(instant.getMonth() + 1)}-${pad(instant.getDate())}`;
}

/** Return the instant at which a day begins: mostly at midnight, but some change the clock just then. */
export function startOf(day) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date);
}

/** Return the day so many days later. */
export function addDays(day, count) {
  const date = new Date(`${day}T00:00Z`);
  date.setUTCDate(date.getUTCDate() + count);
  return date.toISOString().slice(0, 10);
}

/** Return all days from one to another, both among them. */
export function daysBetween(first, last) {
  const days = [];
  for (let day = first; day <= last; day = addDays(day, 1)) days.push(day);
  return days;
}

/** Return the first day of a day's week, where weeks begin with the weekday 1 (Monday) to 7. */
export function startOfWeek(day, firstWeekday) {
  const weekday = new Date(`${day}T00:00Z`).getUTCDay();
  return addDays(day, -((weekday - firstWeekday + 7) % 7));
}

/** Return an instant as a field of type datetime-local has it. */
export function toField(instant) {
  return `${dayOf(instant)}T${pad(instant.getHours())}:${pad(instant.getMinutes())}:${pad(instant.getSeconds())}`;
}

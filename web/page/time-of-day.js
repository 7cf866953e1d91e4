// Times of day that people type, in minutes since midnight. 24:00 is the end of a day.

export const DAY_MINUTES = 1440;

const HALF_DAY = 720;
// Such as "9", "09:00", "0900", "9.30", "9h30", "5 pm", "5:30p", "9:00 a.m." and "17 Uhr".
const TIME = /^(\d{1,2})(?:\s?[:.h]?\s?(\d{2}))?\s*(?:([ap])\.?(?:m\.?)?|h|uhr)?$/iu;

/**
 * Read a time of day.
 *
 * @param {string} text
 * @param {number} [after] in regions with 12 hours, an hour without AM and PM is in the afternoon if the time
 *   would otherwise not be later than this one: "9" to "5" is 09:00 to 17:00
 * @returns {number | null} in minutes since midnight, from 0 to 1440; null if the text is not a time
 */
export function readTime(text, after) {
  const [, hours, minutes = "0", half] = TIME.exec(text.trim()) ?? [];
  const [hour, minute] = [Number(hours), Number(minutes)];
  if (hours === undefined || minute > 59) return null;
  if (half) {
    if (hour < 1 || hour > 12) return null;
    return (hour % 12) * 60 + minute + (half.toLowerCase() === "p" ? HALF_DAY : 0);
  }
  const time = hour * 60 + minute;
  if (time > DAY_MINUTES) return null;
  const isMorning = hour >= 1 && hour < 12 && hours[0] !== "0";
  const isAfternoon = after !== undefined && isMorning && time <= after && time + HALF_DAY > after;
  return isAfternoon ? time + HALF_DAY : time;
}

/**
 * Return the API's form of a time of day, such as "09:00".
 *
 * @param {number} minutes
 */
export function toApiTime(minutes) {
  return [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, "0")).join(":");
}

/**
 * Return the minutes of a time of day in the API's form.
 *
 * @param {string} time such as "09:00"
 */
export function fromApiTime(time) {
  const [hours, minutes] = time.split(":").map(Number);
  return hours * 60 + minutes;
}

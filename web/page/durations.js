// Durations that people type. docs/github.md, "Durations", specifies the grammar, which
// timer_core/domain/durations.py implements too. Both are tested with tests/support/durations.json.

/**
 * The result of reading a text: the duration in milliseconds; or, for a text that is ambiguous, the durations
 * that it can mean, each in a valid form; or, for a text that is not a duration, no meanings.
 *
 * @typedef {{ms: number} | {meanings: string[]}} ReadDuration
 */

const BLANK = "[ \\t\\u00a0\\u202f]";
const DECIMAL = "[0-9]{1,6}(?:[.,][0-9]{1,4})?";
const HOURS = "(?:h|hrs?|hours?|std|stunden?)\\.?";
const MINUTES = "(?:m|mins?|minutes?|minuten)\\.?";
const SECONDS = "(?:s|secs?|seconds?|sek|sekunden?)\\.?";
const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1_000 };

/** @param {string} pattern */
const anchored = (pattern) => new RegExp(`^(?:${pattern})$`, "i");
const JOINT = new RegExp(`([a-z.])(?:,?${BLANK}+(?:(?:and|und)${BLANK}+)?)([0-9])`, "gi");
const UNITS = anchored(
  `(?:(?<h>${DECIMAL})${BLANK}*${HOURS})?${BLANK}*` +
    `(?:(?<m>${DECIMAL})${BLANK}*${MINUTES})?${BLANK}*` +
    `(?:(?<s>${DECIMAL})${BLANK}*${SECONDS})?`,
);
const CLOCK = anchored("([0-9]{1,5}):([0-5][0-9])(?::([0-5][0-9]))?");
const ONE_DIGIT_OF_MINUTES = anchored("([0-9]{1,5}):([0-9])");
const NO_UNIT_OF_MINUTES = anchored(`([0-9]{1,5})${BLANK}*${HOURS}${BLANK}*([0-9]{1,2})`);
const NO_UNIT = anchored(DECIMAL);
const DAYS = anchored(`([0-9]{1,3})${BLANK}*(?:d|days?|tage?)`);
const ENDS = new RegExp(`^${BLANK}+|${BLANK}+$`, "g");

/**
 * Read a duration that a user typed.
 *
 * @param {string} typed
 * @returns {ReadDuration}
 */
export function readDuration(typed) {
  const text = typed.replace(ENDS, "").replace(JOINT, "$1 $2").replace(/^[.,]/, "0$&");
  const clock = CLOCK.exec(text);
  if (clock) {
    const [hours, minutes, seconds] = clock.slice(1).map((part) => Number(part ?? 0));
    return { ms: hours * UNIT_MS.h + minutes * UNIT_MS.m + seconds * UNIT_MS.s };
  }
  const numbers = numbersIn(text);
  if (!numbers.length || numbers.some(([, number]) => isGrouped(number))) {
    return { meanings: meaningsOf(text, numbers) };
  }
  return { ms: numbers.reduce((sum, [unit, number]) => sum + toMs(number, UNIT_MS[unit]), 0) };
}

/**
 * Write a duration in a form that `readDuration` reads. Fractions of a second are dropped.
 *
 * @param {number} ms
 */
export function writeDuration(ms) {
  const [hours, minutes, seconds] = [ms / UNIT_MS.h, (ms / UNIT_MS.m) % 60, (ms / UNIT_MS.s) % 60].map(
    (part) => String(Math.floor(part)).padStart(2, "0"),
  );
  return `${Number(hours)}:${minutes}${seconds === "00" ? "" : `:${seconds}`}`;
}

/**
 * Return the numbers in a text such as "1h 30m", with their units.
 *
 * @param {string} text
 * @returns {["h" | "m" | "s", string][]}
 */
function numbersIn(text) {
  const { h, m, s } = UNITS.exec(text)?.groups ?? {};
  /** @type {["h" | "m" | "s", string | undefined][]} */
  const numbers = [
    ["h", h],
    ["m", m],
    ["s", s],
  ];
  return numbers.flatMap(([unit, number]) => (number === undefined ? [] : [[unit, number]]));
}

/**
 * @param {string} number
 * @param {number} unit in milliseconds
 */
function toMs(number, unit) {
  const { integer, fraction } = split(number);
  // Both parts are computed separately, so that neither exceeds the exact integers of a Number.
  return Number(integer) * unit + Math.round((Number(fraction) * unit) / 10 ** fraction.length);
}

/** @param {string} number */
function split(number) {
  const [integer, fraction = ""] = number.split(/[.,]/);
  return { integer, separator: number.charAt(integer.length), fraction };
}

/**
 * Return whether the separator in a number can also be one that groups thousands.
 *
 * @param {string} number
 */
function isGrouped(number) {
  const { integer, fraction } = split(number);
  return fraction.length === 3 && integer.length <= 3 && !integer.startsWith("0");
}

/**
 * @param {string} text
 * @param {["h" | "m" | "s", string][]} numbers
 * @returns {string[]}
 */
function meaningsOf(text, numbers) {
  const [, hours, digits] = ONE_DIGIT_OF_MINUTES.exec(text) ?? [];
  // 1:0 can only mean 1:00, and 1:7 only 1:07.
  if (hours) return [`${hours}:0${digits}`, `${hours}:${digits}0`].slice(0, /[1-5]/.test(digits) ? 2 : 1);
  const withoutUnit = NO_UNIT_OF_MINUTES.exec(text);
  if (withoutUnit) return [`${withoutUnit[1]}h ${withoutUnit[2]}m`];
  const days = DAYS.exec(text);
  if (days) return [8, 24].map((length) => `${Number(days[1]) * length}h`);
  if (NO_UNIT.test(text)) return meaningsWithoutUnit(text);
  if (numbers.length !== 1) return [];
  const [[unit, number]] = numbers;
  return [`${toDecimal(number)}${unit}`, `${toInteger(number)}${unit}`];
}

/** @param {string} number */
function meaningsWithoutUnit(number) {
  const { integer, separator, fraction } = split(number);
  if (!separator) return [`${number}m`, `${number}h`];
  if (fraction.length === 2 && fraction < "60") return [`${integer}:${fraction}`, `${number}h`];
  return [`${toDecimal(number)}h`, `${isGrouped(number) ? toInteger(number) : toDecimal(number)}m`];
}

/** @param {string} number */
function toInteger(number) {
  return number.replace(/[.,]/, "");
}

/**
 * Return a number without the zeros at its end, in a form that cannot be read as grouped thousands.
 *
 * @param {string} number
 */
function toDecimal(number) {
  const { integer, separator, fraction } = split(number);
  const digits = fraction.replace(/0+$/, "");
  if (!digits) return integer;
  return `${integer}${separator}${digits}${digits.length === 3 ? "0" : ""}`;
}

/** Numbers, times and foreign text in the words of this page. */

const NUMBER = new Intl.NumberFormat("en");
const DATE_TIME = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const TIME = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** 73623 → "73,623". */
export const number = (value) => NUMBER.format(value);

/** 1 row, 2 rows. */
export const count = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/** 42.34 → "42 %"; 0.3 → "0.3 %"; never "100 %" before it is. */
export function percent(value) {
  if (value > 0 && value < 1) return `${value.toFixed(1)} %`;
  return `${value < 100 ? Math.floor(value) : 100} %`;
}

/** Bytes in SI units: 10594055 → "10.6 MB". */
export function bytes(value) {
  let rest = value;
  let unit = 0;
  while (rest >= 999.5 && unit < BYTE_UNITS.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 100 ? 0 : 1;
  return `${rest.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** Seconds in two units at most: 0.3 → "0.3 s", 3700 → "1 h 2 min". */
export function duration(seconds) {
  if (seconds < 0.05) return "0 s";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(whole, 60, "min", "s");
  if (whole < 86400) return pair(Math.round(whole / 60), 60, "h", "min");
  return pair(Math.round(whole / 3600), 24, "d", "h");
}

function pair(value, base, big, small) {
  const rest = value % base;
  return rest === 0 ? `${value / base} ${big}` : `${Math.floor(value / base)} ${big} ${rest} ${small}`;
}

/** Date and time of an ISO string, in this browser's time zone. */
export const dateTime = (iso) => (isInfinite(iso) ? "never" : DATE_TIME.format(new Date(iso)));

/** Time of day of an ISO string. */
export const timeOfDay = (iso) => TIME.format(new Date(iso));

/** "3 min ago", "in 5 s": one unit is enough here. */
export function ago(iso, now = Date.now()) {
  if (isInfinite(iso)) return "never";
  const seconds = (now - new Date(iso).getTime()) / 1000;
  const far = Math.round(Math.abs(seconds));
  if (far < 2) return "now";
  const [size, unit] = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ].find(([s]) => far >= s);
  const words = `${Math.floor(far / size)} ${unit}`;
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

function isInfinite(iso) {
  return iso === "infinity" || Number.isNaN(new Date(iso).getTime());
}

const KEPT = new Set([0x09, 0x0a]);

/**
 * Text from outside, with what can't be seen made visible, as ‹U+202E›: control characters, and
 * characters that turn the direction of text, since they can make one name look like another.
 * @param {string} text
 * @param {number} [limit] cut after so many characters.
 */
export function visible(text, limit = Infinity) {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, (character) => {
    const code = character.charCodeAt(0);
    if (KEPT.has(code)) return character;
    return `‹U+${code.toString(16).toUpperCase().padStart(4, "0")}›`;
  });
}

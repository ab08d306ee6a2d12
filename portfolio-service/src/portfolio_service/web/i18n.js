// Words of two languages, and numbers as both write them.

const LANGUAGES = ["en", "zh"];
const root = document.documentElement;
let words = {};

export const language = () => (LANGUAGES.includes(root.lang) ? root.lang : "en");
export const other = () => (language() === "en" ? "zh" : "en");

export async function speak(tongue = language()) {
  const answer = await fetch(`words/${tongue}.json`);
  if (!answer.ok) throw new Error(`no words: ${answer.status}`);
  words = await answer.json();
  root.lang = tongue;
}

export function choose(tongue) {
  try { localStorage.setItem("language", tongue); } catch { /* a page without storage forgets */ }
  return speak(tongue);
}

/** Say something; `{name}` in its words is filled in. What has no words is told as it is. */
export function t(key, parts = {}) {
  const said = words[key] ?? key;
  return said.replace(/\{(\w+)\}/g, (whole, name) => (name in parts ? String(parts[name]) : whole));
}

/** Words of a value that comes from a service, which may have values that we do not know yet. */
export function named(group, value) {
  const key = `${group}.${value}`;
  return key in words ? words[key] : String(value ?? "").replaceAll("_", " ");
}

const locale = () => (language() === "zh" ? "zh-CN" : "en-US");
const formats = new Map();
function format(digits, least, sign, compact) {
  const key = `${locale()} ${digits} ${least} ${sign} ${compact}`;
  let found = formats.get(key);
  if (!found) {
    found = new Intl.NumberFormat(locale(), {
      minimumFractionDigits: least, maximumFractionDigits: digits,
      signDisplay: sign ? "exceptZero" : "negative", notation: compact ? "compact" : "standard",
    });
    formats.set(key, found);
  }
  return found;
}
export const missing = (value) => value === null || value === undefined || value === "" || Number.isNaN(Number(value));
const NONE = "–";
const write = (value, made) => (missing(value) ? NONE : made.format(Number(value)).replace("-", "−"));

export const number = (value, digits = 2, signed = false) => write(value, format(digits, digits, signed, false));
export const upTo = (value, digits = 8) => write(value, format(digits, 0, false, false));
export const whole = (value) => write(value, format(0, 0, false, false));
export const usd = (value) => write(value, format(2, 2, false, false));
/** Money to the last digit that the books have. */
export const exact = (value) => write(value, format(6, 6, false, false));
export const gain = (value) => write(value, format(2, 2, true, false));
export const short = (value) => (missing(value) ? NONE : Math.abs(Number(value)) < 10000 ? write(value, format(2, 0, false, false)) : write(value, format(2, 0, false, true)));
export const percent = (value, signed = false, digits = 2) => {
  if (missing(value)) return NONE;
  return `${format(digits, digits, signed, false).format(Number(value) * 100).replace("-", "−")}%`;
};
/** A distance as a share: beyond ten times no digit says more. */
export const distance = (value) => (Number(value) > 10 ? `> ${percent(10, false, 0)}` : percent(value));
/** A price with the digits that it needs. */
export const price = (value) => {
  if (missing(value)) return NONE;
  const size = Math.abs(Number(value));
  return write(value, format(size >= 1000 ? 1 : size >= 10 ? 2 : size >= 1 ? 4 : 6, size >= 1000 ? 1 : 2, false, false));
};
/** Of a gain or a loss; what is written as nothing is none. */
export const tone = (value) => (missing(value) || Math.abs(Number(value)) < 5e-5 ? "" : Number(value) > 0 ? "good" : "bad");

const two = (value) => String(value).padStart(2, "0");
/** Times are UTC everywhere: venue, reports and files are. */
export function moment(ms, seconds = false) {
  if (missing(ms)) return NONE;
  return new Date(Number(ms)).toISOString().slice(0, seconds ? 19 : 16).replace("T", " ");
}
export function clock(ms) {
  if (missing(ms)) return NONE;
  const at = new Date(Number(ms));
  return `${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
}
export function lasting(ms) {
  if (missing(ms)) return NONE;
  const s = Number(ms) / 1000;
  if (s < 90) return t("time.s", { n: whole(s) });
  if (s < 5400) return t("time.min", { n: whole(s / 60) });
  return s < 172800 ? t("time.h", { n: number(s / 3600, 1) }) : t("time.d", { n: number(s / 86400, 1) });
}

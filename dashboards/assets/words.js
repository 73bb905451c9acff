// Numbers, times and states as people read them.

const whole = new Intl.NumberFormat("en");
const LONG_AGO_S = 30 * 86400;

/** A count, 12,345. */
export const count = (n) => whole.format(n);

/** A number in so many digits that count; – where there is none. */
export function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return whole.format(value);
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}

/** The size of a file: 22.5 kB, 1.2 MB. */
export function bytes(n) {
  if (n === null || n === undefined) return "–";
  const [unit, size] = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]].find(([, size]) => n >= size) ?? ["bytes", 1];
  return `${number(n / size, 3)} ${unit}`;
}

/** Any value of a setting. */
export function value(of) {
  return typeof of === "number" ? number(of) : of === null || of === undefined ? "–" : String(of);
}

/** How long something takes: 41 s, 3 min 5 s, 2 h 10 min, 4 days. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${number(seconds, 2)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${number(s / 86400, 2)} days`;
}

/** When something was: how long ago, or the day where that is long ago. */
export function ago(iso) {
  if (!iso) return "–";
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
  if (seconds > LONG_AGO_S) return iso.slice(0, 10);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86400);
  return days === 1 ? "a day ago" : `${days} days ago`;
}

/** With a full stop, and without a capital: it goes on after a colon, and may begin with the name of a parameter. */
export const stopped = (text) => text + (/[.!?…]$/.test(text) ? "" : ".");

/** A sentence: with a capital and a full stop. */
export const sentence = (text) => stopped(text.charAt(0).toUpperCase() + text.slice(1));

/** A name as the server writes it for Plotly, which takes a part of HTML. */
export const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** The text behind what the server wrote for Plotly, which takes &lt; for <. */
export const unescaped = (text) => new DOMParser().parseFromString(text, "text/html").body.textContent;

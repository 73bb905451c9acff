// A study file as text: one key of it written anew, and everything else left as its author wrote it.

const WORD = /^[A-Za-z_][\w./+-]*$/;
const MEANT = new Set(["true", "false", "null", "yes", "no", "on", "off", "y", "n"]);

/** A value as YAML on one line. */
export function written(value) {
  if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).filter(([, of]) => of !== "" && of !== undefined);
    return `{${entries.map(([key, of]) => `${written(key)}: ${written(of)}`).join(", ")}}`;
  }
  if (typeof value !== "string") return JSON.stringify(value);
  return WORD.test(value) && !MEANT.has(value.toLowerCase()) ? value : JSON.stringify(value);
}

/** The file with a key of its first level set; null takes the key away. */
export function put(text, key, value) {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const begin = lines.findIndex((line) => line.startsWith(`${key}:`));
  const line = value === null ? [] : [`${key}: ${written(value)}`];
  if (begin < 0) return [...lines, ...line].map((one) => `${one}\n`).join("");
  let end = begin + 1;
  while (end < lines.length && /^(\s|-\s|$)/.test(lines[end])) end += 1; // what belongs to the key is indented
  return [...lines.slice(0, begin), ...line, ...lines.slice(end)].map((one) => `${one}\n`).join("");
}

// Small parts that several pages show: states, progress, labels, tables, the address of a study.

import { h } from "./dom.js";
import { path } from "./api.js";
import { ago, count, sentence, value } from "./words.js";

/** The page of a study, or of one of its trials. */
export const study = (name) => path("studies", name);
export const trial = (name, number) => path("studies", name, "trials", String(number));

/** A state, told by its word and, for those who see it, its colour. */
export const state = (word) => h("span", { class: `state is-${word.toLowerCase()}` }, word);

/** When something was; the exact time when one points at it. */
export const time = (iso) => (iso ? h("time", { datetime: iso, title: iso }, ago(iso)) : "–");

const ORDER = ["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"];

/** How far a study is: a stretch for each state of its trials. counts: by state; total: those wanted */
export function progress(counts, total) {
  const known = ORDER.filter((one) => counts[one]);
  const said = known.map((one) => `${count(counts[one])} ${one}`).join(", ") || "no trials yet";
  return h(
    "span",
    { class: "progress", role: "img", "aria-label": `${said} of ${count(total)}`, title: said },
    known.map((one) =>
      h("span", { class: `is-${one.toLowerCase()}`, style: `width:${(100 * counts[one]) / Math.max(total, 1)}%` }),
    ),
  );
}

/** Labels, as name=value. */
export const labels = (of) =>
  Object.entries(of).map(([name, text]) => h("span", { class: "label" }, text ? `${name}=${text}` : name));

/** Names and what stands for them. pairs: [name, text or element] */
export const facts = (pairs) =>
  h(
    "dl",
    { class: "facts" },
    pairs.filter(([, of]) => of !== null && of !== undefined).map(([name, of]) => h("div", {}, h("dt", {}, name), h("dd", {}, shown(of)))),
  );

const shown = (of) => (of instanceof Node || Array.isArray(of) ? of : value(of));

/** A table. columns: [title, row => cell, class]; the first cell of each row names it. */
export function table(columns, rows, caption) {
  return [
    caption ? h("caption", {}, caption) : null,
    h("thead", {}, h("tr", {}, columns.map(([title, , kind]) => h("th", { scope: "col", class: kind }, title)))),
    h("tbody", {}, rows.map((row) => line(columns, row))),
  ];
}

/** One row of it. */
export const line = (columns, row) =>
  h(
    "tr",
    {},
    columns.map(([, cell, kind], place) =>
      place === 0 ? h("th", { scope: "row", class: kind }, shown(cell(row))) : h("td", { class: kind }, shown(cell(row))),
    ),
  );

/** What went wrong, as a sentence; the place in a file stays as it is written there. */
export function wrong({ path: place, message }) {
  const said = sentence(message);
  return place ? place + said.slice(place.length) : said;
}

/** The same where everybody sees and hears it. */
export function say(element, error) {
  element.textContent = error instanceof Error ? wrong(error) : error;
  element.classList.toggle("wrong", error instanceof Error);
}

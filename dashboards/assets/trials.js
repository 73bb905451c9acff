// The trials of a study, a page at a time: filtered and sorted by the server, however many there are.

import { get, path } from "./api.js";
import { at, fill, h } from "./dom.js";
import { say, state, table, trial } from "./parts.js";
import { count, number, value } from "./words.js";

const PAGE = 25;

/** Show them in a table. record: the study. Returns `refresh`, for when there are new ones. */
export function trials(place, name, record) {
  const filters = at("filters");
  const params = Object.entries(record?.spec?.parameters ?? {})
    .filter(([, of]) => typeof of === "object" && of !== null)
    .map(([param]) => param);
  const best = record?.direction === "minimize" && !record.objectives ? "value" : "-value";
  let sort = record?.objectives ? "number" : best;
  let cursors = [null];

  const sorts = [
    ["Trial", (one) => h("a", { href: trial(name, one.number) }, String(one.number)), "", "number"],
    ["State", (one) => [state(one.state), one.reason ? h("span", { class: "soft" }, ` ${one.reason}`) : null], "", null],
    ["Value", (one) => (one.values ?? [one.value]).map((of) => number(of)).join(", "), "number", record?.objectives ? null : "value"],
    ...params.map((param) => [param, (one) => value(one.params[param] ?? null), "number", `params.${param}`]),
    ["Epochs", (one) => number(one.epochs), "number wide", "epochs"],
  ];

  let round = 0;
  const look = async () => {
    const mine = (round += 1); // an answer that is out of date is not shown
    const { state: word, where } = Object.fromEntries(new FormData(filters));
    try {
      const { items, next_cursor: next } = await get(`${path("studies", name)}/trials`, { state: word, where, sort, limit: PAGE, cursor: cursors.at(-1) });
      if (mine !== round) return;
      fill(place, table(sorts, items));
      heads();
      const first = PAGE * (cursors.length - 1);
      say(at("trials-said"), items.length ? `${count(first + 1)} to ${count(first + items.length)}` : "No trial is like that.");
      at("before").disabled = cursors.length === 1;
      at("after").disabled = next === null;
      at("after").onclick = () => cursors.at(-1) !== next && (cursors.push(next), look());
    } catch (error) {
      if (mine === round) say(at("trials-said"), error);
    }
  };
  const heads = () => {
    sorts.forEach(([title, , , key], column) => {
      if (!key) return;
      const cell = place.tHead.rows[0].cells[column];
      const now = sort === key ? "ascending" : sort === `-${key}` ? "descending" : null;
      if (now) cell.setAttribute("aria-sort", now);
      const mark = now ? h("span", { "aria-hidden": "true" }, now === "ascending" ? " ↑" : " ↓") : null;
      fill(cell, h("button", { type: "button", class: "head", onclick: () => turn(key, now, column) }, title, mark));
    });
  };
  const turn = async (key, now, column) => {
    [sort, cursors] = [now === "descending" ? key : `-${key}`, [null]];
    await look();
    place.tHead.rows[0].cells[column].querySelector("button").focus();
  };
  let typing = null;
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("input", () => {
    cursors = [null];
    clearTimeout(typing);
    typing = setTimeout(look, 300);
  });
  at("before").addEventListener("click", () => cursors.length > 1 && (cursors.pop(), look()));
  look();
  return { refresh: () => (cursors.length === 1 ? look() : undefined) };
}

// All studies: as many as were asked for, filtered by the server, sorted here, looked at again every few seconds.

import { get } from "./api.js";
import { at, fill, h } from "./dom.js";
import { labels, line, progress, say, state, study, time } from "./parts.js";
import { every } from "./poll.js";
import { ago, count, number, sentence } from "./words.js";

const PAGE = 100;
const POLL_S = 3;
const filters = at("filters");
const given = new URLSearchParams(location.search);
const chosen = new Set();
let pages = 1;
let order = given.get("sort") ?? "-created";
let found = [];
let more = false;

// title, cell, class, what the column is sorted by
const COLUMNS = [
  ["Study", (one) => [chooser(one), h("a", { href: study(one.name) }, one.name)], "name", ["name", (one) => one.name]],
  ["State", (one) => state(one.state), "", ["state", (one) => one.state]],
  ["Trials", (one) => [progress(one.states, one.n_trials), " ", done(one)], "trials", ["done", (one) => one.n_finished / one.n_trials]],
  ["Best", best, "best", ["value", (one) => one.value]],
  ["Owner", (one) => one.owner ?? "–", "wide", ["owner", (one) => one.owner]],
  ["Labels", (one) => labels(one.labels), "wide", null],
  ["Created", (one) => time(one.created_at), "wide", ["created", (one) => one.created_at]],
];

const done = (one) => h("span", { class: "soft nowrap" }, `${count(one.n_finished)} / ${count(one.n_trials)}`);

function best(one) {
  if (one.objectives) return h("span", { class: "soft" }, one.objectives.map((goal) => goal.metric).join(", "));
  return [h("span", { class: "value" }, number(one.value)), " ", h("span", { class: "soft" }, one.metric)];
}

function chooser(one) {
  const change = ({ target }) => {
    target.checked ? chosen.add(one.name) : chosen.delete(one.name);
    offerToCompare();
  };
  return h("input", { type: "checkbox", checked: chosen.has(one.name), "aria-label": `compare ${one.name}`, onchange: change });
}

function offerToCompare() {
  const link = at("compare");
  link.hidden = chosen.size < 2;
  link.textContent = `Compare ${chosen.size}`;
  link.href = `/compare?${new URLSearchParams([...chosen].map((name) => ["study", name]))}`;
}

/** What the form asks for. */
const asked = () => ({ ...Object.fromEntries(new FormData(filters)) });

async function look() {
  try {
    const { state: word, label, owner } = asked();
    const items = [];
    let cursor = null;
    for (let page = 0; page < pages; page += 1) {
      const answer = await get("/studies", { state: word, label, owner, limit: PAGE, cursor });
      items.push(...answer.items);
      cursor = answer.next_cursor;
      if (!cursor) break;
    }
    [found, more] = [items, cursor !== null];
    show();
  } catch (error) {
    say(at("said"), error);
    throw error;
  }
}

function show() {
  const name = asked().name.trim().toLowerCase();
  const shown = sorted(found.filter((one) => one.name.toLowerCase().includes(name)));
  at("more").hidden = !more;
  say(at("said"), told(shown));
  const table = at("studies");
  const kept = keep(table);
  const rows = shown.map((one) => kept(one) ?? row(one));
  if (!table.tHead) table.append(h("thead"), h("tbody"));
  const heads = JSON.stringify(order);
  if (table.dataset.order !== heads) fill(table.tHead, h("tr", {}, COLUMNS.map(head)));
  table.dataset.order = heads;
  fill(table.tBodies[0], rows);
}

/** What a row shows; how long ago something was changes by itself. */
const mark = (one) => ago(one.created_at) + JSON.stringify(one);

/** The rows that stand there already, for studies that have not changed: whoever is on one stays on it. */
function keep(table) {
  const rows = new Map([...(table.tBodies[0]?.rows ?? [])].map((one) => [one.dataset.of, one]));
  return (one) => rows.get(mark(one));
}

function row(one) {
  const made = line(COLUMNS, one);
  made.dataset.of = mark(one);
  return made;
}

function told(shown) {
  const running = shown.filter((one) => one.state === "RUNNING").length;
  const which = more ? `the ${count(found.length)} newest studies` : shown.length === 1 ? "study" : "studies";
  if (!found.length) return Object.values(asked()).some(Boolean) ? "No study is like that." : "No studies yet.";
  return sentence(more ? `${count(shown.length)} of ${which}, ${running} running` : `${count(shown.length)} ${which}, ${running} running`);
}

function head([title, , kind, key]) {
  if (!key) return h("th", { scope: "col", class: kind }, title);
  const [word] = key;
  const now = order === word ? "ascending" : order === `-${word}` ? "descending" : null;
  const turn = () => {
    order = now === "descending" ? word : `-${word}`;
    remember();
    show();
    at("studies").querySelector(`button[data-key="${word}"]`).focus();
  };
  const mark = now ? h("span", { "aria-hidden": "true" }, now === "ascending" ? " ↑" : " ↓") : null;
  return h("th", { scope: "col", class: kind, "aria-sort": now }, h("button", { type: "button", class: "head", "data-key": word, onclick: turn }, title, mark));
}

function sorted(items) {
  const [, key] = COLUMNS.map((column) => column[3]).find((one) => one && one[0] === order.replace(/^-/, "")) ?? [null, null];
  if (!key) return items;
  const sign = order.startsWith("-") ? -1 : 1;
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return [...items].sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    if (a === null || b === null) return (a === null) - (b === null); // those without one come last
    return sign * compare(a, b);
  });
}

/** The address of the page says what it shows, so that it can be sent around. */
function remember() {
  const entries = Object.entries({ ...asked(), sort: order === "-created" ? "" : order }).filter(([, word]) => word);
  history.replaceState(null, "", entries.length ? `?${new URLSearchParams(entries)}` : location.pathname);
}

for (const field of filters.elements) if (field.name && given.has(field.name)) field.value = given.get(field.name);
const again = every(POLL_S, look);
let typing = null;
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("input", ({ target }) => {
  remember();
  show();
  if (target.name === "name") return;
  clearTimeout(typing);
  typing = setTimeout(() => ((pages = 1), again()), 250);
});
at("more").addEventListener("click", () => ((pages += 1), again()));

// Data sets: those there are, what one holds, and one's own added.

import { get, path, send } from "./api.js";
import { percent, spread } from "./distribution.js";
import { at, fill, h } from "./dom.js";
import { facts, say, table, time } from "./parts.js";
import { bytes, count, sentence, value } from "./words.js";

const PAGE = 100;
const mayAdd = at("data").dataset.mayAdd !== undefined;
let items = [];

const COLUMNS = [
  ["Name", (one) => h("button", { type: "button", class: "quiet", onclick: () => open(one.id) }, one.name), "name"],
  ["Kind", (one) => one.kind, "nowrap"],
  ["What it is", (one) => one.about, "wide"],
  ["Size", (one) => bytes(one.n_bytes), "number"],
  ["Owner", (one) => one.owner ?? "–", "wide"],
  ["Added", (one) => time(one.added_at), "wide nowrap"],
];
const REMOVE = [h("span", { class: "unseen" }, "Remove"), (one) => (one.kind === "stored" ? h("button", { type: "button", class: "quiet", "aria-label": `Remove ${one.name}`, onclick: () => remove(one) }, "Remove") : "")];

async function look(cursor = null) {
  try {
    const answer = await get("/datasets", { limit: PAGE, cursor });
    items = cursor === null ? answer.items : [...items, ...answer.items];
    fill(at("datasets"), table(mayAdd ? [...COLUMNS, REMOVE] : COLUMNS, items));
    say(at("said"), `${count(items.length)} data sets.`);
    at("more").hidden = answer.next_cursor === null;
    at("more").onclick = () => look(answer.next_cursor);
  } catch (error) {
    say(at("said"), error);
  }
}

// What is known of a column, and of what a study makes of it.
const OF_A_COLUMN = [
  ["Column", ({ name, kind, note }) => [h("strong", {}, name), " ", h("span", { class: "soft" }, note ? `${kind}, ${note}` : kind)]],
  ["Distribution", ({ distribution }) => spread(distribution), "drawn"],
  ["Median", ({ distribution }) => value(distribution.median), "number wide"],
  ["Missing", ({ distribution }) => missing(distribution), "number"],
];

function missing({ n_values, n_missing, n_infinite }) {
  const infinite = n_infinite ? h("span", { class: "wrong" }, `${count(n_infinite)} infinite`) : null;
  return [n_missing ? `${count(n_missing)} (${percent(n_missing, n_values + n_missing + n_infinite)})` : infinite ? "" : "–", " ", infinite];
}

async function open(id, target = null) {
  say(at("one-said"), "");
  try {
    tell(await get(path("datasets", id), { target }));
    history.replaceState(null, "", `?${new URLSearchParams({ show: id })}`);
    if (at("one").hidden || target === null) {
      at("one").hidden = false;
      at("one").focus();
    }
  } catch (error) {
    say(at(at("one").hidden ? "said" : "one-said"), error);
  }
}

function tell(one) {
  at("one-title").textContent = one.name;
  fill(at("about"), facts([["id", one.id], ["rows", rows(one)], ["columns", count(one.columns.length)], ["what it is", one.kind === "stored" ? null : one.about], ["task", one.task && `${one.task}: ${one.task_reason}`], ["SHA-256", one.sha256.slice(0, 16)]]));
  const known = new Map(one.distributions.map((distribution) => [distribution.name, distribution]));
  const shown = one.columns.filter(({ name }) => known.has(name)).map((column) => ({ ...column, distribution: known.get(column.name) }));
  fill(at("columns"), table(OF_A_COLUMN, shown, shown.length < one.columns.length ? `${count(shown.length)} of ${count(one.columns.length)}` : null));
  fill(at("notes"), one.notes.map((note) => h("li", {}, sentence(note))));
  fill(at("rows"), table(one.preview.columns.map((name, place) => [name, (row) => value(row[place])]), one.preview.rows));
  fill(at("target"), h("option", { value: "" }, "–"), shown.map(({ name }) => h("option", { value: name, selected: name === one.target }, name)));
  at("target").onchange = ({ target }) => open(one.id, target.value || null);
  const to = at("to-submit");
  if (to) to.href = `/submit?${new URLSearchParams({ source: one.id, ...(one.kind === "stored" && one.target ? { target: one.target } : {}) })}`;
}

const rows = (one) => count(one.n_rows) + (one.n_train === null ? "" : `: ${count(one.n_train)} train, ${count(one.n_validation)} validate, ${count(one.n_test)} test`);

async function remove(one) {
  if (!window.confirm(`Remove ${one.name} for good?`)) return;
  try {
    await send("DELETE", path("datasets", one.id));
    at("one").hidden = true;
    await look();
  } catch (error) {
    say(at("said"), error);
  }
}

async function add(event) {
  event.preventDefault();
  const [file] = at("file").files;
  const button = event.submitter;
  button.disabled = true;
  say(at("added"), "Sending…");
  try {
    const made = await send("POST", "/datasets", { body: file, type: "application/octet-stream", query: { name: file.name } });
    say(at("added"), `${made.name} is kept.`);
    await look();
    await open(made.id);
  } catch (error) {
    say(at("added"), error);
  }
  button.disabled = false;
}

const wanted = new URLSearchParams(location.search).get("show");
look().then(() => wanted && open(wanted));
at("add")?.addEventListener("submit", add);

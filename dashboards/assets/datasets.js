// Data sets: those there are, what one holds, and one's own added.

import { get, path, send } from "./api.js";
import { at, fill, h } from "./dom.js";
import { facts, say, table, time } from "./parts.js";
import { count, number, value } from "./words.js";

const PAGE = 100;
const MANY_COLUMNS = 200;
const mayAdd = at("data").dataset.mayAdd !== undefined;
let items = [];

const COLUMNS = [
  ["Name", (one) => h("button", { type: "button", class: "quiet", onclick: () => open(one.id) }, one.name), "name"],
  ["Kind", (one) => one.kind],
  ["What it is", (one) => one.about, "wide"],
  ["Size", (one) => (one.n_bytes === null ? "–" : `${number(one.n_bytes / 1e6, 3)} MB`), "number"],
  ["Owner", (one) => one.owner ?? "–", "wide"],
  ["Added", (one) => time(one.added_at), "wide"],
];
const REMOVE = ["", (one) => (one.kind === "stored" ? h("button", { type: "button", class: "quiet", "aria-label": `Remove ${one.name}`, onclick: () => remove(one) }, "Remove") : "")];

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

async function open(id) {
  try {
    const one = await get(path("datasets", id));
    at("one-title").textContent = one.name;
    fill(at("about"), facts([["id", one.id], ["rows", count(one.n_rows)], ["columns", count(one.columns.length)], ["what it is", one.about], ["SHA-256", one.sha256.slice(0, 16)]]));
    const known = [["Column", (of) => of.name], ["Kind", (of) => of.kind], ["Note", (of) => of.note || "–"]];
    fill(at("columns"), table(known, one.columns.slice(0, MANY_COLUMNS), one.columns.length > MANY_COLUMNS ? `The first ${MANY_COLUMNS}` : null));
    fill(at("rows"), table(one.preview.columns.map((name, place) => [name, (row) => value(row[place])]), one.preview.rows));
    at("one").hidden = false;
    at("one").focus();
  } catch (error) {
    say(at("said"), error);
  }
}

async function remove(one) {
  if (!window.confirm(`Remove ${one.name} for good?`)) return;
  try {
    await send("DELETE", path("datasets", one.id));
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
    say(at("added"), `${made.name}: ${made.about}.`);
    await look();
    await open(made.id);
  } catch (error) {
    say(at("added"), error);
  }
  button.disabled = false;
}

look();
at("add")?.addEventListener("submit", add);

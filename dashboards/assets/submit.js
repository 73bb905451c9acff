// Submit a study: fields write into a study file, which the server checks while it is typed.

import { path, send } from "./api.js";
import { at, fill, h } from "./dom.js";
import { facts, study, wrong } from "./parts.js";
import { put } from "./study-file.js";
import { count, duration, number, sentence } from "./words.js";

const YAML = "application/yaml";
const PAUSE_MS = 400; // without a key pressed
const file = at("file");
const form = at("form");
let round = 0;
let waiting = null;
let key = null;

// What each field makes of its words; those of one key together.
const numeric = (word) => (word === "" ? null : Number(word));
const KEYS = {
  name: ({ name }) => name || null,
  data: ({ source, target }) => (source ? { source, target } : null),
  parameters: ({ parameters }) => parameters || null,
  sampler: ({ sampler }) => (sampler ? { name: sampler } : null),
  pruner: ({ pruner }) => (pruner ? { name: pruner } : null),
  trials: ({ trials }) => numeric(trials),
  epochs: ({ epochs }) => numeric(epochs),
  seed: ({ seed }) => numeric(seed),
};
const KEY_OF = { source: "data", target: "data" };

function write({ target }) {
  const word = KEY_OF[target.name] ?? target.name;
  file.value = put(file.value, word, KEYS[word](Object.fromEntries(new FormData(form))));
  changed();
}

function changed() {
  round += 1; // what is still being checked is out of date
  key = null;
  at("go").disabled = true;
  clearTimeout(waiting);
  waiting = setTimeout(check, PAUSE_MS);
}

async function check() {
  const mine = (round += 1);
  if (!file.value.trim()) {
    fill(at("checked"), h("p", { class: "soft" }, "Choose data and a search space, or write a study file."));
    return;
  }
  try {
    const found = await send("POST", "/studies:validate", { body: file.value, type: YAML });
    if (mine !== round) return; // something else was typed meanwhile
    fill(at("checked"), told(found));
    at("go").disabled = false;
  } catch (error) {
    if (mine === round) fill(at("checked"), h("p", { class: "wrong" }, wrong(error)));
  }
}

function told({ plan, notes }) {
  const would = plan && [
    ["trials", count(plan.n_trials)],
    ["cohorts", count(plan.n_cohorts)],
    ["memory", `${number(plan.memory_bytes / 1e6, 3)} MB`],
    ["about", `${duration(plan.seconds)} on ${plan.workers} ${plan.device} ${plan.workers === 1 ? "slot" : "slots"}`],
    ["refused by constraints", plan.infeasible ? `${number(100 * plan.infeasible, 2)} %` : null],
  ];
  return [
    h("p", {}, h("strong", {}, "It is valid."), plan ? "" : " Its trials are trained elsewhere."),
    would ? facts(would) : null,
    notes.length ? h("ul", {}, notes.map((note) => h("li", {}, sentence(note)))) : null,
  ];
}

async function submit(event) {
  event.preventDefault();
  at("go").disabled = true;
  // The same until the file is another: pressed twice, it is one study.
  key ??= [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    const made = await send("POST", path("studies"), { body: file.value, type: YAML, also: { "Idempotency-Key": key } });
    location.assign(study(made.name));
  } catch (error) {
    fill(at("checked"), h("p", { class: "wrong" }, wrong(error)));
    at("go").disabled = false;
  }
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", write);
file.addEventListener("input", changed);
at("send").addEventListener("submit", submit);
// What was chosen before this script had come.
for (const field of form.elements) if (field.value) write({ target: field });
// A link may fill fields: /submit?source=iris
for (const [name, word] of new URLSearchParams(location.search)) {
  const field = form.elements.namedItem(name);
  if (!field || !KEYS[KEY_OF[name] ?? name]) continue;
  field.value = word;
  write({ target: field });
}
check();

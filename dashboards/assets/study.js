// One study: how far it is, its best trials, what ails it, its figures and trials; live while it runs.

import { get, path, send } from "./api.js";
import { diagnosis } from "./diagnosis.js";
import { at, fill, h } from "./dom.js";
import { figures } from "./figures.js";
import { follow, isFinal } from "./follow.js";
import { download } from "./model.js";
import { facts, labels, progress, say, state, table, time, trial } from "./parts.js";
import { trials } from "./trials.js";
import { count, duration, number, sentence, value } from "./words.js";

const { name, plotly, mayMove, maySubmit } = at("study").dataset;
const WHERE = path("studies", name);
const TOP = 5;
const REST_S = 5; // between two looks at what the server has to reckon

// What may be done to a study in each state, and what to ask before.
const VERBS = {
  pause: { title: "Pause", when: ["QUEUED", "RUNNING"] },
  resume: { title: "Resume", when: ["PAUSED"], kind: "main" },
  stop: { title: "Stop", when: ["RUNNING", "PAUSED"], ask: "Start nothing more and let what runs finish?" },
  cancel: { title: "Cancel", when: ["QUEUED", "RUNNING", "PAUSED", "STOPPING"], kind: "danger", ask: "End what runs now? This is for good." },
};

let shown = null; // the study's record
let hasBest = false;

function show(record) {
  shown = { ...shown, ...record };
  fill(at("state"), state(shown.state), shown.wanted ? h("span", { class: "soft" }, ` (${shown.wanted} asked for)`) : null);
  const reason = at("reason");
  reason.hidden = !shown.reason;
  reason.textContent = shown.reason ? sentence(shown.reason) : "";
  const may = Object.entries(VERBS).filter(([, verb]) => mayMove !== undefined && verb.when.includes(shown.state));
  const now = may.map(([verb]) => verb).join();
  if (at("verbs").dataset.now !== now) fill(at("verbs"), may.map(button), fork());
  at("verbs").dataset.now = now;
}

function button([verb, { title, kind, ask }]) {
  const press = async ({ target }) => {
    if (ask && !window.confirm(`${title} ${name}? ${ask}`)) return;
    target.disabled = true;
    try {
      show(await send("POST", `${WHERE}:${verb}`, { body: verb === "resume" ? {} : undefined }));
      say(at("said"), "");
      again();
    } catch (error) {
      say(at("said"), error);
    }
    target.disabled = false;
  };
  return h("button", { type: "button", class: kind, "data-verb": verb, onclick: press }, title);
}

const fork = () => (maySubmit === undefined ? null : h("a", { class: "button", href: `/submit?fork=${encodeURIComponent(name)}` }, "Submit another like it"));

function pace(now) {
  hasBest = now.best !== null;
  fill(at("bar"), progressBar(now));
  const finished = ["COMPLETE", "PRUNED", "FAIL"].reduce((sum, one) => sum + (now.counts[one] ?? 0), 0);
  const over = isFinal(shown.state);
  fill(
    at("pace"),
    facts([
      ["trials", `${count(finished)} / ${count(now.n_trials)}`],
      ["best", now.best ? (now.best.values ?? [now.best.value]).map((one) => number(one)).join(", ") : "–"],
      [over ? "trials/s on average" : "trials/s", number(now.trials_per_s, 3)],
      ["model-steps/s", over ? null : now.model_steps_per_s === null ? null : number(now.model_steps_per_s, 3)],
      ["slots", over || now.n_slots === null ? null : `${now.n_busy ?? 0} of ${now.n_slots} busy`],
      ["time left", over || now.seconds_left === null ? null : duration(now.seconds_left)],
    ]),
  );
}

function progressBar({ counts, n_trials: total }) {
  const bar = progress(counts, total);
  bar.classList.add("long");
  return bar;
}

async function best() {
  if (!hasBest) {
    fill(at("best"), h("p", { class: "soft" }, "No trial has a value yet."));
    return;
  }
  let items;
  try {
    ({ items } = await get(`${WHERE}/best`, { top: TOP }));
  } catch (error) {
    fill(at("best"), h("p", { class: "soft" }, sentence(error.message)));
    return;
  }
  const metrics = (items[0].objectives ?? [{ metric: items[0].metric }]).map((goal) => goal.metric);
  const names = [...new Set(items.flatMap((one) => Object.keys(one.params)))];
  const columns = [
    ["Trial", (one) => h("a", { href: trial(name, one.number) }, String(one.number))],
    ...metrics.map((metric, place) => [metric, (one) => number(one.values ? one.values[place] : one.value), "number"]),
    ...names.map((param) => [param, (one) => value(one.params[param]), "number"]),
  ];
  const tied = items.filter((one) => one.tied_with_best).length;
  fill(
    at("best"),
    h("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Best trials" }, h("table", {}, table(columns, items))),
    tied > 1 ? h("p", { class: "soft" }, `The first ${tied} of these cannot be told apart: chance explains the difference.`) : null,
    items[0].test ? tested(items[0].test) : null,
  );
  const model = at("model");
  if (model) model.hidden = false;
}

const tested = (test) => [
  h("h3", {}, "On the test rows"),
  facts(Object.entries(test).filter(([word]) => word !== "scored").map(([metric, score]) => [metric, number(score)])),
];

async function ails() {
  const next = await diagnosis(at("diagnosis"), name);
  if (next === null || maySubmit === undefined) return;
  at("diagnosis").append(h("p", {}, h("a", { href: `/submit?next=${encodeURIComponent(name)}` }, "The study to try next")));
}

/** Run it at most every REST_S seconds, however often it is called; the last call is never forgotten. */
function rested(run) {
  let [due, asked] = [0, null];
  return () => {
    asked ??= setTimeout(() => {
      [asked, due] = [null, Date.now() + 1000 * REST_S];
      run();
    }, Math.max(0, due - Date.now()));
  };
}

const record = await get(WHERE).catch((error) => say(at("said"), error));
if (record) {
  show(record);
  pace(asProgress(record));
  fill(at("about"), about(record));
}
const list = trials(at("trials"), name, record);
const { refresh, settled } = figures(at("figures"), name, plotly);
const lookAgain = rested(() => Promise.all([best(), ails(), refresh(), list.refresh()]));
best();
settled.then(ails); // of many trials it takes the server longer than a picture, which people wait for
const again = follow(name, {
  study: (now) => {
    show(now);
    if (isFinal(now.state)) {
      get(WHERE).then((last) => (show(last), pace(asProgress(last))));
      lookAgain();
    }
  },
  progress: (now) => pace(now),
  trial: () => lookAgain(),
});
at("model")?.addEventListener("click", () => download(name, null, at("model"), at("model-said")));

/** A study's record as the progress that it tells of. */
function asProgress(of) {
  const mean = of.seconds > 0 ? of.n_finished / of.seconds : null;
  const live = { trials_per_s: mean, model_steps_per_s: null, seconds_left: null, n_slots: null, n_busy: null };
  const best = of.best_number === null ? null : { number: of.best_number, value: of.value, values: of.values };
  return { n_trials: of.n_trials, counts: of.states, best, ...live, ...(isFinal(of.state) ? {} : of.live) };
}

function about(of) {
  return facts([
    ["objective", (of.objectives ?? [of]).map((goal) => `${goal.direction} ${goal.metric}`).join(", ")],
    ["data", of.data.source ?? null],
    ["rows", of.data.n_rows === undefined ? null : count(of.data.n_rows)],
    ["sampler", of.spec.sampler?.name ?? null],
    ["owner", of.owner],
    ["created", time(of.created_at)],
    ["ran for", of.seconds ? duration(of.seconds) : null],
    ["labels", Object.keys(of.labels).length ? labels(of.labels) : null],
  ]);
}

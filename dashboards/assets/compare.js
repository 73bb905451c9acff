// Several studies side by side: how far each is, its best value by trials, its best settings.

import { get, path } from "./api.js";
import { at, fill, h } from "./dom.js";
import { labels, progress, say, state, study, table, trial } from "./parts.js";
import { draw, onTheme, theme } from "./plot.js";
import { count, duration, escaped, number, value } from "./words.js";

const { names: text, plotly } = at("compare").dataset;
const names = JSON.parse(text);

const COLUMNS = [
  ["Study", (one) => h("a", { href: study(one.name) }, one.name), "name"],
  ["State", (one) => state(one.state)],
  ["Trials", (one) => [progress(one.states, one.n_trials), " ", h("span", { class: "nowrap" }, `${count(one.n_finished)} / ${count(one.n_trials)}`)], "trials"],
  ["Best", (one) => [h("span", { class: "value" }, number(one.value)), ` ${one.metric}`]],
  ["Test", (one) => (one.test?.[one.metric] === undefined ? "–" : number(one.test[one.metric])), "number"],
  ["Data", (one) => one.data.source ?? "–"],
  ["Sampler", (one) => one.spec.sampler?.name ?? "–"],
  ["Ran for", (one) => duration(one.seconds), "number"],
  ["Labels", (one) => labels(one.labels), "wide"],
];

/** The best settings, a row for each parameter and a column for each study. */
function settings(studies, bests) {
  const params = [...new Set(bests.flatMap((best) => Object.keys({ ...best?.params, ...best?.fixed })))];
  const columns = [
    ["Parameter", (param) => param],
    ...studies.map((one, place) => [one.name, (param) => value({ ...bests[place]?.fixed, ...bests[place]?.params }[param] ?? null)]),
  ];
  fill(at("settings"), table(columns, params));
  const heads = [...at("settings").tHead.rows[0].cells].slice(1);
  heads.forEach((cell, place) => bests[place] && fill(cell, h("a", { href: trial(studies[place].name, bests[place].number) }, `${studies[place].name}, trial ${bests[place].number}`)));
}

/** The staircases of all histories in one picture; studies that want different things have none in common. */
async function picture(studies) {
  const metrics = new Set(studies.map((one) => one.metric));
  const records = await Promise.all(studies.map((one) => get(`${path("studies", one.name)}/figures/history`, { theme: theme() })));
  const drawn = records.filter((record) => record.empty === null);
  const why = metrics.size > 1 ? `They are judged by different metrics: ${[...metrics].map(escaped).join(", ")}.` : drawn.length ? null : "No trial has a value yet.";
  const data = drawn.map((record) => {
    const { line, ...best } = record.data.find((trace) => trace.mode === "lines");
    return { ...best, name: record.study, showlegend: true, line: { shape: line.shape, width: 2 } };
  });
  await draw(at("picture"), { title: "Best so far", shows: "The best value so far of each study by trial number.", empty: why, data, layout: drawn[0]?.layout ?? {} }, plotly);
}

async function show() {
  try {
    const studies = await Promise.all(names.map((name) => get(path("studies", name))));
    fill(at("studies"), table(COLUMNS, studies));
    say(at("said"), `${studies.length} studies.`);
    settings(studies, await Promise.all(studies.map((one) => (one.best_number === null ? null : get(`${path("studies", one.name)}/best`)))));
    await picture(studies);
    onTheme(() => picture(studies));
  } catch (error) {
    say(at("said"), error);
  }
}

if (names.length) show();

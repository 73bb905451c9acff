// One trial: its settings, curves, what was noted while it learned, how to repeat it, its model.

import { get, path, send } from "./api.js";
import { diagnosis } from "./diagnosis.js";
import { at, fill, h } from "./dom.js";
import { figures } from "./figures.js";
import { download } from "./model.js";
import { facts, say, state, table, time, trial } from "./parts.js";
import { draw, onTheme, theme } from "./plot.js";
import { escaped, number as digits, sentence, value } from "./words.js";

const { study, number: text, plotly, mayMove, external } = at("trial").dataset;
const NUMBER = Number(text);
const WHERE = `${path("studies", study)}/trials/${NUMBER}`;
const MAY_RETRY = ["error", "lost", "out_of_memory"];
const MANY_ROWS = 100;
const INK = { light: { ink: "#1F2328", paper: "#FFFFFF", grid: "#E3E6EA" }, dark: { ink: "#E6EAF0", paper: "#14171C", grid: "#333A44" } };
const COLOURS = { train: "#E69F00", validation: "#0072B2" };

function show(of) {
  fill(at("state"), state(of.state));
  const values = of.values ?? [of.value];
  const metrics = of.objectives?.map((goal) => goal.metric) ?? [of.metric];
  const seconds = of.started_at && of.finished_at ? (Date.parse(of.finished_at) - Date.parse(of.started_at)) / 1000 : null;
  fill(
    at("summary"),
    facts([
      ...metrics.map((metric, place) => [metric, digits(values[place])]),
      ["standard error", of.stderr === null ? null : digits(of.stderr, 2)],
      ["epochs", of.epochs],
      ["best epoch", of.best_epoch],
      ["took", seconds === null ? null : `${digits(seconds, 3)} s`],
      ["ended", of.finished_at ? time(of.finished_at) : null],
      ["reason", of.reason],
      ["retry of", of.retry_of === null ? null : h("a", { href: trial(study, of.retry_of) }, String(of.retry_of))],
    ]),
  );
  const fixed = Object.entries(of.fixed);
  fill(at("params"), settings(of.params), fixed.length ? [h("h3", {}, "The same in all trials"), settings(of.fixed)] : null);
  fill(at("facts"), Object.keys(of.facts ?? {}).length ? facts(Object.entries(of.facts).map(([name, one]) => [name.replaceAll("_", " "), digits(one)])) : h("p", { class: "soft" }, "Nothing was noted."));
  at("repeat").textContent = of.repeat.join("\n");
  const part = at("model-part");
  if (part && of.state === "COMPLETE") part.hidden = false;
  const retry = MAY_RETRY.includes((of.reason ?? "").split("@")[0]) && of.state === "FAIL" && mayMove !== undefined;
  fill(at("verbs"), retry ? h("button", { type: "button", onclick: again }, "Train it once more") : null);
}

const settings = (of) => facts(Object.entries(of).map(([name, one]) => [name, value(one)]));

async function again({ target }) {
  target.disabled = true;
  try {
    await send("POST", `${WHERE}:retry`);
    say(at("said"), "It waits for a slot, under a new number.");
  } catch (error) {
    say(at("said"), error);
  }
}

/** One picture for each measure, training beside validation. */
async function curves() {
  const { columns, epochs } = await get(`${WHERE}/curve`, { points: 400 });
  const measures = Map.groupBy(Object.keys(columns), (name) => name.replace(/^(train|validation)_/, ""));
  at("curves-said").textContent = epochs ? "" : external === undefined ? "There are no curves while it trains, and none of a trial that ended before its first epoch." : "It reported no curve.";
  const made = [...measures].map(([measure, names]) => [picture(measure), measure, names]);
  fill(at("curves"), made.map(([element]) => element));
  const redraw = () => Promise.all(made.map(([element, measure, names]) => draw(element, record(measure, names, columns), plotly)));
  onTheme(redraw);
  await redraw();
}

const picture = (measure) =>
  h("figure", { class: "card", "data-figure": measure }, h("h3", {}, measure), h("div", { class: "plot", role: "group", "aria-label": `${measure} after each epoch` }), h("figcaption", {}));

function record(measure, names, columns) {
  const { ink, paper, grid } = INK[theme()];
  const axis = { gridcolor: grid, zerolinecolor: grid, automargin: true };
  const isMeasured = names.some((name) => columns[name].value.some((one) => one !== null));
  const traces = names.map((name) => {
    const part = name.startsWith("train_") ? "train" : "validation";
    return { type: "scatter", mode: columns[name].epoch.length > 1 ? "lines" : "markers", name: part, x: columns[name].epoch, y: columns[name].value, line: { color: COLOURS[part] } };
  });
  const layout = { font: { color: ink, family: "system-ui, sans-serif", size: 13 }, paper_bgcolor: paper, plot_bgcolor: paper, showlegend: names.length > 1, legend: { orientation: "h", y: 1.15 }, xaxis: { ...axis, title: { text: "epoch" } }, yaxis: axis };
  return { title: escaped(measure), empty: isMeasured ? null : "Nothing of it was measured.", shows: `${measure} after each epoch.`, data: traces, layout };
}

async function predict(event) {
  event.preventDefault();
  const region = at("predictions").parentElement;
  try {
    const found = await send("POST", `${path("studies", study)}/predict`, { body: at("rows").value, type: "text/csv", query: { trial: NUMBER } });
    const classes = found.classes ?? [];
    const columns = [
      ["Row", (row) => String(row + 1)],
      [found.target, (row) => value(found.predictions[row])],
      ...classes.map((name, place) => [name, (row) => digits(found.probabilities[row][place], 3), "number"]),
    ];
    fill(at("predictions"), table(columns, [...found.predictions.keys()].slice(0, MANY_ROWS)));
    region.hidden = false;
    const scores = Object.entries(found.scores ?? {}).map(([metric, score]) => `${metric} ${digits(score)}`);
    const told = [`${found.n_rows} rows`, ...scores, ...found.notes];
    say(at("predict-said"), sentence(told.join("; ")));
  } catch (error) {
    region.hidden = true;
    say(at("predict-said"), error);
  }
}

try {
  show(await get(WHERE));
  curves().catch((error) => say(at("curves-said"), error));
  diagnosis(at("diagnosis"), study, NUMBER);
} catch (error) {
  say(at("said"), error);
}
const answers = at("answers") && figures(at("answers"), study, plotly);
at("model")?.addEventListener("click", async () => {
  await download(study, NUMBER, at("model"), at("model-said"));
  answers?.refresh(); // a network that was not kept is there now
});
at("predict")?.addEventListener("submit", predict);

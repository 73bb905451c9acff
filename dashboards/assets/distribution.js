// How the values of a column are spread, drawn small: the bars of a histogram, or the shares of its most frequent categories.

import { h } from "./dom.js";
import { count, value } from "./words.js";

const SHOWN_LEVELS = 5;

/** A share of a whole as people read it: 0 %, < 0.1 %, 12.3 %. */
export function percent(part, whole) {
  const share = (100 * part) / Math.max(whole, 1);
  return share > 0 && share < 0.1 ? "< 0.1 %" : `${Number(share.toPrecision(share < 1 ? 1 : 3))} %`;
}

/** The picture of a distribution, and the same in words for who does not see it. */
export function spread(of) {
  if (!of.counts.length) return h("span", { class: "soft" }, "no values");
  return of.edges.length ? histogram(of) : shares(of);
}

function histogram({ n_values, minimum, maximum, edges, counts }) {
  const most = Math.max(...counts);
  const place = counts.indexOf(most);
  const between = (bar) => (edges.length === 2 ? value(minimum) : `${value(edges[bar])} to ${value(edges[bar + 1])}`);
  const bars = counts.map((n, bar) => h("span", { style: `height:${(100 * n) / most}%`, title: `${between(bar)}: ${count(n)} rows` }));
  const said = `${count(n_values)} values from ${value(minimum)} to ${value(maximum)}, the most, ${count(most)}, in ${between(place)}`;
  return h(
    "div",
    { class: "spread" },
    h("div", { class: "histogram", role: "img", "aria-label": said }, bars),
    h("div", { class: "ends soft" }, h("span", {}, value(minimum)), h("span", {}, value(maximum))),
  );
}

function shares({ n_values, n_levels, levels, counts }) {
  const rows = levels.slice(0, SHOWN_LEVELS).map((level, place) => share(level, counts[place], n_values));
  const rest = n_values - counts.slice(0, SHOWN_LEVELS).reduce((sum, n) => sum + n, 0);
  const others = n_levels > SHOWN_LEVELS ? share(`${count(n_levels - SHOWN_LEVELS)} more`, rest, n_values, "soft") : null;
  return h("ul", { class: "spread shares" }, rows, others);
}

const share = (level, n, whole, kind = null) =>
  h(
    "li",
    { class: kind, style: `--share:${(100 * n) / whole}%`, title: `${level}: ${count(n)} rows` },
    h("span", { class: "level" }, level),
    h("span", { class: "nowrap" }, percent(n, whole)),
  );

// What ails a study or a trial, in sentences.

import { get, path } from "./api.js";
import { fill, h } from "./dom.js";
import { sentence, stopped } from "./words.js";

/** Show the findings in an element. number: of the trial, else null. Returns the study to try next, or null. */
export async function diagnosis(place, name, number = null) {
  try {
    const { findings, next } = await get(`${path("studies", name)}/diagnosis`, { trial: number });
    fill(place, findings.length ? h("ul", { class: "findings" }, findings.map(finding)) : h("p", {}, "Nothing ails it, as far as was measured."));
    return next;
  } catch (error) {
    fill(place, h("p", { class: "soft" }, sentence(error.message)));
    return null;
  }
}

const finding = (one) =>
  h(
    "li",
    { class: `is-${one.severity}` },
    h("div", {}, h("strong", {}, one.severity), `: ${stopped(one.sentence)}`),
    h("div", { class: "soft" }, sentence(one.cure)),
  );

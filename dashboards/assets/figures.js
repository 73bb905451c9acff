// The figures of a study: each is fetched when it comes into view, and again when the study has gone on meanwhile.

import { get, path } from "./api.js";
import { draw, onTheme, plotly, theme } from "./plot.js";
import { sentence } from "./words.js";

const AHEAD = "300px"; // so far below the window a figure is as good as seen
const AT_ONCE = 2; // the server works for others too, and the first picture is there soonest if it comes alone

/** Show every figure in `place` of a study.
 *
 * Returns refresh, to be called when there is something new to draw, and settled, a promise of the moment at which all
 * that can be seen at first has been drawn.
 */
export function figures(place, name, address) {
  const all = [...place.querySelectorAll("[data-figure]")];
  // One that is being drawn is asked for again only afterwards, or an older answer might come last.
  const [seen, stale, waiting, running] = [new Set(), new Set(all), [], new Set()];
  let drawn = 0;
  let settle;
  const settled = new Promise((resolve) => (settle = resolve));

  const ask = (element) => {
    if (!seen.has(element) || !stale.has(element) || waiting.includes(element) || running.has(element)) return;
    waiting.push(element);
    element.setAttribute("aria-busy", "true");
    next();
  };
  const next = () => {
    if (!running.size && !waiting.length) settle();
    while (waiting.length && running.size < (drawn ? AT_ONCE : 1)) run(waiting.shift());
  };
  const run = async (element) => {
    running.add(element);
    stale.delete(element);
    await show(element, name, address);
    running.delete(element);
    drawn += 1;
    element.removeAttribute("aria-busy");
    ask(element);
    next();
  };
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) seen.add(target);
        else seen.delete(target);
        ask(target);
      }
      next();
    },
    { rootMargin: AHEAD },
  );
  const refresh = () => {
    for (const element of all) {
      stale.add(element);
      ask(element);
    }
  };
  plotly(address);
  for (const element of all) {
    watcher.observe(element);
    element.querySelector(".choices")?.addEventListener("change", ({ target }) => {
      choose(element, target);
      stale.add(element);
      ask(element);
    });
  }
  onTheme(refresh);
  return { refresh, settled };
}

/** Note what is chosen of a figure; target: the choice that was made now */
function choose(element, target) {
  const { x, y } = target.form.elements;
  if (x?.value && x.value === y.value) (target === x ? y : x).value = ""; // a parameter has one axis
  const given = [...new FormData(target.form)].filter(([, value]) => value !== "");
  const { scale, ...options } = Object.fromEntries(given);
  element.dataset.options = JSON.stringify(options);
  element.dataset.scale = scale ?? "";
  element.classList.toggle("is-chosen", given.length > 0);
}

async function show(element, name, address) {
  try {
    const options = JSON.parse(element.dataset.options ?? "{}");
    const where = `${path("studies", name)}/figures/${element.dataset.figure}`;
    await draw(element, await get(where, { theme: theme(), ...options }), address);
    element.dataset.drawn = "";
  } catch (error) {
    element.querySelector("figcaption").textContent = sentence(error.message);
  }
}

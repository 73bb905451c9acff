// Draw figures with plotly.js, which comes when the first one does, in the colours of the page.

import { fill, h } from "./dom.js";
import { unescaped } from "./words.js";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const NARROW_PX = 600; // no room for a legend beside the picture
const BUTTONS = ["toImage", "zoom2d", "pan2d", "resetScale2d"];
const CONFIG = { responsive: true, displaylogo: false, modeBarButtons: [BUTTONS] };
let library = null;

/** The colours that figures are asked for in: those that the reader chose (theme.js), else the screen's. */
export const theme = () => document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");

/** Run something when the reader, or the screen, turns dark or light. */
export function onTheme(turn) {
  dark.addEventListener("change", turn);
  document.addEventListener("theme", turn);
}

/** plotly.js, once for the page. address: where it is */
export function plotly(address) {
  library ??= new Promise((resolve, reject) => {
    const script = h("script", { src: address });
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => reject(new Error("what draws figures did not come")));
    document.head.append(script);
  });
  return library;
}

const axesOf = (layout, letters) => Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name) && letters.includes(name[0]));

/** Draw a figure of the API into its element: the title as text above it, the sentence where there is nothing to see. */
export async function draw(element, record, address) {
  const plot = element.querySelector(".plot");
  element.querySelector("h3").textContent = unescaped(record.title);
  element.querySelector("figcaption").textContent = record.empty ? unescaped(record.empty) : record.shows;
  element.classList.toggle("is-empty", record.empty !== null);
  if (record.empty !== null) {
    if (plot.data) (await plotly(address)).purge(plot);
    fill(plot);
    return;
  }
  const library = await plotly(address);
  const { title, width, height, ...layout } = record.layout;
  const { axes, scale } = element.dataset;
  if (scale) for (const name of axesOf(layout, axes)) layout[name] = { ...layout[name], type: scale };
  // It fills its place on the page, whatever size a picture of its own would have had.
  const margin = { t: 24, r: 16, l: 56, b: 48, ...layout.margin };
  if (plot.clientWidth < NARROW_PX) layout.legend = { ...layout.legend, orientation: "h", x: 0, y: 1.02, yanchor: "bottom" };
  if (height > plot.clientHeight) plot.style.height = `${height}px`;
  await library.react(plot, record.data, { ...layout, margin, autosize: true }, CONFIG);
}

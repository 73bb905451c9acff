// Draw each figure of the page from the JSON that stands beside it, in the colours that the reader's screen prefers.
"use strict";
{
  const NARROW_PX = 600; // no room for a legend beside the picture
  const PAPER_PX = 680; // the width of a printed page
  const MARGIN = { t: 24, r: 16, l: 56, b: 48 };
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const templates = read("templates");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const template = () => templates[dark.matches ? "dark" : "light"];
  const plots = [...document.querySelectorAll(".plot")];
  for (const plot of plots) {
    const { data, layout } = read(plot.dataset.from);
    layout.margin = { ...MARGIN, ...layout.margin };
    if (plot.clientWidth < NARROW_PX) layout.legend = { ...layout.legend, orientation: "h", x: 0, y: 1.02, yanchor: "bottom" };
    if (layout.height > plot.clientHeight) plot.style.height = `${layout.height}px`;
    delete layout.height; // as high as its place on the page
    Plotly.newPlot(plot, data, { ...layout, template: template(), autosize: true }, { responsive: true, displaylogo: false });
  }
  const all = (change) => plots.forEach((plot) => Plotly.relayout(plot, change()));
  dark.addEventListener("change", () => all(() => ({ template: template() })));
  window.addEventListener("beforeprint", () => all(() => ({ template: templates.light, width: PAPER_PX })));
  window.addEventListener("afterprint", () => all(() => ({ template: template(), width: null, autosize: true })));
}

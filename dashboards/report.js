// Draw each figure of the page from the JSON that stands beside it, in the colours that the reader's screen prefers.
"use strict";
{
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const templates = read("templates");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const template = () => templates[dark.matches ? "dark" : "light"];
  const plots = [...document.querySelectorAll(".plot")];
  for (const plot of plots) {
    const { data, layout } = read(plot.dataset.from);
    const config = { responsive: true, displaylogo: false };
    Plotly.newPlot(plot, data, { ...layout, template: template() }, config);
  }
  dark.addEventListener("change", () => {
    for (const plot of plots) Plotly.relayout(plot, { template: template() });
  });
}

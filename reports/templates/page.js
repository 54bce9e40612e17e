"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const places = [...document.querySelectorAll("[data-chart]")];
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  let views = [];

  // Charts take the page's colours; a framework's own colour is in the specification.
  function config() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const text = { labelColor: colour("--ink"), titleColor: colour("--faint"), titleFontWeight: "normal" };
    return {
      background: "transparent",
      font: getComputedStyle(document.body).fontFamily,
      view: { stroke: null },
      axis: { ...text, labelFontSize: 12, titleFontSize: 12, gridColor: colour("--line"), domainColor: colour("--line"), tickColor: colour("--line") },
      legend: { ...text, labelFontSize: 12, layout: { top: { direction: "vertical", anchor: "start", margin: 2 } } },
    };
  }

  async function draw() {
    views.forEach((view) => view.finalize());
    const options = {
      ast: true, // an interpreter instead of generated code: the page's policy forbids eval
      actions: false,
      renderer: "svg",
      defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
      config: config(),
    };
    const results = await Promise.all(places.map((place) => vegaEmbed(place, specs[place.dataset.chart], options)));
    views = results.map((result) => result.view);
    document.documentElement.dataset.drawn = String(views.length);
  }

  // What is folded is not printed: unfold it for the time of printing, but not what would fill dozens of pages.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open], .long)")];
    opened.forEach((details) => { details.open = true; });
  });
  window.addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));

  scheme.addEventListener("change", draw);
  draw();
})();

"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const places = [...document.querySelectorAll("[data-chart]")];
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  const views = new Map(); // place -> its view, null while it is drawn

  // Charts take the page's colours; a framework's own colour is in the specification.
  function config() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const text = { labelColor: colour("--ink"), titleColor: colour("--faint"), titleFontWeight: "normal" };
    return {
      background: "transparent",
      font: getComputedStyle(document.body).fontFamily,
      view: { stroke: null },
      style: { roof: { color: colour("--faint"), strokeWidth: 2 }, ceiling: { color: colour("--ink"), fontSize: 12 } },
      axis: { ...text, labelFontSize: 12, titleFontSize: 12, gridColor: colour("--line"), domainColor: colour("--line"), tickColor: colour("--line") },
      legend: { ...text, labelFontSize: 12, layout: { top: { direction: "vertical", anchor: "start", margin: 2 } } },
    };
  }

  async function draw(chosen) {
    const options = {
      ast: true, // an interpreter instead of generated code: the page's policy forbids eval
      actions: false,
      renderer: "svg",
      defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
      config: config(),
    };
    await Promise.all(chosen.map(async (place) => {
      views.get(place)?.finalize();
      views.set(place, null);
      views.set(place, (await vegaEmbed(place, specs[place.dataset.chart], options)).view);
    }));
    document.documentElement.dataset.drawn = String([...views.values()].filter(Boolean).length);
  }

  // A chart that is folded has no width yet: it is drawn when it is unfolded.
  const drawUnfolded = () => draw(places.filter((place) => !views.has(place) && !place.closest("details:not([open])")));

  // What is folded is not printed: unfold it for the time of printing, but not what would fill dozens of pages.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open], .long)")];
    opened.forEach((details) => { details.open = true; });
  });
  window.addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));

  scheme.addEventListener("change", () => draw([...views.keys()]));
  document.addEventListener("toggle", drawUnfolded, true); // the event does not bubble
  drawUnfolded();
})();

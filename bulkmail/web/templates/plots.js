// Draws the numbers of a page's table, which stays there for all who cannot see the plots.
"use strict";
(() => {
  const place = document.getElementById("plots"), table = document.getElementById("numbers");
  if (!place || !table) return;
  const rows = [...table.tBodies[0].rows];
  const column = (n) => rows.map((row) => (row.cells[n].textContent === "" ? null : Number(row.cells[n].textContent)));
  const times = rows.map((row) => Number(row.dataset.seconds));
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const plots = [
    ["Rate", "deliveries a second", [["delivered a second", 1, "delivered"]]],
    ["Outcomes", "attempts in each span", [["delivered", 2, "delivered"], ["failed", 3, "bounced"], ["deferred", 4, "deferred"], ["unknown", 5, "unknown"]]],
    ["Accepted within", "milliseconds", [["half", 6, "press"], ["95 %", 7, "blocked"]]],
  ];
  const axis = () => ({ stroke: colour("ink"), grid: { stroke: colour("edge"), width: 1 }, ticks: { stroke: colour("edge") } });
  const clock = (at, step) => {
    const [day, time] = new Date(at * 1e3).toISOString().split("T");
    return step >= 86400 ? day : time.slice(0, step >= 60 ? 5 : 8);
  };
  const drawn = [];

  const draw = () => {
    drawn.splice(0).forEach((one) => one.destroy());
    place.replaceChildren();
    for (const [title, unit, lines] of plots) {
      const figure = document.createElement("figure"), caption = document.createElement("figcaption");
      caption.textContent = `${title} (${unit})`;
      figure.append(caption);
      place.append(figure);
      const series = lines.map(([label, , name], n) => ({
        label, stroke: colour(name), width: 2, dash: n ? [8 / n, 4] : undefined, points: { show: rows.length < 3 },
      }));
      const options = {
        width: figure.clientWidth - 24, height: 240, tzDate: (at) => uPlot.tzDate(new Date(at * 1e3), "Etc/UTC"),
        scales: { y: { range: (_, low, high) => [0, Math.max(high, 1)] } },
        axes: [{ ...axis(), values: (_, ticks, __, ___, step) => ticks.map((at) => clock(at, step)) }, { ...axis(), size: 70 }],
        series: [{ label: "UTC", value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" }, ...series],
      };
      drawn.push(new uPlot(options, [times, ...lines.map(([, n]) => column(n))], figure));
    }
  };
  draw();
  let width = place.clientWidth;
  addEventListener("resize", () => { if (place.clientWidth !== width) { width = place.clientWidth; draw(); } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();

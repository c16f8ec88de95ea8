// Runs as {name, experiment, metrics: {key: [mean, low, high]}}; an interval's ends are null where there is none.
const runs = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const shown = (value) => (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(2) : String(Number(value.toFixed(4))));
const withEnds = ([mean, low, high]) => (low === null || high === null ? shown(mean) : `${shown(mean)} [${shown(low)}, ${shown(high)}]`);
const fill = (select, names) => {
  select.replaceChildren(...names.map((name) => Object.assign(document.createElement("option"), { value: name, textContent: name })));
};
const put = (parent, name, attributes, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
};
const overlay = () => {
  const metric = byId("metric").value;
  const some = runs.filter((run) => run.experiment === byId("experiment").value && metric in run.metrics);
  byId("overlay").replaceChildren();
  if (!some.length) return;
  const values = some.flatMap((run) => run.metrics[metric].filter((value) => value !== null));
  const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
  const x = (value) => 340 + (360 * (value - low)) / span;
  const svg = put(byId("overlay"), "svg", { width: 900, height: 26 * some.length + 10, role: "img", "aria-label": metric });
  some.forEach((run, row) => {
    const y = 20 + 26 * row, [mean, from, to] = run.metrics[metric];
    put(svg, "text", { x: 330, y: y + 4, "text-anchor": "end", "font-size": 13 }, run.name);
    if (from !== null && to !== null) put(svg, "line", { x1: x(from), x2: x(to), y1: y, y2: y, stroke: "#0072B2", "stroke-width": 2 });
    put(svg, "circle", { cx: x(mean), cy: y, r: 4, fill: "#0072B2" });
    put(svg, "text", { x: 715, y: y + 4, "font-size": 13 }, withEnds(run.metrics[metric]));
  });
};
const experiments = [...new Set(runs.map((run) => run.experiment))];
const chooseExperiment = () => {
  const keys = new Set(runs.filter((run) => run.experiment === byId("experiment").value).flatMap((run) => Object.keys(run.metrics)));
  fill(byId("metric"), [...keys].sort());
  overlay();
};
// The half widths that face each other: of the lower value the upper one, of the higher the lower one.
const isBeyond = (a, b) => {
  const [lower, upper] = a[0] <= b[0] ? [a, b] : [b, a];
  if (lower[2] === null || upper[1] === null) return false;
  return upper[0] - lower[0] > Math.hypot(lower[2] - lower[0], upper[0] - upper[1]);
};
const differences = () => {
  const [a, b] = ["first", "second"].map((id) => runs[byId(id).selectedIndex].metrics);
  const rows = Object.keys(a).filter((key) => key in b && a[key][0] !== b[key][0]).map((key) => {
    const row = document.createElement("tr");
    for (const text of [key, withEnds(a[key]), withEnds(b[key]), shown(b[key][0] - a[key][0])]) {
      const cell = row.insertCell();
      cell.textContent = text;
      if (text !== key) cell.className = "number";
    }
    row.className = isBeyond(a[key], b[key]) ? "beyond" : "";
    return row;
  });
  if (!rows.length) {
    const row = document.createElement("tr");
    row.insertCell().textContent = "no number that both have differs";
    rows.push(row);
  }
  byId("differences").tBodies[0].replaceChildren(...rows);
};
if (runs.length) {
  fill(byId("experiment"), experiments);
  byId("experiment").addEventListener("change", chooseExperiment);
  byId("metric").addEventListener("change", overlay);
  const names = runs.map((run) => `${run.experiment}/${run.name}`);
  for (const id of ["first", "second"]) {
    fill(byId(id), names);
    byId(id).addEventListener("change", differences);
  }
  byId("second").selectedIndex = Math.min(1, runs.length - 1);
  chooseExperiment();
  differences();
}

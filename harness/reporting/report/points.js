// Points: the nearest one within reach of the pointer says its token.
for (const source of document.querySelectorAll("script[data-points]")) {
  const place = document.getElementById(source.dataset.points);
  const [canvas, tip] = [place.querySelector("canvas"), place.querySelector(".tip")];
  const data = JSON.parse(source.textContent);
  // The first group is what the others are seen against.
  const COLOURS = data.groups.length > 1 ? ["#9fb0bd", "#d55e00", "#0072b2", "#dde2e6", "#009e73", "#cc79a7"] : ["#0072b2"];
  const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, REACH] = [760, 440, 66, 46, 28, 12];
  const RADIUS = data.points.length < 300 ? 4 : 2.4;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = WIDTH * ratio;
  canvas.height = HEIGHT * ratio;
  canvas.style.width = `${WIDTH}px`;
  const paper = canvas.getContext("2d");
  paper.scale(ratio, ratio);
  const least = (column) => Math.min(...data.points.map((point) => point[column]).filter((value) => value > 0));
  // On a logarithmic axis what is 0 stands half a decade below the least that is not.
  const scale = (axis, column) => {
    if (!axis.log) return (value) => value;
    const floor = Math.log10(least(column)) - 0.5;
    return (value) => (value > 0 ? Math.log10(value) : floor);
  };
  const scales = [scale(data.x, 2), scale(data.y, 3)];
  const points = data.points.map((point) => [scales[0](point[2]), scales[1](point[3])]);
  const whole = [0, 1].map((side) => {
    const values = points.map((point) => point[side]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = 0.05 * (high - low || 1);
    return [low - margin, high + margin];
  });
  let view = whole.map((side) => [...side]);
  const toX = (value) => LEFT + ((value - view[0][0]) / (view[0][1] - view[0][0])) * (WIDTH - LEFT - 12);
  const toY = (value) => HEIGHT - BOTTOM - ((value - view[1][0]) / (view[1][1] - view[1][0])) * (HEIGHT - BOTTOM - TOP);
  // The fewest of a kind lie on top.
  const order = data.points.map((_, number) => number).sort((a, b) => data.counts[data.points[b][4]] - data.counts[data.points[a][4]]);
  const ticks = ([low, high], axis) => {
    if (!axis.label) return [];
    const found = [];
    if (axis.log) {
      // Below two decades 1, 2 and 5 of each; above six not every decade.
      const step = Math.max(1, Math.ceil((high - low) / 6));
      for (let power = Math.floor(low); power <= high; power += step) {
        for (const digit of high - low < 2 ? [1, 2, 5] : [1]) found.push(power + Math.log10(digit));
      }
      return found.filter((value) => value >= low && value <= high).map((value) => [value, String(Number((10 ** value).toPrecision(1)))]);
    }
    const ten = 10 ** Math.floor(Math.log10((high - low) / 3));
    const step = ten * [1, 2, 5].find((times) => (high - low) / (ten * times) <= 8 || times === 5);
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(value);
    return found.map((value) => [value, String(Number(value.toPrecision(4)))]);
  };
  const draw = () => {
    paper.clearRect(0, 0, WIDTH, HEIGHT);
    paper.font = "12px sans-serif";
    paper.strokeStyle = "#999";
    paper.strokeRect(LEFT, TOP, WIDTH - LEFT - 12, HEIGHT - BOTTOM - TOP);
    paper.save();
    paper.beginPath();
    paper.rect(LEFT, TOP, WIDTH - LEFT - 12, HEIGHT - BOTTOM - TOP);
    paper.clip();
    for (const number of order) {
      paper.fillStyle = COLOURS[data.points[number][4] % COLOURS.length];
      paper.beginPath();
      paper.arc(toX(points[number][0]), toY(points[number][1]), RADIUS, 0, 7);
      paper.fill();
    }
    paper.restore();
    paper.fillStyle = "#333";
    paper.textAlign = "center";
    for (const [value, text] of ticks(view[0], data.x)) paper.fillText(text, toX(value), HEIGHT - BOTTOM + 15);
    paper.fillText(data.x.label, (LEFT + WIDTH) / 2, HEIGHT - 10);
    paper.textAlign = "right";
    for (const [value, text] of ticks(view[1], data.y)) paper.fillText(text, LEFT - 6, toY(value) + 4);
    paper.save();
    paper.translate(14, (HEIGHT - BOTTOM + TOP) / 2);
    paper.rotate(-Math.PI / 2);
    paper.textAlign = "center";
    paper.fillText(data.y.label, 0, 0);
    paper.restore();
    paper.textAlign = "left";
    let at = LEFT;
    data.groups.forEach((name, group) => {
      if (!data.counts[group]) return;
      paper.fillStyle = COLOURS[group % COLOURS.length];
      paper.fillRect(at, 8, 9, 9);
      paper.fillStyle = "#333";
      const text = `${name} (${data.counts[group]})`;
      paper.fillText(text, at + 13, 17);
      at += 30 + paper.measureText(text).width;
    });
  };
  const nearest = (x, y) => {
    let [best, distance] = [-1, REACH];
    // From the front to the back: of two at one place the one that is seen.
    for (let rank = order.length - 1; rank >= 0; rank -= 1) {
      const far = Math.hypot(toX(points[order[rank]][0]) - x, toY(points[order[rank]][1]) - y);
      if (far < distance) [best, distance] = [order[rank], far];
    }
    return best;
  };
  const where = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  let dragged = null;
  canvas.addEventListener("pointerdown", (event) => { dragged = { from: where(event), view: view.map((side) => [...side]), moved: false }; });
  let hasMoved = false;
  addEventListener("pointerup", () => { hasMoved = dragged !== null && dragged.moved; dragged = null; });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = where(event);
    if (dragged) {
      const dx = ((x - dragged.from[0]) / (WIDTH - LEFT - 12)) * (view[0][1] - view[0][0]);
      const dy = ((y - dragged.from[1]) / (HEIGHT - BOTTOM - TOP)) * (view[1][1] - view[1][0]);
      dragged.moved ||= Math.hypot(x - dragged.from[0], y - dragged.from[1]) > 3;
      view = [dragged.view[0].map((end) => end - dx), dragged.view[1].map((end) => end + dy)];
      draw();
    }
    const number = nearest(x, y);
    tip.hidden = number < 0;
    if (number < 0) return;
    const [id, token, atX, atY, group] = data.points[number];
    const values = [[data.x.label, atX], [data.y.label, atY]].filter(([label]) => label).map(([label, value]) => `${label}: ${value}`);
    tip.textContent = [token ? `${token} (id ${id})` : `id ${id}`, data.groups[group], ...values].join("\n");
    tip.style.left = `${Math.min(x + 14, WIDTH - 200)}px`;
    tip.style.top = `${y + 12}px`;
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("click", (event) => {
    const number = hasMoved ? -1 : nearest(...where(event));
    if (number >= 0 && document.getElementById("card")) location.hash = `token-${data.points[number][0]}`;
  });
  canvas.addEventListener("wheel", (event) => {
    // Without the key the page scrolls.
    if (!event.ctrlKey) return;
    event.preventDefault();
    const [x, y] = where(event), factor = event.deltaY > 0 ? 1.25 : 0.8;
    const middle = [
      view[0][0] + ((x - LEFT) / (WIDTH - LEFT - 12)) * (view[0][1] - view[0][0]),
      view[1][0] + ((HEIGHT - BOTTOM - y) / (HEIGHT - BOTTOM - TOP)) * (view[1][1] - view[1][0]),
    ];
    view = view.map((side, which) => side.map((end) => middle[which] + (end - middle[which]) * factor));
    draw();
  }, { passive: false });
  canvas.addEventListener("dblclick", () => { view = whole.map((side) => [...side]); draw(); });
  draw();
}

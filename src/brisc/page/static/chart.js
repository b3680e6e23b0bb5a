"use strict";
// Charts as SVG, drawn for the width they have. Lines differ in dash and points in shape as well as in colour.

const DASHES = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 2 1 2"];
const SHAPES = ["circle", "square", "triangle", "diamond"];
const ink = (at) => `series-${at % 10}`;
const dash = (at) => DASHES[at % DASHES.length];

/** A host that calls draw(width) now, whenever it is resized, and on .redraw(). draw gives back an element, or null for none. */
function chart(draw) {
  const host = el("div", { class: "chart" });
  let width = 0;
  const redraw = () => {
    if (width > 0) host.replaceChildren(...[draw(width)].filter(Boolean));
  };
  new ResizeObserver(([{ contentRect }]) => {
    if (Math.abs(contentRect.width - width) < 1) return;
    width = contentRect.width;
    redraw();
  }).observe(host);
  return { element: host, redraw };
}

function linear([low, high], [from, to]) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

function logarithmic([low, high], range) {
  const scale = linear([Math.log10(low), Math.log10(high)], range);
  return (value) => scale(Math.log10(value));
}

/** About `count` round numbers from low to high, no nearer to each other than `least`. */
function roundMarks([low, high], count, least = 0) {
  const span = high - low || 1,
    rough = span / count,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(least, power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999));
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, at) =>
    Number(((first + at) * step).toPrecision(12)),
  );
}

/** The coarsest of three rulers that puts at least three marks between low and high. */
function logTicks([low, high]) {
  const first = Math.floor(Math.log10(low)),
    powers = Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, at) => 10 ** (first + at));
  const rulers = [[1], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 8]].map((factors) =>
    powers.flatMap((power) => factors.map((factor) => factor * power)).filter((value) => value >= low && value <= high),
  );
  return rulers.find(({ length }) => length >= 3) ?? rulers.at(-1);
}

/** Axes. x, y: {domain, label, format, log, least distance of marks}. Gives the SVG, the scales and the area within the axes. */
function axes(width, height, { x, y, label }) {
  const area = { left: 54, right: width - 14, top: 12, bottom: height - 44 };
  const scaleX = (x.log ? logarithmic : linear)(x.domain, [area.left, area.right]);
  const scaleY = (y.log ? logarithmic : linear)(y.domain, [area.bottom, area.top]);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  const marks = (axis, count) => (axis.log ? logTicks(axis.domain) : roundMarks(axis.domain, count, axis.least));
  for (const value of marks(y, height / 50)) {
    root.append(
      svg("line", { class: "grid", x1: area.left, x2: area.right, y1: scaleY(value), y2: scaleY(value) }),
      svg("text", { class: "mark", x: area.left - 8, y: scaleY(value), dy: "0.32em", "text-anchor": "end" }, y.format(value)),
    );
  }
  let free = -Infinity; // from here on a label covers no other
  for (const value of marks(x, width / 80)) {
    const text = x.format(value),
      half = 3.6 * text.length,
      at = scaleX(value);
    root.append(svg("line", { class: "tickline", x1: at, x2: at, y1: area.bottom, y2: area.bottom + 5 }));
    if (at - half < free) continue;
    root.append(svg("text", { class: "mark", x: at, y: area.bottom + 18, "text-anchor": "middle" }, text));
    free = at + half + 6;
  }
  root.append(
    svg("line", { class: "axis", x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom }),
    svg("text", { class: "title", x: (area.left + area.right) / 2, y: height - 6, "text-anchor": "middle" }, x.label),
    svg(
      "text",
      { class: "title", transform: `translate(13 ${(area.top + area.bottom) / 2}) rotate(-90)`, "text-anchor": "middle" },
      y.label,
    ),
  );
  return { root, scaleX, scaleY, area };
}

function shape(kind, x, y, radius, attributes) {
  if (kind === "circle") return svg("circle", { cx: x, cy: y, r: radius, ...attributes });
  const r = radius * 1.15;
  const corners = {
    square: [
      [-1, -1],
      [1, -1],
      [1, 1],
      [-1, 1],
    ],
    triangle: [
      [0, -1.2],
      [1.1, 0.9],
      [-1.1, 0.9],
    ],
    diamond: [
      [0, -1.35],
      [1.35, 0],
      [0, 1.35],
      [-1.35, 0],
    ],
  }[kind];
  return svg("polygon", {
    points: corners.map(([dx, dy]) => `${x + dx * r * 0.85},${y + dy * r * 0.85}`).join(" "),
    ...attributes,
  });
}

/** The domain of values with some room, or `fallback` where there are none. */
function spread(values, fallback = [0, 1], room = 0.06) {
  const given = values.filter((value) => !absent(value));
  if (given.length === 0) return fallback;
  const low = Math.min(...given),
    high = Math.max(...given),
    margin = (high - low || Math.abs(high) || 1) * room;
  return [low - margin, high + margin];
}

/** Lines over epochs. series: [{name, at (colour and dash), x: [], y: [], faint, best: x}]. A pointer reads the values at an epoch. */
function lineChart(width, { series, x, y, label, height = 320 }) {
  const drawn = series.map((one) => ({
    ...one,
    points: one.x.map((value, at) => [value, one.y[at]]).filter(([, value]) => !absent(value)),
  }));
  const all = drawn.flatMap(({ points: pairs }) => pairs);
  const axisX = {
    domain: spread(
      all.map(([value]) => value),
      [0, 1],
      0.02,
    ),
    least: 1,
    format: String,
    ...x,
  };
  const axisY = { domain: spread(all.map(([, value]) => value)), format: (value) => String(Number(value.toPrecision(3))), ...y };
  const { root, scaleX, scaleY, area } = axes(width, height, { x: axisX, y: axisY, label });
  for (const one of drawn.toSorted((a, b) => (b.faint ? 1 : 0) - (a.faint ? 1 : 0))) {
    const path = one.points.map(([a, b], at) => `${at ? "L" : "M"}${scaleX(a).toFixed(1)} ${scaleY(b).toFixed(1)}`).join("");
    const style = one.faint ? "line faint" : `line ${ink(one.at)}`;
    if (one.points.length === 1)
      root.append(
        svg("circle", { class: style.replace("line", "dot"), cx: scaleX(one.points[0][0]), cy: scaleY(one.points[0][1]), r: 3 }),
      );
    root.append(svg("path", { class: style, d: path, "stroke-dasharray": one.faint ? "" : dash(one.at) }));
    const best = one.points.find(([a]) => a === one.best);
    if (best && !one.faint)
      root.append(svg("circle", { class: `dot ${ink(one.at)}`, cx: scaleX(best[0]), cy: scaleY(best[1]), r: 4.5 }));
  }
  const tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const rule = svg("line", { class: "rule", y1: area.top, y2: area.bottom, visibility: "hidden" });
  root.append(rule);
  const holder = el("div", { class: "plot" }, root, tip);
  const shown = drawn.filter(({ faint }) => !faint);
  const epochs = [...new Set(shown.flatMap(({ points: pairs }) => pairs.map(([value]) => value)))];
  const hide = () => {
    tip.hidden = true;
    rule.setAttribute("visibility", "hidden");
  };
  root.addEventListener("pointermove", (event) => {
    if (epochs.length === 0) return;
    const at = event.clientX - root.getBoundingClientRect().left;
    const epoch = epochs.reduce((best, value) => (Math.abs(scaleX(value) - at) < Math.abs(scaleX(best) - at) ? value : best));
    const rows = shown
      .map((one) => [one, one.points.find(([value]) => value === epoch)])
      .filter(([, point]) => point)
      .sort(([, [, a]], [, [, b]]) => b - a);
    tip.replaceChildren(
      el("strong", {}, `${x.label} ${epoch}`),
      ...rows.map(([one, [, value]]) =>
        el("div", {}, el("span", { class: `swatch ${ink(one.at)}` }), `${one.name} `, el("b", {}, axisY.format(value))),
      ),
    );
    tip.hidden = false;
    const left = scaleX(epoch) + 12;
    tip.style.left = `${left + tip.offsetWidth > width ? Math.max(0, scaleX(epoch) - tip.offsetWidth - 12) : left}px`;
    rule.setAttribute("x1", scaleX(epoch));
    rule.setAttribute("x2", scaleX(epoch));
    rule.setAttribute("visibility", "visible");
  });
  root.addEventListener("pointerleave", hide);
  return holder;
}

/** The values of a chart, for those who can't see or want to copy them. */
const valueTable = (title, head, rows) =>
  el("details", { class: "values" }, el("summary", {}, "Values as a table"), table(title, head, rows));

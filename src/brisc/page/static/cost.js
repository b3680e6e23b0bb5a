"use strict";
// Cost: what a model takes against what it reaches.

const COSTS = {
  parameters: ["parameters", compact],
  macs: ["multiply-adds per image", compact],
  weights_mb: ["weights, MB", (value) => fixed(value, 1)],
  latency_ms: ["latency of one image, ms", (value) => fixed(value, 1)],
  seconds: ["training, s", compact],
  peak_memory_mb: ["peak memory in training, MB", whole],
};
const REACHED = {
  mask: {
    title: "Dice, mean per tumour slice",
    more: { dice_native: "at the image's own size" },
    does: "Drawing tumours",
    images: "tumour slice",
  },
  label: { title: "Accuracy", more: {}, does: "Naming the class", images: "image" },
};

views.cost = {
  title: "Cost",
  build(host) {
    const measured = (key) => core.models.some(({ cost }) => !absent(cost[key]));
    const cost = choice(
      "Cost",
      Object.entries(COSTS).map(([key, [title]]) => [key, measured(key) ? title : `${title} (not measured)`, !measured(key)]),
      (value) => go({ cost: value }),
    );
    const quality = choice(
      "Subset",
      core.subsets.map((name) => [name, SUBSETS[name].title]),
      (value) => go({ quality: value }),
    );
    const heads = Object.keys(core.heads).filter((head) => modelsWith(head).length);
    const charts = Object.fromEntries(heads.map((head) => [head, chart((width) => this.drawPoints(width, head))]));
    const tables = el("div", {});
    host.append(
      el("form", { class: "filters", "aria-label": "Cost and subset" }, cost.element, quality.element),
      el(
        "div",
        { class: "halves" },
        heads.map((head) =>
          el(
            "section",
            { class: "card" },
            el("h3", {}, REACHED[head].does),
            charts[head].element,
          ),
        ),
      ),
      el(
        "p",
        { class: "hint" },
        "Whiskers are 95 % intervals over groups of similar slices. Whether two models differ is said by the letters below, not by the height of their points.",
      ),
      tables,
    );
    this.parts = { cost, quality, charts, tables };
  },
  get cost() {
    return Object.hasOwn(COSTS, state.cost) ? state.cost : "parameters";
  },
  update() {
    const { parts, cost } = this;
    parts.cost.set(cost);
    parts.quality.set(state.quality);
    for (const one of Object.values(parts.charts)) one.redraw();
    const metric = (model, key) => {
      const metrics = model.metrics[state.quality];
      return metrics ? interval(metrics[key], metrics[`${key}_low`], metrics[`${key}_high`]) : DASH;
    };
    const names = Object.keys(parts.charts);
    const reached = (model, name) =>
      hasHead(model, name)
        ? [core.heads[name].primary, ...Object.keys(REACHED[name].more)].map((key) => metric(model, key))
        : [DASH, ...Object.keys(REACHED[name].more).map(() => DASH)];
    parts.tables.replaceChildren(
      table(
        `All models on ${SUBSETS[state.quality].title}, in the order of params.yaml`,
        [
          "model",
          ...names.flatMap((name) => [REACHED[name].title, ...Object.values(REACHED[name].more), "letters"]),
          ...Object.values(COSTS).map(([title]) => title),
        ],
        core.models.map((model) => [
          shownName(model),
          ...names.flatMap((name) => [...reached(model, name), hasHead(model, name) ? sharedLetters(name, model) : DASH]),
          ...Object.entries(COSTS).map(([key, [, format]]) => format(model.cost[key])),
        ]),
      ),
      el(
        "p",
        { class: "hint" },
        core.comparisons
          ? `Two models that share a letter are not significantly different on this subset (paired tests, Holm's correction, 5 % level). ${DASH}: not measured in this profile, or no such head.`
          : `No tests between models were run in this profile: no order of models is claimed. ${DASH}: not measured.`,
      ),
    );
  },
  drawPoints(width, head) {
    const { cost } = this,
      { primary: key, images } = core.heads[head],
      { title } = REACHED[head];
    const dots = modelsWith(head)
      .map((model) => ({
        model,
        at: core.models.indexOf(model),
        x: model.cost[cost],
        y: model.metrics[state.quality]?.[key],
        low: model.metrics[state.quality]?.[`${key}_low`],
        high: model.metrics[state.quality]?.[`${key}_high`],
      }))
      .filter(({ x, y }) => !absent(x) && x > 0 && !absent(y));
    if (dots.length === 0) return el("p", { class: "hint" }, `${COSTS[cost][0]}: not measured in this profile.`);
    const xs = dots.map(({ x }) => x),
      height = 340;
    const { root, scaleX, scaleY, area } = axes(width, height, {
      x: { domain: [Math.min(...xs) / 1.6, Math.max(...xs) * 1.6], log: true, label: COSTS[cost][0], format: compact },
      y: {
        domain: spread(dots.flatMap(({ y, low, high }) => [y, low, high])),
        label: `${title}, %`,
        format: (value) => String(Number((100 * value).toPrecision(3))),
      },
      label: `${title} against ${COSTS[cost][0]} of ${dots.map(({ model }) => model.name).join(", ")}`,
    });
    const placed = [];
    for (const { model, at, x, y, low, high } of dots) {
      const cx = scaleX(x),
        cy = scaleY(y);
      const [bottom, top] = absent(low) || absent(high) ? [cy, cy] : [scaleY(low), scaleY(high)];
      if (bottom !== top) root.append(svg("line", { class: `whisker ${ink(at)}`, x1: cx, x2: cx, y1: bottom, y2: top }));
      root.append(shape(SHAPES[at % SHAPES.length], cx, cy, 6, { class: `dot ${ink(at)}` }));
      placed.push({ name: shownName(model), at, cx, cy, top, bottom });
    }
    root.append(...nameTags(placed, area));
    const count = dots[0].model.metrics[state.quality][images];
    return el(
      "figure",
      {},
      root,
      caption(`${counted(count, REACHED[head].images)}: ${SUBSETS[state.quality].title}`),
    );
  },
};

/**
 * The names beside their points: on the side and at the height where they cover no other name, point or whisker, as near as can
 * be, with a line to the point. `top` and `bottom` of a placed point are the ends of its whisker.
 */
function nameTags(placed, area) {
  const HALF = 8,
    GAP = 22,
    OTHER_SIDE = 10; // what going to the left costs, in pixels of moving up or down
  const taken = placed.map(({ cx, cy, top, bottom }) => {
    return [cx - HALF, cx + HALF, Math.min(top, cy - HALF), Math.max(bottom, cy + HALF)];
  });
  const shifts = Array.from({ length: 80 }, (_, step) => (step % 2 ? -1 : 1) * Math.ceil(step / 2) * 4);
  return placed
    .toSorted((a, b) => a.cy - b.cy)
    .flatMap(({ name, at, cx, cy }) => {
      const wide = 7.2 * name.length;
      const places = [1, -1]
        .map((side) => ({ side, start: side > 0 ? cx + GAP : cx - GAP - wide, costs: side > 0 ? 0 : OTHER_SIDE }))
        .filter(({ start }) => start >= area.left && start + wide <= area.right)
        .flatMap((place) => shifts.map((shift) => ({ ...place, line: cy + shift, away: Math.abs(shift) + place.costs })))
        .filter(({ line }) => line - HALF > area.top && line + HALF < area.bottom)
        .toSorted((a, b) => a.away - b.away);
      const free = ({ start, line }) =>
        !taken.some(([from, to, top, bottom]) => start < to && start + wide > from && line - HALF < bottom && line + HALF > top);
      const { side, start, line } = places.find(free) ?? places[0] ?? { side: 1, start: cx + GAP, line: cy };
      taken.push([start, start + wide, line - HALF, line + HALF]);
      return [
        svg("line", { class: `leader ${ink(at)}`, x1: cx + side * 8, y1: cy, x2: cx + side * (GAP - 3), y2: line }),
        svg(
          "text",
          { class: `name ${ink(at)}`, x: cx + side * GAP, y: line, dy: "0.32em", "text-anchor": side > 0 ? "start" : "end" },
          name,
        ),
      ];
    });
}

const sharedLetters = (head, model) =>
  core.comparisons?.heads[head]?.subsets[state.quality]?.order.find((one) => one.model === model.name)?.letters.join(" ") ?? DASH;

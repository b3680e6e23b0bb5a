"use strict";
// Compare: two models on the same case, and whether they differ beyond chance over all cases.

views.compare = {
  title: "Compare",
  build(host) {
    const ORDERS = [
      ["spread", "most different first"],
      ["ahead", "first model ahead"],
      ["behind", "second model ahead"],
      ["file", "file order"],
    ];
    const one = choice("First model", nameModels(), (value) => go({ model: value }));
    const two = choice("Second model", nameModels(), (value) => go({ other: value }));
    const filters = caseFilters("order", ORDERS);
    const photo = panel("Slice"),
      truthMask = panel("Truth"),
      apart = panel("Where the two masks differ", { dim: true });
    const sides = [modelPanels(), modelPanels()];
    const heads = sides.map(() => el("h3", {}));
    const notes = sides.map(() => el("div", { class: "note" }));
    const opacity = slider("Opacity", 45, () => this.paint());
    const close = tick("Zoom to the tumour", false, () => this.update());
    const pair = el(
      "div",
      { class: "pair", id: "pair" },
      sides.map((side, at) =>
        el("section", { class: "side" }, heads[at], el("div", { class: "panels" }, side.elements), notes[at]),
      ),
    );
    const shared = el("div", { class: "panels shared" }, photo.element, truthMask.element, apart.element);
    const empty = el("p", { class: "empty" }, "No test image passes these filters.");
    const leaves = leaf((by) => this.step(by));
    const scatter = chart((width) => this.drawScatter(width));
    const scatterBox = el(
      "section",
      { class: "card" },
      el("h3", {}, "Case by case"),
      scatter.element,
      el(
        "p",
        { class: "hint" },
        "A point is a case of the list above; press one to look at it. On the line both models do equally well.",
      ),
    );
    const tested = el("section", { class: "card" });
    const keyApart = colourKey(["prediction", "first model alone"], ["truth", "second model alone (chequered)"], ["hit", "both"]);
    const thumbs = strip((at) => go({ case: core.cases.id[this.list[at]] }));
    host.append(
      el("form", { class: "filters", "aria-label": "Models and filters" }, one.element, two.element, filters.elements),
      leaves.element,
      empty,
      pair,
      el(
        "div",
        { class: "under" },
        opacity.element,
        close.element,
        colourKey(
          ["truth", "truth (outline)"],
          ["prediction", "prediction"],
          ["hit", "right"],
          ["missed", "missed (chequered)"],
          ["false-positive", "false positive"],
        ),
      ),
      el("div", { class: "halves uneven" }, el("div", { class: "stack" }, shared, keyApart), tested),
      el("div", { class: "halves" }, scatterBox, thumbs.element),
    );
    this.parts = {
      one,
      two,
      filters,
      photo,
      truthMask,
      apart,
      sides,
      heads,
      notes,
      opacity,
      close,
      pair,
      shared,
      empty,
      leaves,
      scatter,
      scatterBox,
      tested,
      keyApart,
      thumbs,
    };
    this.list = [];
  },
  step(by) {
    stepIn(this.list, this.place, by);
  },
  jump(end) {
    stepIn(this.list, this.place, end * this.list.length);
  },
  /** The two models: those named in the address, else U-Net against Attention U-Net, else the first two that can be compared. */
  get models() {
    const drawing = modelsWith("mask"),
      some = drawing.length > 1 ? drawing : core.models;
    const first = modelNamed(state.model) ?? modelNamed("unet") ?? some[0];
    const rest = some.filter((model) => model !== first);
    return [first, modelNamed(state.other) ?? rest.find(({ name }) => name === "attention_unet") ?? rest[0] ?? first];
  },
  async update() {
    const { parts, models } = this;
    const [a, b] = models;
    parts.one.set(a.name);
    parts.two.set(b.name);
    parts.filters.set();
    const gap = (index) => {
      const values = comparable(a, b, index);
      return values && values[0] - values[1];
    };
    const orders = {
      spread: [
        (index) => {
          const value = gap(index);
          return absent(value) ? null : Math.abs(value);
        },
        -1,
      ],
      ahead: [gap, -1],
      behind: [gap, 1],
    };
    const found = selectCases(state);
    this.list = Object.hasOwn(orders, state.order) ? sorted(found, ...orders[state.order]) : found;
    this.place = placeOf(this.list);
    const index = this.list[this.place];
    const none = index === undefined;
    parts.empty.hidden = !none;
    for (const part of [parts.pair, parts.shared, parts.keyApart, parts.scatterBox]) part.hidden = none;
    parts.leaves.show(this.place, this.list.length, ...(none ? [] : caseName(index)));
    parts.thumbs.show(
      this.list.map((one) => ({ id: core.cases.id[one], text: gapText(gap(one)) })),
      this.place,
    );
    parts.tested.replaceChildren(...verdicts(a, b));
    if (none) {
      announce("No test image passes these filters.");
      return;
    }
    state.case = core.cases.id[index];
    const turn = (this.turn = {});
    const [truth, ready1, ready2] = await Promise.all([
      truthOf(index),
      findings(a, index),
      findings(b, index),
      ready(core.cases.id[index]),
    ]);
    if (turn !== this.turn) return;
    this.shown = { index, truth, found: [ready1, ready2] };
    const masks = [truth, ready1.mask, ready2.mask].filter(Boolean);
    zoomTo(parts.pair, parts.close.input.checked ? masks : []);
    zoomTo(parts.shared, parts.close.input.checked ? masks : []);
    parts.photo.draw(core.cases.id[index]);
    parts.photo.describe(`Slice ${core.cases.id[index]}`);
    parts.truthMask.draw(null, (context) => fill(context, truth, "#fff"));
    parts.truthMask.describe(`True mask: ${counted(pixelCount(truth), "pixel")}`);
    const both = ready1.mask && ready2.mask;
    parts.apart.element.hidden = parts.keyApart.hidden = !both;
    if (both) {
      parts.apart.draw(core.cases.id[index], (context) =>
        difference(context, ready2.mask, ready1.mask, ["hit", "truth", "prediction"]),
      );
      const common = overlap(ready1.mask, ready2.mask);
      parts.apart.describe(
        `Both models ${common} pixels, ${a.name} alone ${pixelCount(ready1.mask) - common}, ${b.name} alone ${pixelCount(ready2.mask) - common}`,
      );
    }
    models.forEach((model, at) => {
      parts.heads[at].textContent = shownName(model);
      parts.notes[at].replaceChildren(
        ...(hasHead(model, "mask") ? [facts(maskFacts(model, index))] : []),
        ...(hasHead(model, "label") ? [probabilityBars(model, index)] : []),
      );
    });
    this.paint();
    parts.scatter.redraw();
    announce(
      `${this.place + 1} of ${this.list.length}: ${core.cases.id[index]}. ${a.name}: ${scoreText(a, index)}. ${b.name}: ${scoreText(b, index)}`,
    );
  },
  paint() {
    if (!this.shown) return;
    const { index, truth, found } = this.shown;
    this.models.forEach((model, at) =>
      this.parts.sides[at].draw(index, model, truth, found[at], Number(this.parts.opacity.input.value) / 100),
    );
    this.parts.pair.dataset.case = core.cases.id[index];
  },
  drawScatter(width) {
    if (!this.shown) return null;
    const [a, b] = this.models;
    const dots = this.list.map((index) => [index, comparable(a, b, index)]).filter(([, pair]) => pair);
    if (dots.length === 0) return el("p", { class: "hint" }, "Nothing that both of these models measure on these cases.");
    const measure = bothDraw(a, b) ? "Dice" : "probability of the true class";
    const format = (value) => String(Math.round(100 * value));
    const side = Math.min(width, 460);
    const { root, scaleX, scaleY } = axes(side, side, {
      x: { domain: [0, 1], label: `${measure} of ${a.name}, %`, format },
      y: { domain: [0, 1], label: `${measure} of ${b.name}, %`, format },
      label: `${measure} of ${a.name} against ${b.name} on ${dots.length} cases; ${a.name} is ahead on ${dots.filter(([, [x, y]]) => x > y).length}, ${b.name} on ${dots.filter(([, [x, y]]) => x < y).length}`,
    });
    root.append(svg("line", { class: "equal", x1: scaleX(0), y1: scaleY(0), x2: scaleX(1), y2: scaleY(1) }));
    const placed = dots.map(([index, [x, y]]) => [index, scaleX(x), scaleY(y)]);
    for (const [index, x, y] of placed)
      root.append(
        svg("circle", {
          class: `case ${index === this.shown.index ? "here" : ""}`,
          cx: x,
          cy: y,
          r: index === this.shown.index ? 7 : 3,
        }),
      );
    root.addEventListener("click", (event) => {
      const box = root.getBoundingClientRect();
      const far = ([, x, y]) => Math.hypot(x - (event.clientX - box.left), y - (event.clientY - box.top));
      const [nearest] = placed.toSorted((p, q) => far(p) - far(q));
      if (far(nearest) < 24) go({ case: core.cases.id[nearest[0]] });
    });
    return root;
  },
};

const bothDraw = (a, b) => hasHead(a, "mask") && hasHead(b, "mask");

/** What the two models can be compared by on a case: Dice if both draw, else the probability of the true class; null where that is not defined. */
function comparable(a, b, index) {
  if (bothDraw(a, b)) return isHealthy(index) ? null : [a.cases.dice[index], b.cases.dice[index]];
  if (hasHead(a, "label") && hasHead(b, "label"))
    return [a, b].map((model) => model.cases.probabilities[index][core.cases.label[index]]);
  return null;
}

const gapText = (gap) => (absent(gap) ? "no Dice" : `${gap > 0 ? "+" : ""}${points(gap)}`);

const TESTS = {
  bootstrap: "Paired bootstrap over groups of similar slices",
  bootstrap_and_mcnemar: "Paired bootstrap over groups of similar slices and McNemar's exact test, the larger p of the two",
};

/** What comparisons.json says of two models, head by head and subset by subset. It alone says whether one is ahead. */
function verdicts(a, b) {
  const heads = a.heads.filter((head) => hasHead(b, head));
  const title = el("h3", {}, "Do they differ?");
  if (a === b) return [title, el("p", {}, "This is one model twice.")];
  if (heads.length === 0) return [title, el("p", {}, "One draws masks and the other names classes: nothing to compare them by.")];
  if (!core.comparisons)
    return [title, el("p", {}, "No tests between models were run in this profile, so none is said to be ahead.")];
  return [
    title,
    ...heads.flatMap((head) => {
      const { measure, test, subsets } = core.comparisons.heads[head];
      const rows = core.subsets
        .filter((name) => subsets[name])
        .map((name) => {
          const pair = subsets[name].pairs.find((one) => [one.a, one.b].includes(a.name) && [one.a, one.b].includes(b.name));
          if (!pair) return [name, "not compared", DASH, DASH, whole(subsets[name].n)];
          const sign = pair.a === a.name ? 1 : -1;
          const bounds = sign === 1 ? [pair.low, pair.high] : [negative(pair.high), negative(pair.low)];
          const range = bounds.some(absent) ? "" : ` [${bounds.map(points).join(", ")}]`;
          const ahead = pair.significant
            ? `significantly different: ${pair.a} ahead`
            : subsets[name].tested
              ? "not significantly different"
              : `not tested: ${counted(subsets[name].groups, "group")}`;
          return [
            name,
            el("strong", { class: "wrap" }, ahead),
            `${gapText(sign * pair.difference)}${range}`,
            fixed(pair.p_holm, 3),
            whole(subsets[name].n),
          ];
        });
      return [
        table(
          `${words(measure)}: ${a.name} minus ${b.name}, points`,
          ["subset", "verdict", "difference [95 %]", "p, Holm", "n"],
          rows,
        ),
        el(
          "p",
          { class: "hint" },
          `${TESTS[test] ?? words(test)}; p corrected over all pairs of models. Over all classes and planes, whatever the filters.`,
        ),
      ];
    }),
    ...seedNote(a, b),
  ];
}

const negative = (value) => (absent(value) ? value : -value);

function seedNote(a, b) {
  const pairs =
    core.comparisons.seeds?.pairs.filter(
      (one) => [one.a, one.b].includes(a.name) && [one.a, one.b].includes(b.name) && one.subset === "official",
    ) ?? [];
  return pairs.map((pair) =>
    el(
      "p",
      { class: "hint" },
      `Trained with ${counted(pair.n, "seed")}: ${words(pair.measure)} of ${pair.a} minus ${pair.b} is ${Object.entries(
        pair.differences,
      )
        .map(([seed, value]) => `${gapText(value)} (seed ${seed})`)
        .join(", ")} points on all test images.`,
    ),
  );
}

"use strict";
// Cases: the inference panels of one model, leafed through.

const views = {};

/** The filters that cases and compare share. `orders`: the sorts on offer, under the key `sortKey` of the state. */
function caseFilters(sortKey, orders) {
  const pick = (name) => (value) => go({ [name]: value, ...(name === sortKey ? { case: "" } : {}) });
  const label = choice("Class", [["", "all classes"], ...core.labels.map((name) => [name, words(name)])], pick("label"));
  const plane = choice("Plane", [["", "all planes"], ...core.planes.map((name) => [name, name])], pick("plane"));
  const subset = choice(
    "Subset",
    Object.entries(SUBSETS).map(([name, { title }]) => [name, title]),
    pick("subset"),
  );
  const sort = choice("Sort", orders, pick(sortKey));
  return {
    elements: [label, plane, subset, sort].map(({ element }) => element),
    sort,
    set() {
      label.set(state.label);
      plane.set(state.plane);
      subset.set(state.subset);
      sort.set(state[sortKey]);
    },
  };
}

/** Cases in order of a value; those without one come last. */
function sorted(cases, valueOf, direction) {
  const missing = (value) => (absent(value) ? 1 : 0);
  return cases
    .map((index) => [index, valueOf(index)])
    .sort(([one, a], [two, b]) => missing(a) - missing(b) || (missing(a) ? 0 : direction * (a - b)) || one - two)
    .map(([index]) => index);
}

/** The place in a list of the case that the state names; the first where it is not in the list. */
const placeOf = (list) => Math.max(0, list.indexOf(core.cases.id.indexOf(state.case)));

const stepIn = (list, place, by) => {
  const next = Math.max(0, Math.min(list.length - 1, place + by));
  if (next !== place && list.length) go({ case: core.cases.id[list[next]] });
};

const nameModels = () =>
  core.models.map((model) => [
    model.name,
    `${shownName(model)}: ${model.heads.map((head) => (head === "mask" ? "mask" : "class")).join(" and ")}`,
  ]);

views.cases = {
  title: "Cases",
  build(host) {
    const ORDERS = [
      ["file", "file order"],
      ["low", "worst Dice first"],
      ["high", "best Dice first"],
      ["large", "largest tumour first"],
      ["small", "smallest tumour first"],
    ];
    const model = choice("Model", nameModels(), (value) => go({ model: value }));
    const filters = caseFilters("sort", ORDERS);
    const photo = panel("Slice"),
      truthMask = panel("Truth");
    const made = modelPanels();
    const opacity = slider("Opacity", 45, () => this.paint());
    const close = tick("Zoom to the tumour", false, () => this.update());
    const panels = el("div", { class: "panels", id: "panels" }, photo.element, truthMask.element, made.elements);
    const about = el("div", { class: "about" });
    const empty = el("p", { class: "empty" }, "No test image passes these filters.");
    const thumbs = strip((at) => go({ case: core.cases.id[this.list[at]] }));
    const leaves = leaf((by) => this.step(by));
    host.append(
      el("form", { class: "filters", "aria-label": "Model and filters" }, model.element, filters.elements),
      leaves.element,
      empty,
      panels,
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
      about,
      thumbs.element,
    );
    this.parts = { model, filters, photo, truthMask, made, opacity, close, panels, about, empty, thumbs, leaves };
    this.list = [];
  },
  step(by) {
    stepIn(this.list, this.place, by);
  },
  jump(end) {
    stepIn(this.list, this.place, end * this.list.length);
  },
  get model() {
    return modelNamed(state.model) ?? modelsWith("mask")[0] ?? core.models[0];
  },
  async update() {
    const { parts, model } = this;
    const measure = hasHead(model, "mask") ? "Dice" : "probability of the true class";
    const names = { low: `worst ${measure} first`, high: `best ${measure} first` };
    for (const option of parts.filters.sort.select.options) option.textContent = names[option.value] ?? option.textContent;
    parts.model.set(model.name);
    parts.filters.set();
    const found = selectCases(state);
    const orders = {
      low: [(index) => rankScore(model, index), 1],
      high: [(index) => rankScore(model, index), -1],
      large: [(index) => core.cases.pixels[index], -1],
      small: [(index) => core.cases.pixels[index] || null, 1],
    };
    this.list = Object.hasOwn(orders, state.sort) ? sorted(found, ...orders[state.sort]) : found;
    this.place = placeOf(this.list);
    const index = this.list[this.place];
    const none = index === undefined;
    parts.empty.hidden = !none;
    parts.panels.hidden = parts.about.hidden = none;
    parts.leaves.show(this.place, this.list.length, ...(none ? [] : caseName(index)));
    parts.thumbs.show(
      this.list.map((one) => ({ id: core.cases.id[one], text: scoreText(model, one) })),
      this.place,
    );
    if (none) {
      announce("No test image passes these filters.");
      return;
    }
    state.case = core.cases.id[index];
    // What is drawn belongs together: nothing changes until all of it is here, and a case that was left meanwhile is dropped.
    const turn = (this.turn = {});
    const [truth, findingsHere] = await Promise.all([truthOf(index), findings(model, index), ready(core.cases.id[index])]);
    if (turn !== this.turn) return;
    this.shown = { index, model, truth, found: findingsHere };
    zoomTo(parts.panels, parts.close.input.checked ? [truth, ...(findingsHere.mask ? [findingsHere.mask] : [])] : []);
    parts.photo.draw(core.cases.id[index]);
    parts.photo.describe(`Slice ${core.cases.id[index]}`);
    parts.truthMask.draw(null, (context) => fill(context, truth, "#fff"));
    parts.truthMask.describe(`True mask: ${counted(pixelCount(truth), "pixel")}`);
    this.paint();
    this.describe();
    for (const near of [this.place + 1, this.place - 1]) {
      if (near in this.list) new Image().src = pictureOf(core.cases.id[this.list[near]]);
    }
  },
  paint() {
    if (!this.shown) return;
    const { index, model, truth, found } = this.shown;
    this.parts.made.draw(index, model, truth, found, Number(this.parts.opacity.input.value) / 100);
    this.parts.panels.dataset.case = core.cases.id[index];
  },
  describe() {
    const { index, model } = this.shown;
    const copied = core.cases.clean[index] === 0;
    const general = [
      ["Class", words(core.labels[core.cases.label[index]])],
      ["Plane", core.planes[core.cases.plane[index]]],
      ["Subset", subsetName(index)],
      ["True area", counted(core.cases.pixels[index], "pixel")],
    ];
    const classifiers = modelsWith("label");
    this.parts.about.replaceChildren(
      el(
        "section",
        {},
        el("h3", {}, shownName(model)),
        facts([...(hasHead(model, "mask") ? maskFacts(model, index) : []), ...general]),
        el(
          "p",
          { class: "links" },
          el("a", { href: address("compare", { case: core.cases.id[index] }) }, "Compare two models on this case"),
          copied ? el("a", { href: address("copies", { pair: core.cases.id[index] }) }, "See its twin in train") : null,
        ),
      ),
      ...(classifiers.length
        ? [
            el(
              "section",
              { class: "says" },
              el("h3", {}, "What the classifiers say"),
              el(
                "div",
                { class: "sayings" },
                classifiers.map((one) => probabilityBars(one, index)),
              ),
            ),
          ]
        : []),
    );
    announce(
      `${this.place + 1} of ${this.list.length}: ${core.cases.id[index]}, ${words(core.labels[core.cases.label[index]])}. ${model.name}: ${scoreText(model, index)}`,
    );
  },
};

/** What cases are sorted by: Dice where the model draws masks (healthy slices have none), else the probability of the true class. */
const rankScore = (model, index) => (hasHead(model, "mask") && isHealthy(index) ? null : scoreOf(model, index));

function scoreText(model, index) {
  if (hasHead(model, "mask")) {
    if (!isHealthy(index)) return `Dice ${percent(model.cases.dice[index])}`;
    return model.cases.predicted_pixels[index] === 0 ? "healthy: right" : "false positive";
  }
  return model.cases.predicted[index] === core.cases.label[index]
    ? "right"
    : `says ${words(core.labels[model.cases.predicted[index]])}`;
}

"use strict";
// Classes: confusion matrix, metrics and calibration of a classifier, and the images behind each cell.

views.classes = {
  title: "Classes",
  build(host) {
    const models = modelsWith("label");
    const PAGE = 12;
    this.PAGE = PAGE;
    if (models.length === 0) {
      host.append(el("p", {}, "No model of this profile names classes."));
      return;
    }
    const classifier = choice(
      "Classifier",
      models.map((model) => [model.name, shownName(model)]),
      (value) => go({ classifier: value, page: "1" }),
    );
    const subset = choice(
      "Subset",
      Object.entries(SUBSETS).map(([name, { title }]) => [name, title]),
      (value) => go({ subset: value, page: "1" }),
    );
    const summary = el("p", { class: "lead" });
    const matrix = el("div", {}),
      perClass = el("div", {});
    const calibration = chart((width) => this.drawReliability(width));
    const calibrationNote = el("p", { class: "hint" });
    const shown = el("h3", { id: "cell", tabindex: -1 });
    const heatOn = tick("Grad-CAM", true, () => this.update());
    const gallery = el("ol", { class: "gallery" });
    const place = el("span", {});
    const back = button("Previous page", () => this.turnPage(-1)),
      forth = button("Next page", () => this.turnPage(1));
    host.append(
      el("form", { class: "filters", "aria-label": "Classifier and subset" }, classifier.element, subset.element),
      summary,
      el(
        "div",
        { class: "halves" },
        el(
          "section",
          { class: "card" },
          el("h3", {}, "Confusion matrix"),
          matrix,
          el("p", { class: "hint" }, "A cell counts images, with its share of the true class. Press one to see its images."),
        ),
        el("section", { class: "card" }, el("h3", {}, "Each class"), perClass),
      ),
      el(
        "section",
        { class: "cell" },
        el("div", { class: "under" }, shown, heatOn.element),
        gallery,
        el("div", { class: "pager" }, back, place, forth),
      ),
      el("section", { class: "card" }, el("h3", {}, "Calibration"), calibration.element, calibrationNote),
    );
    this.parts = {
      classifier,
      subset,
      summary,
      matrix,
      perClass,
      calibration,
      calibrationNote,
      shown,
      heatOn,
      gallery,
      place,
      back,
      forth,
    };
  },
  get model() {
    return modelNamed(state.classifier) ?? modelsWith("label")[0];
  },
  turnPage(by) {
    go({ page: String(this.page + by) });
  },
  update() {
    if (!this.parts) return;
    const { parts, model } = this;
    parts.classifier.set(model.name);
    parts.subset.set(state.subset);
    const cases = selectCases({ subset: state.subset });
    const metrics = model.metrics[state.subset];
    parts.summary.replaceChildren(...this.summarise(cases, metrics));
    this.drawMatrix(cases);
    this.drawClasses(metrics);
    this.drawGallery(cases);
    parts.calibration.redraw();
    parts.calibrationNote.textContent = metrics?.reliability
      ? `Expected calibration error ${percent(metrics.ece)}; after temperature scaling (T = ${fixed(model.temperature)}, fitted on validation) ${percent(metrics.ece_scaled)}. A point is a bin of confidence, its area the number of images.`
      : "";
  },
  summarise(cases, metrics) {
    if (metrics) {
      return [
        el("strong", {}, shownName(this.model)),
        ` names the right class on ${interval(metrics.accuracy, metrics.accuracy_low, metrics.accuracy_high)} of ${counted(metrics.n_images, "image")}; macro F1 ${interval(metrics.f1_macro, metrics.f1_macro_low, metrics.f1_macro_high)}. Intervals are 95 %.`,
      ];
    }
    const right = cases.filter((index) => this.model.cases.predicted[index] === core.cases.label[index]).length;
    return [
      el("strong", {}, shownName(this.model)),
      ` names the right class on ${whole(right)} of ${counted(cases.length, "image")} that are also in train (mostly mirrored). They say little about new patients, so no interval is given.`,
    ];
  },
  drawMatrix(cases) {
    const { predicted } = this.model.cases,
      { label } = core.cases;
    const count = (truth, guess) => cases.filter((index) => label[index] === truth && predicted[index] === guess).length;
    // The button that had the focus is replaced by its new self.
    const focused = document.activeElement?.closest?.("[data-cell]")?.dataset.cell;
    const rows = core.labels.map((truth, row) => {
      const total = cases.filter((index) => label[index] === row).length;
      return [
        words(truth),
        ...core.labels.map((guess, column) => {
          const n = count(row, column),
            share = total ? n / total : 0;
          const cell = button("", () => go({ truth, predicted: guess, page: "1" }), {
            class: row === column ? "heat right" : "heat wrong",
            "data-cell": `${truth} ${guess}`,
            "aria-pressed": String(state.truth === truth && state.predicted === guess),
            "aria-label": `True ${words(truth)}, named ${words(guess)}: ${counted(n, "image")}, ${percent(share)}`,
          });
          cell.append(el("b", {}, whole(n)), el("small", {}, total ? percent(share, 0) : DASH));
          cell.style.setProperty("--share", share);
          return cell;
        }),
      ];
    });
    this.parts.matrix.replaceChildren(
      table(
        `${this.model.name} on ${SUBSETS[state.subset].title}: rows are true classes`,
        ["true \\ named", ...core.labels.map(words)],
        rows,
        { class: "matrix" },
      ),
    );
    if (focused) this.parts.matrix.querySelector(`[data-cell="${focused}"]`)?.focus();
  },
  drawClasses(metrics) {
    if (!metrics) {
      this.parts.perClass.replaceChildren(el("p", { class: "hint" }, "Metrics are given for all test images, clean and strict."));
      return;
    }
    const rows = core.labels.map((name) => {
      const one = metrics.by_label[name];
      return [words(name), whole(one.n), percent(one.precision), percent(one.recall), percent(one.f1), fixed(one.auroc, 3)];
    });
    rows.push([
      "mean of the classes",
      whole(metrics.n_images),
      percent(metrics.precision_macro),
      percent(metrics.recall_macro),
      percent(metrics.f1_macro),
      fixed(metrics.auroc_macro, 3),
    ]);
    this.parts.perClass.replaceChildren(
      table(`${this.model.name} on ${SUBSETS[state.subset].title}`, ["class", "n", "precision", "recall", "F1", "AUROC"], rows),
    );
  },
  async drawGallery(cases) {
    const { parts, model, PAGE } = this;
    const { predicted, probabilities } = model.cases,
      { label, id } = core.cases;
    const cell = state.truth !== "" && state.predicted !== "";
    const fits = (index) =>
      cell
        ? core.labels[label[index]] === state.truth && core.labels[predicted[index]] === state.predicted
        : label[index] !== predicted[index];
    const confidence = (index) => probabilities[index][predicted[index]];
    const list = sorted(cases.filter(fits), confidence, -1);
    const pages = Math.max(1, Math.ceil(list.length / PAGE));
    this.page = Math.min(pages, Math.max(1, Number.parseInt(state.page, 10) || 1));
    const shown = list.slice((this.page - 1) * PAGE, this.page * PAGE);
    parts.shown.replaceChildren(
      cell
        ? `True ${words(state.truth)}, named ${words(state.predicted)}: ${counted(list.length, "image")}`
        : `All mistakes: ${counted(list.length, "image")}`,
    );
    parts.place.textContent = `Page ${this.page} of ${pages}, most confident first`;
    parts.back.disabled = this.page === 1;
    parts.forth.disabled = this.page === pages;
    announce(`${parts.shown.textContent}. ${parts.place.textContent}`);
    const turn = (this.turn = {});
    const cams = await Promise.all(shown.map((index) => camOf(model, index)));
    if (turn !== this.turn) return;
    parts.gallery.replaceChildren(
      ...shown.map((index, at) => {
        const one = panel(id[index]);
        one.draw(id[index], (context) => {
          if (parts.heatOn.input.checked) heat(context, cams[at], 0.5);
        });
        one.describe(
          `Slice ${id[index]}${parts.heatOn.input.checked ? `, with Grad-CAM for ${words(core.labels[predicted[index]])}` : ""}`,
        );
        return el(
          "li",
          {},
          one.element,
          probabilityBars(model, index),
          el(
            "a",
            { href: address("cases", { case: id[index], model: model.name }) },
            "Open this case",
            el("span", { class: "unseen" }, ` ${id[index]}`),
          ),
        );
      }),
    );
    parts.gallery.dataset.shown = String(shown.length);
  },
  drawReliability(width) {
    const metrics = this.model.metrics[state.subset];
    if (!metrics?.reliability) return el("p", { class: "hint" }, "Calibration is given for all test images, clean and strict.");
    const format = (value) => String(Math.round(100 * value));
    const side = Math.min(width, 440);
    const sets = [
      ["as trained", metrics.reliability, 0],
      ["after temperature scaling", metrics.reliability_scaled, 1],
    ].filter(([, bins]) => bins);
    const { root, scaleX, scaleY } = axes(side, side, {
      x: { domain: [0, 1], label: "confidence, %", format },
      y: { domain: [0, 1], label: "share right, %", format },
      label: `Reliability of ${this.model.name}: share of right answers against confidence`,
    });
    root.append(svg("line", { class: "equal", x1: scaleX(0), y1: scaleY(0), x2: scaleX(1), y2: scaleY(1) }));
    for (const [, bins, at] of sets) {
      const filled = bins.filter(({ n }) => n > 0),
        most = Math.max(...filled.map(({ n }) => n));
      root.append(
        svg("path", {
          class: `line ${ink(at)}`,
          "stroke-dasharray": dash(at),
          d: filled.map(({ confidence, accuracy }, i) => `${i ? "L" : "M"}${scaleX(confidence)} ${scaleY(accuracy)}`).join(""),
        }),
      );
      for (const bin of filled)
        root.append(
          shape(SHAPES[at], scaleX(bin.confidence), scaleY(bin.accuracy), 3 + 6 * Math.sqrt(bin.n / most), {
            class: `dot ${ink(at)} see-through`,
          }),
        );
    }
    const rows = sets.flatMap(([name, bins]) =>
      bins
        .filter(({ n }) => n > 0)
        .map(({ low, high, n, confidence, accuracy }) => [
          `${name}, ${format(low)} to ${format(high)}`,
          whole(n),
          percent(confidence),
          percent(accuracy),
        ]),
    );
    return el(
      "div",
      { class: "beside" },
      root,
      el(
        "div",
        {},
        seriesKey(sets.map(([name, , at]) => [name, at])),
        valueTable("Reliability", ["bin, %", "n", "confidence", "share right"], rows),
      ),
    );
  },
};

/** The names of series with their colour, dash and shape. */
const seriesKey = (names) =>
  el(
    "ul",
    { class: "key" },
    names.map(([name, at]) => el("li", {}, swatchLine(at), name)),
  );

const swatchLine = (at) =>
  svg(
    "svg",
    { width: 28, height: 12, "aria-hidden": "true" },
    svg("line", { class: `line ${ink(at)}`, "stroke-dasharray": dash(at), x1: 1, x2: 27, y1: 6, y2: 6 }),
  );

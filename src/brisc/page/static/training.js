"use strict";
// Training: learning curves of all runs, and the grid of optimisers and rates.

const CURVES = {
  validation_dice: "validation Dice",
  validation_accuracy: "validation accuracy",
  validation_score: "validation score",
  validation_loss: "validation loss",
  train_loss: "training loss",
  learning_rate: "learning rate",
};
// Models first and drawn from the start; the others when they are asked for.
const KINDS = { model: "Models", seed: "Other seeds", pruned: "Fewer images", recipe: "Recipes" };
const curveName = (key) => CURVES[key] ?? words(key);

views.training = {
  title: "Training",
  build(host) {
    this.runs = [...core.models, ...core.others];
    const drawn = Object.keys(CURVES).filter((key) => this.runs.some(({ history }) => history[key]));
    const curve = choice(
      "Curve",
      drawn.map((key) => [key, curveName(key)]),
      (value) => go({ curve: value }),
    );
    this.hidden = new Set(core.others.map(({ name }) => name));
    this.defaultCurve = drawn[0];
    const ticks = el(
      "div",
      {},
      Object.keys(KINDS).map((kind) => this.buildTicks(kind)),
    );
    const lines = chart((width) => this.drawCurves(width));
    const note = el("div", {});
    host.append(
      el(
        "section",
        { class: "card" },
        el("h3", {}, "Learning curves"),
        el("form", { class: "filters", "aria-label": "Curve" }, curve.element),
        ticks,
        lines.element,
        el(
          "p",
          { class: "hint" },
          `A dot marks the epoch whose weights were kept. Validation is not augmented${core.provenance.prepare.split === "grouped" ? " and shares no copies with train" : ""}.`,
        ),
        note,
      ),
      this.buildGrid(),
    );
    this.parts = { curve, ticks, lines, note };
  },
  buildTicks(kind) {
    const ticks = this.runs.map((run, at) => {
      if (run.kind !== kind) return null;
      const one = tick("", !this.hidden.has(run.name), (on) => {
        this.hidden[on ? "delete" : "add"](run.name);
        this.parts.lines.redraw();
      });
      one.element.append(swatchLine(at), shownName(run));
      one.element.dataset.run = run.name;
      return one.element;
    });
    return el("fieldset", { class: "series" }, el("legend", {}, KINDS[kind]), ticks);
  },
  /** The runs that have the curve that is looked at, each with its place among all, which gives its colour. */
  get shown() {
    return this.runs.map((run, at) => ({ ...run, at })).filter(({ history }) => history[this.curve]);
  },
  get curve() {
    return this.runs.some(({ history }) => history[state.curve]) ? state.curve : this.defaultCurve;
  },
  update() {
    const { parts, curve } = this;
    parts.curve.set(curve);
    const names = this.shown.map(({ name }) => name);
    for (const group of parts.ticks.children) {
      const labels = [...group.querySelectorAll("label")];
      for (const label of labels) label.hidden = !names.includes(label.dataset.run);
      group.hidden = labels.every(({ hidden }) => hidden);
    }
    parts.lines.redraw();
    parts.note.replaceChildren(
      valueTable(
        `${curveName(curve)}, last and kept epoch`,
        ["run", "epochs", "kept", "value there", "last value", "differs by"],
        this.shown.map((run) => {
          const values = run.history[curve];
          return [
            shownName(run),
            whole(run.history.epoch.length),
            whole(run.best_epoch),
            fixed(values[run.history.epoch.indexOf(run.best_epoch)], 4),
            fixed(values.at(-1), 4),
            el("span", { class: "wrap changes" }, changesText(run)),
          ];
        }),
      ),
    );
  },
  drawCurves(width) {
    const { curve } = this;
    const series = this.shown
      .filter(({ name }) => !this.hidden.has(name))
      .map((run) => ({ name: shownName(run), at: run.at, x: run.history.epoch, y: run.history[curve], best: run.best_epoch }));
    return lineChart(width, {
      series,
      x: { label: "epoch" },
      y: { label: curveName(curve) },
      label: `${curveName(curve)} over epochs of ${series.map(({ name }) => name).join(", ") || "no run"}`,
    });
  },
  buildGrid() {
    const { grid } = core;
    const card = el("section", { class: "card" }, el("h3", {}, "Grid: optimisers and learning rates"));
    if (!grid) {
      card.append(el("p", {}, "The grid was not run in this profile."));
      return card;
    }
    const cellAt = (optimizer, rate) =>
      grid.cells.find((one) => one.optimizer === optimizer && Number(one.learning_rate) === Number(rate));
    const scores = grid.cells.map(({ score }) => score).filter((score) => !absent(score));
    const [low, high] = [Math.min(...scores), Math.max(...scores)];
    const look = (cell) => {
      this.cell = cell;
      this.gridLines.redraw();
    };
    const rows = grid.optimizers.map((optimizer) => [
      optimizer,
      ...grid.learning_rates.map((rate) => {
        const cell = cellAt(optimizer, rate);
        if (!cell) return DASH;
        const failed = !absent(cell.diverged_at);
        const one = button(
          "",
          () => {
            this.pinned = this.pinned === cell ? null : cell;
            this.markPinned();
            look(cell);
          },
          {
            class: "heat right",
            "data-cell": gridKey(cell),
            "aria-pressed": "false",
            "aria-label": `${gridName(cell)}: ${gridText(cell)}`,
            onfocus: () => look(cell),
            onmouseenter: () => look(cell),
            onmouseleave: () => look(this.pinned ?? this.cell),
          },
        );
        one.append(
          el("b", {}, absent(cell.score) ? DASH : percent(cell.score)),
          el("small", {}, failed ? `diverged, epoch ${cell.diverged_at}` : `epoch ${cell.epoch}`),
        );
        one.style.setProperty("--share", absent(cell.score) ? 0 : (cell.score - low) / (high - low || 1));
        return one;
      }),
    ]);
    this.cell = grid.cells[0];
    this.gridLines = chart((width) => this.drawCell(width));
    this.gridTitle = el("h4", { "aria-live": "polite" });
    this.heat = table(
      `Best validation ${GRID_MEASURES[grid.measure]} of ${grid.model} within ${grid.epochs} epochs, by optimiser and learning rate`,
      ["optimiser", ...grid.learning_rates.map(rateText)],
      rows,
      { class: "matrix" },
    );
    card.append(
      this.heat,
      el(
        "p",
        { class: "hint" },
        "Point at a cell, or reach it by the tab key, to see its curve among all the others; press it to keep it. Cells whose ranges of ranks overlap may stand in either order.",
      ),
      this.gridTitle,
      this.gridLines.element,
      el(
        "ul",
        { class: "claims" },
        grid.claims.map((claim) =>
          el(
            "li",
            {},
            `${claim.source}: ${gridName(claim)} is best, ${percent(claim.published)}. `,
            el("strong", {}, claim.verdict),
            `: ${REASONS[claim.reason.code](claim.reason)}.`,
          ),
        ),
      ),
      el(
        "details",
        { class: "values" },
        el("summary", {}, "How the cells were ranked"),
        RANKING.map((line) => el("p", {}, line)),
      ),
    );
    return card;
  },
  markPinned() {
    for (const one of this.heat.querySelectorAll("[data-cell]"))
      one.setAttribute("aria-pressed", String(this.pinned && one.dataset.cell === gridKey(this.pinned)));
  },
  drawCell(width) {
    const measure = `validation ${GRID_MEASURES[core.grid.measure]}`;
    this.gridTitle.textContent = `${gridName(this.cell)}: ${gridText(this.cell)}`;
    const series = core.grid.cells.map((cell) => ({
      name: measure,
      at: 0,
      x: cell.history.epoch ?? [],
      y: cell.history[`validation_${core.grid.measure}`] ?? [],
      faint: cell !== this.cell,
      best: cell.epoch,
    }));
    return lineChart(width, {
      series,
      x: { label: "epoch" },
      y: { label: measure },
      height: 260,
      label: `${measure} over epochs with ${gridName(this.cell)}`,
    });
  },
};

/** What a run changes against the one that it is like. Of a model that is like no other that would be everything. */
function changesText({ kind, like, changes }) {
  if (kind === "model" && !like) return DASH;
  const written = (value) => (typeof value === "object" ? JSON.stringify(value) : value);
  const settings = Object.entries(changes).map(([name, value]) => `${name} ${written(value)}`);
  return [like && `as ${like}`, ...settings].filter(Boolean).join(", ");
}

const RANKING = [
  "Each cell is one run. Its score is that of its best epoch on the validation images, which also chose the epoch, so it flatters every cell.",
  "Intervals and ranks say what other images would change, drawn by groups of similar slices. They do not say what another seed would change.",
  "A rank is a range: the places that other images could give the cell. The ranges of all cells hold together with a probability of 95 %.",
];
// Why a published claim holds in this grid or not, by the code of its reason.
const REASONS = {
  absent: () => "this grid does not have the cell",
  measure: ({ measure }) => `this grid measures ${GRID_MEASURES[measure]}, the study Dice`,
  alone: () => "this grid has no other cell",
  diverged: ({ epoch }) => `it diverged in epoch ${epoch}`,
  behind: ({ better, others }) => `${better} of ${others} other cells are significantly better`,
  tied: ({ tied, others }) => `${tied} of ${others} other cells are not significantly different from it`,
  fewer: ({ cells, published_cells: published }) =>
    `it is better than every other cell of this grid of ${cells}, but the study's had ${published}`,
  ahead: () => "it is significantly better than every other cell",
};

const GRID_MEASURES = { dice: "Dice", accuracy: "accuracy", score: "score" };
const gridName = (cell) => `${cell.optimizer}, rate ${rateText(cell.learning_rate)}`;

/** What a cell reached, with the range of ranks that chance leaves it. */
function gridText(cell) {
  const failed = absent(cell.diverged_at) ? "" : `; diverged in epoch ${cell.diverged_at}`;
  if (absent(cell.score)) return `nothing measured${failed}`;
  const rank = absent(cell.rank_first) ? "" : `, rank ${cell.rank_first} to ${cell.rank_last} of ${core.grid.cells.length}`;
  return `${interval(cell.score, cell.low, cell.high)} in epoch ${cell.epoch}${rank}${failed}`;
}

const gridKey = (cell) => `${cell.optimizer} ${rateText(cell.learning_rate)}`;

"use strict";
// Training: learning curves of all models, and the grid of optimisers and rates.

const CURVES = {
  validation_dice: "validation Dice",
  validation_accuracy: "validation accuracy",
  validation_score: "validation score",
  validation_loss: "validation loss",
  train_loss: "training loss",
  learning_rate: "learning rate",
};
const curveName = (key) => CURVES[key] ?? words(key);

views.training = {
  title: "Training",
  build(host) {
    const drawn = Object.keys(CURVES).filter((key) => core.models.some(({ history }) => history[key]));
    const curve = choice(
      "Curve",
      drawn.map((key) => [key, curveName(key)]),
      (value) => go({ curve: value }),
    );
    this.hidden = new Set();
    this.defaultCurve = drawn[0];
    const ticks = el("fieldset", { class: "series" }, el("legend", {}, "Models"));
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
    core.models.forEach((model, at) => {
      const one = tick("", true, (on) => {
        this.hidden[on ? "delete" : "add"](model.name);
        this.parts.lines.redraw();
      });
      one.element.append(swatchLine(at), model.name);
      one.element.dataset.model = model.name;
      ticks.append(one.element);
    });
  },
  get curve() {
    return core.models.some(({ history }) => history[state.curve]) ? state.curve : this.defaultCurve;
  },
  update() {
    const { parts, curve } = this;
    parts.curve.set(curve);
    for (const label of parts.ticks.querySelectorAll("label")) label.hidden = !modelNamed(label.dataset.model).history[curve];
    parts.lines.redraw();
    parts.note.replaceChildren(
      valueTable(
        `${curveName(curve)}, last and kept epoch`,
        ["model", "epochs", "kept", "value there", "last value"],
        core.models
          .filter(({ history }) => history[curve])
          .map(({ name, history, run }) => {
            const at = history.epoch.indexOf(run.best_epoch);
            return [
              name,
              whole(history.epoch.length),
              whole(run.best_epoch),
              fixed(history[curve][at], 4),
              fixed(history[curve].at(-1), 4),
            ];
          }),
      ),
    );
  },
  drawCurves(width) {
    const { curve } = this;
    const series = core.models
      .map(({ name, history, run }, at) => ({ name, at, x: history.epoch, y: history[curve], best: run.best_epoch }))
      .filter(({ name, y }) => y && !this.hidden.has(name));
    return lineChart(width, {
      series,
      x: { label: "epoch" },
      y: { label: curveName(curve) },
      label: `${curveName(curve)} over epochs of ${series.map(({ name }) => name).join(", ") || "no model"}`,
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
        "Point at a cell, or reach it by the tab key, to see its curve among all the others; press it to keep it. Cells whose ranges of ranks overlap are not told apart.",
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
            `: ${claim.reason}`,
          ),
        ),
      ),
      el(
        "details",
        { class: "values" },
        el("summary", {}, "How the cells were ranked"),
        grid.method.map((line) => el("p", {}, line)),
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

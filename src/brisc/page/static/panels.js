"use strict";
// What several views are built of: the panels of a model, its numbers on a case, thumbnails, and buttons to leaf through.

/** What a model made of a case, in panels: for a mask prediction, overlay and difference, for a class Grad-CAM. */
function modelPanels() {
  const prediction = panel("Prediction"),
    over = panel("Overlay"),
    apart = panel("Difference", { dim: true }),
    cam = panel("Grad-CAM");
  for (const one of [over, cam]) one.element.classList.add("chief");
  return {
    elements: [prediction, over, apart, cam].map(({ element }) => element),
    /** found: {mask, cam} as far as the model has them. */
    draw(index, model, truth, found, opacity) {
      const id = core.cases.id[index];
      for (const one of [prediction, over, apart]) one.element.hidden = !found.mask;
      cam.element.hidden = !found.cam;
      if (found.mask) {
        const hit = overlap(truth, found.mask),
          missed = pixelCount(truth) - hit,
          extra = pixelCount(found.mask) - hit;
        prediction.draw(null, (context) => fill(context, found.mask, "#fff"));
        prediction.describe(`Mask predicted by ${model.name}: ${counted(hit + extra, "pixel")}`);
        over.draw(id, (context) => {
          fill(context, found.mask, INK.prediction, opacity);
          outline(context, truth, INK.truth);
        });
        over.describe(`Prediction of ${model.name} over the slice, the truth as an outline`);
        apart.draw(id, (context) => difference(context, truth, found.mask));
        apart.describe(`Difference: ${hit} pixels right, ${missed} missed, ${extra} false positive`);
      }
      if (found.cam) {
        const guess = words(core.labels[model.cases.predicted[index]]);
        cam.title(`Grad-CAM for ${guess}`);
        cam.draw(id, (context) => heat(context, found.cam, opacity));
        cam.describe(`Where ${model.name} looked for its class ${guess}`);
      }
    },
  };
}

const findings = async (model, index) => ({
  mask: hasHead(model, "mask") ? await maskOf(model, index) : null,
  cam: hasHead(model, "label") ? await camOf(model, index) : null,
});

/** One bar a class; the true one is named, the chosen one marked. */
function probabilityBars(model, index) {
  const truth = core.cases.label[index],
    guess = model.cases.predicted[index];
  return el(
    "div",
    { class: "bars" },
    el(
      "p",
      {},
      el("strong", {}, shownName(model)),
      " ",
      el(
        "span",
        { class: truth === guess ? "right" : "wrong" },
        truth === guess ? "right" : `wrong: ${words(core.labels[guess])}`,
      ),
    ),
    el(
      "ul",
      {},
      core.labels.map((label, at) => {
        const share = model.cases.probabilities[index][at];
        const bar = el("span", { class: "bar", "aria-hidden": "true" });
        bar.style.setProperty("--share", share);
        return el(
          "li",
          { class: at === guess ? "chosen" : null },
          el("span", {}, words(label), at === truth ? " (true)" : ""),
          bar,
          el("span", {}, percent(share)),
        );
      }),
    ),
  );
}

/** The facts of a mask on one case, as [name, value]. */
function maskFacts(model, index) {
  const { dice, iou, hd95_px: distance, boundary_dice: boundary, predicted_pixels: predicted } = model.cases;
  if (isHealthy(index)) {
    return [
      [
        "No tumour here",
        predicted[index] === 0 ? "nothing drawn: right" : `${counted(predicted[index], "pixel")} drawn: false positive`,
      ],
    ];
  }
  return [
    ["Dice", percent(dice[index])],
    ["IoU", percent(iou[index])],
    ["Boundary Dice, 1 px", percent(boundary[index])],
    ["HD95", absent(distance[index]) ? "not defined" : `${fixed(distance[index], 1)} px`],
    ["Predicted area", counted(predicted[index], "pixel")],
  ];
}

const facts = (pairs) =>
  el(
    "dl",
    { class: "facts" },
    pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );

const colourKey = (...names) =>
  el(
    "ul",
    { class: "key", "aria-label": "Colours" },
    names.map(([ink, text]) => el("li", {}, el("span", { class: `swatch ${ink}`, "aria-hidden": "true" }), text)),
  );

/** Thumbnails of a list, a page at a time: the page that holds the chosen one. */
function strip(onchoose) {
  const PAGE = 24;
  const list = el("ol", { class: "thumbs" }),
    place = el("span", {});
  let items = [],
    page = 0,
    drawn = "";
  const turn = (by) => {
    page = Math.max(0, Math.min(Math.ceil(items.length / PAGE) - 1, page + by));
    fillPage();
  };
  const back = button("Previous page", () => turn(-1)),
    forth = button("Next page", () => turn(1));
  let chosen = -1;
  function fillPage() {
    const first = page * PAGE,
      shown = items.slice(first, first + PAGE);
    const wanted = JSON.stringify([first, shown]);
    if (wanted !== drawn) {
      drawn = wanted;
      list.replaceChildren(
        ...shown.map(({ id, text }, at) =>
          el(
            "li",
            {},
            el(
              "button",
              { type: "button", onclick: () => onchoose(first + at) },
              el("img", { src: pictureOf(id), alt: "", loading: "lazy", width: core.size, height: core.size }),
              el("span", { class: "unseen" }, `${id}, `),
              el("span", {}, text),
            ),
          ),
        ),
      );
    }
    [...list.children].forEach((item, at) => {
      if (first + at === chosen) item.firstChild.setAttribute("aria-current", "true");
      else item.firstChild.removeAttribute("aria-current");
    });
    place.textContent = items.length ? `${whole(first + 1)} to ${whole(first + shown.length)} of ${whole(items.length)}` : "none";
    back.disabled = page === 0;
    forth.disabled = first + PAGE >= items.length;
  }
  return {
    element: el(
      "section",
      { class: "strip", "aria-label": "Thumbnails" },
      list,
      el("div", { class: "pager" }, back, place, forth),
    ),
    /** things: [{id, text}]; at: which of them is looked at. */
    show(things, at) {
      items = things;
      chosen = at;
      page = Math.max(0, Math.floor(at / PAGE));
      fillPage();
    },
  };
}

/** Buttons and place of a list that is leafed through; `step(by)` moves, and wraps round at neither end. */
function leaf(step) {
  const place = el("strong", {}),
    name = el("p", { class: "name" });
  const back = button("Previous", () => step(-1), { class: "step", "aria-keyshortcuts": "ArrowLeft" });
  const forth = button("Next", () => step(1), { class: "step", "aria-keyshortcuts": "ArrowRight" });
  return {
    element: el("div", { class: "leaf" }, back, el("p", {}, place), name, forth),
    show(at, length, ...text) {
      place.textContent = length ? `${whole(at + 1)} of ${whole(length)}` : "No such image";
      name.replaceChildren(...text);
      // A button that is switched off would lose the focus to the page.
      back.setAttribute("aria-disabled", String(at <= 0));
      forth.setAttribute("aria-disabled", String(at >= length - 1));
    },
  };
}

const subsetName = (index) =>
  core.cases.clean[index] ? (core.cases.strict[index] ? "clean, strict" : "clean") : "copied: also in train";

function caseName(index) {
  const { id, label, plane } = core.cases;
  return [el("code", {}, id[index]), ` ${words(core.labels[label[index]])}, ${core.planes[plane[index]]}, ${subsetName(index)}`];
}

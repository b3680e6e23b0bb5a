"use strict";
// Copies: a test image and the train image that shows the same slice, flickered.

const RELATIONS = {
  same_bytes: "the same file",
  same_pixels: "the same pixels in another file",
  reencoded: "encoded again",
  mirrored: "mirrored left to right",
};
const SWAP_MS = 450; // two swaps make a flash; three flashes a second are the most that is safe

views.copies = {
  title: "Copies",
  build(host) {
    const relation = choice("Relation", [["", "all relations"], ...Object.entries(RELATIONS)], (value) =>
      go({ relation: value, pair: "" }),
    );
    const label = choice(
      "Class of the test image",
      [["", "all classes"], ...core.labels.map((name) => [name, words(name)])],
      (value) => go({ label: value, pair: "" }),
    );
    const test = panel("Test image"),
      twin = panel("Its twin in train"),
      apart = panel("Difference of the two");
    const under = panel("Both, one over the other"),
      over = panel("");
    under.layer.parentElement.append(over.layer);
    over.layer.classList.add("over");
    apart.layer.append(el("img", { alt: "", class: "against", width: core.size, height: core.size }));
    const blend = slider("Share of the twin", 0, (share) => {
      this.stop();
      this.blend(share);
    });
    const flicker = button("Flicker", () => this.flicker(), { "aria-pressed": "false", class: "main", "aria-keyshortcuts": "f" });
    const swap = button("Swap", () => {
      this.stop();
      this.swap();
    });
    const turned = tick("Turn mirrored twins back", true, () => this.update());
    const outlines = tick("Outline the tumours", true, () => this.paint());
    const leaves = leaf((by) => this.step(by));
    const about = el("div", { class: "about" });
    const empty = el("p", { class: "empty" }, "No such copies.");
    const thumbs = strip((at) => go({ pair: this.nameOf(this.list[at]) }));
    const lead = el("p", { class: "lead" });
    const panels = el("div", { class: "panels copies", id: "twins" }, test.element, twin.element, under.element, apart.element);
    const controls = el("div", { class: "under" }, flicker, swap, blend.element, turned.element, outlines.element);
    host.append(
      lead,
      el("form", { class: "filters", "aria-label": "Filters" }, relation.element, label.element),
      leaves.element,
      empty,
      panels,
      controls,
      about,
      thumbs.element,
    );
    this.parts = {
      relation,
      label,
      test,
      twin,
      apart,
      under,
      over,
      blend,
      flicker,
      swap,
      turned,
      outlines,
      leaves,
      about,
      empty,
      thumbs,
      lead,
      panels,
      controls,
    };
    this.list = [];
    matchMedia("(prefers-reduced-motion: reduce)").addEventListener("change", () => {
      this.stop();
      this.update();
    });
  },
  leave() {
    this.stop();
  },
  step(by) {
    const next = Math.max(0, Math.min(this.list.length - 1, this.place + by));
    if (next !== this.place && this.list.length) go({ pair: this.nameOf(this.list[next]) });
  },
  jump(end) {
    this.step(end * this.list.length);
  },
  nameOf(pair) {
    const { pairs, twins } = this.data;
    return `${core.cases.id[pairs.case[pair]]}+${twins.id[pairs.twin[pair]]}`;
  },
  async update() {
    const { parts } = this;
    this.data = await load("copies");
    const { pairs, twins } = this.data;
    parts.relation.set(state.relation);
    parts.label.set(state.label);
    parts.relation.refill([
      ["", "all relations"],
      ...Object.entries(RELATIONS).filter(([name]) => pairs.relation.includes(name)),
    ]);
    parts.relation.set(state.relation);
    parts.lead.replaceChildren(...this.lead());
    this.list = [...pairs.case.keys()].filter(
      (pair) =>
        (state.relation === "" || pairs.relation[pair] === state.relation) &&
        (state.label === "" || core.labels[core.cases.label[pairs.case[pair]]] === state.label),
    );
    // An address names a pair, or a test image alone: then its first pair.
    this.place = Math.max(
      0,
      this.list.findIndex((pair) => this.nameOf(pair) === state.pair || core.cases.id[pairs.case[pair]] === state.pair),
    );
    const pair = this.list[this.place],
      none = pair === undefined;
    parts.empty.hidden = !none;
    for (const part of [parts.panels, parts.controls, parts.about]) part.hidden = none;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    parts.flicker.hidden = still;
    parts.thumbs.show(
      this.list.map((one) => ({
        id: core.cases.id[pairs.case[one]],
        text: RELATIONS[pairs.relation[one]] ?? words(pairs.relation[one]),
      })),
      this.place,
    );
    parts.leaves.show(this.place, this.list.length, ...(none ? [] : caseName(pairs.case[pair]).slice(0, 1)));
    if (none) return;
    state.pair = this.nameOf(pair);
    const index = pairs.case[pair],
      other = pairs.twin[pair];
    const turn = (this.turn = {});
    const [truth] = await Promise.all([truthOf(index), ready(core.cases.id[index]), ready(twins.id[other])]);
    if (turn !== this.turn) return;
    const mirrored = pairs.mirrored[pair] === 1,
      back = mirrored && parts.turned.input.checked;
    this.shown = { index, other, truth, mask: decodeMask(twins.mask[other]), mirrored, back, pair };
    parts.turned.input.disabled = !mirrored;
    this.paint();
    this.blend(Number(parts.blend.input.value) / 100);
    this.describe();
  },
  lead() {
    const { audit } = core;
    if (!audit?.test_with_copy_in_train) return ["Test images whose slice is also in train."];
    const { total } = audit.test_with_copy_in_train;
    const by = Object.entries(audit.test_with_copy_in_train_by_relation ?? {})
      .filter(([, n]) => n > 0)
      .map(([name, n]) => `${whole(n)} ${RELATIONS[name] ?? words(name)}`)
      .join(", ");
    return [
      el("strong", {}, `${whole(total)} of ${whole(core.cases.id.length)} test images are also in train`),
      by ? `: ${by}. ` : ". ",
      "The subset clean leaves them out.",
    ];
  },
  paint() {
    if (!this.shown) return;
    const { parts } = this,
      { index, other, truth, mask, back } = this.shown,
      twinId = this.data.twins.id[other];
    const lined = parts.outlines.input.checked;
    zoomTo(parts.panels, []);
    const drawTest = (context) => {
      if (lined) outline(context, truth, INK.truth);
    };
    const drawTwin = (context) => {
      if (lined) outline(context, mask, INK.prediction);
    };
    parts.test.draw(core.cases.id[index], drawTest);
    parts.twin.draw(twinId, drawTwin);
    parts.under.draw(core.cases.id[index], drawTest);
    parts.over.draw(twinId, drawTwin);
    parts.apart.draw(core.cases.id[index]);
    const against = parts.apart.layer.querySelector(".against");
    if (against.getAttribute("src") !== pictureOf(twinId)) against.src = pictureOf(twinId);
    for (const one of [parts.twin, parts.over]) one.mirror(back);
    against.classList.toggle("mirrored", back);
    parts.test.describe(`Test image ${core.cases.id[index]}`);
    parts.twin.describe(`Train image ${twinId}${back ? ", turned back" : ""}`);
    parts.under.describe("Test image and twin, one over the other");
    parts.apart.describe("Absolute difference of test image and twin; black where they agree");
    parts.twin.title(`Its twin in train${back ? ", turned back" : ""}`);
    parts.panels.dataset.pair = this.nameOf(this.shown.pair);
  },
  describe() {
    const { index, other, truth, mask, mirrored, pair } = this.shown,
      { pairs, twins } = this.data;
    const label = core.labels[core.cases.label[index]],
      twinLabel = core.labels[twins.label[other]];
    const size = core.size;
    const facing = mirrored ? mask.map((_, at) => mask[at - (at % size) + size - 1 - (at % size)]) : mask;
    const total = pixelCount(truth) + pixelCount(mask);
    const agreement = total === 0 ? "both empty" : `Dice ${percent((2 * overlap(truth, facing)) / total)}`;
    this.parts.about.replaceChildren(
      el(
        "section",
        {},
        el("h3", {}, "This pair"),
        facts([
          ["Relation", RELATIONS[pairs.relation[pair]] ?? words(pairs.relation[pair])],
          ["Similarity", fixed(pairs.similarity[pair], 3)],
          ["Twin", el("code", {}, twins.id[other])],
          ["Used for", twins.split[other]],
          ["Class", label === twinLabel ? words(label) : `${words(label)} in test, ${words(twinLabel)} in train`],
          ["Agreement of their masks", agreement],
        ]),
        el(
          "p",
          { class: "links" },
          el("a", { href: address("cases", { case: core.cases.id[index] }) }, "See what the models make of it"),
        ),
      ),
    );
    announce(
      `${this.place + 1} of ${this.list.length}: ${core.cases.id[index]} and ${twins.id[other]}, ${RELATIONS[pairs.relation[pair]] ?? ""}`,
    );
  },
  blend(share) {
    this.parts.over.layer.style.opacity = share;
    this.parts.under.title(share === 0 ? "Test" : share === 1 ? "Train" : "Both, one over the other");
  },
  swap() {
    const share = Number(this.parts.blend.input.value) < 50 ? 1 : 0;
    this.parts.blend.input.value = 100 * share;
    this.blend(share);
  },
  flicker() {
    if (this.timer) this.stop();
    else {
      this.timer = setInterval(() => this.swap(), SWAP_MS);
      this.parts.flicker.setAttribute("aria-pressed", "true");
    }
  },
  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.parts?.flicker.setAttribute("aria-pressed", "false");
  },
};

"use strict";
// What is looked at, in the fragment of the address: #view?key=value. A copied address shows the same thing.

const HOME = "cases";
const DEFAULTS = {
  case: "",
  model: "",
  other: "",
  label: "",
  plane: "",
  subset: "official",
  sort: "file",
  order: "spread",
  classifier: "",
  truth: "",
  predicted: "",
  page: "1",
  curve: "",
  cost: "parameters",
  quality: "official",
  pair: "",
  relation: "",
};
const KEYS = {
  cases: ["case", "model", "label", "plane", "subset", "sort"],
  compare: ["case", "model", "other", "label", "plane", "subset", "order"],
  classes: ["classifier", "subset", "truth", "predicted", "page"],
  training: ["curve"],
  cost: ["cost", "quality"],
  copies: ["pair", "relation", "label"],
};

// Words of an address that name something of this page; anything else in their place is taken for the default.
const KNOWN = {
  label: () => core.labels,
  plane: () => core.planes,
  subset: () => Object.keys(SUBSETS),
  quality: () => core.subsets,
  truth: () => core.labels,
  predicted: () => core.labels,
  case: () => core.cases.id,
  model: () => core.models.map(({ name }) => name),
  other: () => core.models.map(({ name }) => name),
  classifier: () => modelsWith("label").map(({ name }) => name),
};

const state = { view: HOME, ...DEFAULTS };
let drawAll = () => {};
let writing;

/** The address of a view as a link would have it. */
function address(view, patch = {}) {
  const query = new URLSearchParams();
  for (const key of KEYS[view]) {
    const value = String(patch[key] ?? DEFAULTS[key]);
    if (value !== DEFAULTS[key]) query.set(key, value);
  }
  return `#${view}${query.size ? `?${query}` : ""}`;
}

function readAddress() {
  const [view, query = ""] = location.hash.slice(1).split("?");
  const given = new URLSearchParams(query);
  state.view = Object.hasOwn(KEYS, view) ? view : HOME;
  for (const key of KEYS[state.view]) {
    const value = given.get(key) ?? DEFAULTS[key];
    state[key] = Object.hasOwn(KNOWN, key) && !KNOWN[key]().includes(value) ? DEFAULTS[key] : value;
  }
}

/** Change what is looked at and draw it. The address follows a moment later: a browser refuses hundreds of changes in a row. */
function go(patch) {
  Object.assign(state, patch);
  drawAll();
  clearTimeout(writing);
  writing = setTimeout(() => history.replaceState(null, "", address(state.view, state)), 150);
}

/** Draw at every change of the address by a link, by hand or by going back; those that `go` makes are not told. */
function followAddress(draw) {
  drawAll = draw;
  addEventListener("hashchange", () => {
    clearTimeout(writing);
    readAddress();
    drawAll();
  });
  readAddress();
  drawAll();
}

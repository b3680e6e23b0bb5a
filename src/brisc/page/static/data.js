"use strict";
// The data of the page and how it gets here. A page opened from disk may run scripts but not fetch files, so each file of
// page/data/ is a script that calls receive(its name, its content). core.js comes with the page, the others when needed.

let core;
const slots = new Map();

function slot(name) {
  if (!slots.has(name)) {
    const made = {};
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
    slots.set(name, made);
  }
  return slots.get(name);
}

function receive(name, content) {
  if (name === "core") core = content;
  slot(name).resolve(content);
}

/** The content of page/data/<name>.js; its script is added once. Rejects if there is no such file. */
function load(name) {
  const known = slots.has(name);
  const { promise, reject } = slot(name);
  if (!known) {
    const script = document.createElement("script");
    script.src = `page/data/${name}.js`;
    script.onerror = () => {
      slots.delete(name);
      reject(new Error(`page/data/${name}.js cannot be read`));
    };
    document.head.append(script);
  }
  return promise;
}

const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** Run lengths (see encode.py) to size * size bytes of 0 or 1, row after row. */
function decodeMask(text, size = core.size) {
  const mask = new Uint8Array(size * size);
  let at = 0,
    value = 0,
    run = 0,
    shift = 0;
  for (const byte of bytes(text)) {
    run |= (byte & 127) << shift;
    shift += 7;
    if (byte & 128) continue;
    if (value) mask.fill(1, at, at + run);
    at += run;
    value ^= 1;
    run = shift = 0;
  }
  return mask;
}

const truthOf = async (index) => decodeMask((await load("truth"))[index]);
const maskOf = async (model, index) => decodeMask((await load(`masks-${model.name}`))[index]);

/** The Grad-CAM of one case: {height, width, values}, values 0..255. */
async function camOf(model, index) {
  const maps = await load(`cam-${model.name}`);
  maps.bytes ??= bytes(maps.data);
  const length = maps.height * maps.width;
  return { height: maps.height, width: maps.width, values: maps.bytes.subarray(index * length, (index + 1) * length) };
}

/** A run as it is told of: with a star where the study has not its architecture. */
const shownName = ({ name, of_study }) => (of_study ? name : `${name}*`);
const modelNamed = (name) => core.models.find((model) => model.name === name);
const modelsWith = (head) => core.models.filter((model) => model.heads.includes(head));
const hasHead = (model, head) => model.heads.includes(head);
const isHealthy = (index) => core.labels[core.cases.label[index]] === core.healthy;

// What the subsets of test are called here, and "copied", which is what "clean" leaves out.
const SUBSETS = {
  official: { title: "all test images", holds: () => true },
  clean: { title: "clean: no copy in train", holds: (index) => core.cases.clean[index] === 1 },
  copied: { title: "copied: also in train", holds: (index) => core.cases.clean[index] === 0 },
  strict: { title: "strict: no neighbour either", holds: (index) => core.cases.strict[index] === 1 },
};

/** Indices of the cases that pass the filters; an empty filter lets all pass. */
function selectCases({ label = "", plane = "", subset = "official" }) {
  const { label: labels, plane: planes } = core.cases;
  return [...core.cases.id.keys()].filter(
    (index) =>
      (label === "" || core.labels[labels[index]] === label) &&
      (plane === "" || core.planes[planes[index]] === plane) &&
      SUBSETS[subset].holds(index),
  );
}

/** How well a model does on a case: Dice of a tumour slice, else the probability of the true class; null where neither is defined. */
function scoreOf(model, index) {
  if (hasHead(model, "mask") && !isHealthy(index)) return model.cases.dice[index];
  if (hasHead(model, "label")) return model.cases.probabilities[index][core.cases.label[index]];
  return null;
}

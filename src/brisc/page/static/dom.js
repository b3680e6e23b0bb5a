"use strict";
// Elements, words and numbers.

/** An element. Attributes: `on...` is a listener, true and false set and drop the attribute, null is left out. */
function el(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A labelled <select>. options: [[value, text], ...]. `set` chooses a value, `refill` replaces the options. */
function choice(label, options, onchange) {
  const select = el("select", { onchange: () => onchange(select.value) });
  const refill = (pairs) =>
    select.replaceChildren(...pairs.map(([value, text, disabled = false]) => el("option", { value, disabled }, text)));
  refill(options);
  return {
    element: el("label", { class: "field" }, el("span", {}, label), select),
    select,
    refill,
    set: (value) => {
      select.value = value;
    },
  };
}

function tick(label, checked, onchange) {
  const input = el("input", { type: "checkbox", checked, onchange: () => onchange(input.checked) });
  return { element: el("label", { class: "tick" }, input, el("span", {}, label)), input };
}

function slider(label, value, oninput) {
  const input = el("input", { type: "range", min: 0, max: 100, value, oninput: () => oninput(Number(input.value) / 100) });
  return { element: el("label", { class: "field slide" }, el("span", {}, label), input), input };
}

const button = (text, onclick, attributes = {}) => el("button", { type: "button", onclick, ...attributes }, text);

/** A table with a caption. head: texts; rows: arrays whose first cell heads its row; a cell is a text or an element. */
function table(caption, head, rows, attributes = {}) {
  const cell = (tag, content, more = {}) => el(tag, more, content);
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el(
      "table",
      attributes,
      el("caption", {}, el("div", {}, caption, phantomTag())),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          head.map((text) => cell("th", text, { scope: "col" })),
        ),
      ),
      el(
        "tbody",
        {},
        rows.map(([first, ...rest]) =>
          el(
            "tr",
            {},
            cell("th", first, { scope: "row" }),
            rest.map((content) => cell("td", content)),
          ),
        ),
      ),
    ),
  );
}

const MINUS = "\u2212",
  DASH = "\u2013",
  THIN = "\u202f";
const signed = (text) => (Number(text) === 0 ? text.replace("-", "") : text.replace("-", MINUS));
const absent = (value) => value === null || value === undefined;
const percent = (fraction, digits = 1) => (absent(fraction) ? DASH : `${signed((100 * fraction).toFixed(digits))}${THIN}%`);
const points = (fraction) => (absent(fraction) ? DASH : signed((100 * fraction).toFixed(1)));
const fixed = (value, digits = 2) => (absent(value) ? DASH : signed(value.toFixed(digits)));
const whole = (value) => (absent(value) ? DASH : value.toLocaleString("en").replaceAll(",", THIN));
const interval = (value, low, high) =>
  absent(low) || absent(high) ? percent(value) : `${percent(value)} [${points(low)}, ${points(high)}]`;
const words = (name) => name.replaceAll("_", " ");
const counted = (number, noun) => `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;
const rateText = (rate) => Number(rate).toExponential().replace("e-", `e${MINUS}`);

/** A number with three significant digits and k, M or G. */
function compact(value) {
  if (absent(value)) return DASH;
  const [scale, unit] = [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
    [1, ""],
  ].find(([least]) => Math.abs(value) >= least) ?? [1, ""];
  return `${Number((value / scale).toPrecision(3))}${unit ? THIN : ""}${unit}`;
}

/** What is made of phantoms says so wherever it may be cut out of the page. */
const phantomTag = () => (core.phantom ? el("span", { class: "phantom" }, "phantom") : null);

const caption = (...content) => el("figcaption", {}, ...content, phantomTag());

let announcing;
/** Tell a screen reader, once things have settled. */
function announce(text) {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    document.getElementById("status").textContent = text;
  }, 250);
}

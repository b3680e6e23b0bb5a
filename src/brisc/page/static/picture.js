"use strict";
// Slices and what is drawn over them. Pixels of a picture from disk may not be read, so masks come as data and are drawn here.

const GRAIN = Math.max(2, Math.round(512 / core.size)); // canvas pixels to a pixel of the mask
const SIDE = core.size * GRAIN;
const INK = Object.fromEntries(
  ["truth", "prediction", "hit", "missed", "false-positive", "other"].map((name) => [
    name,
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(),
  ]),
);
// Grad-CAM from nothing over violet and orange to pale yellow: lightness rises all the way, as in matplotlib's inferno.
const HEAT = [
  [0, 0, 4],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];

const pictureOf = (id) => `page/images/${id}.webp`;

/** Resolves once a picture can be drawn without a gap. */
async function ready(id) {
  const picture = new Image();
  picture.src = pictureOf(id);
  await picture.decode().catch(() => {
    throw new Error(`${picture.getAttribute("src")} cannot be read`);
  });
}

/** A square with a slice and a canvas over it. `draw(id, paint)`: the slice (null: black) and what is painted over it. */
function panel(title, { dim = false, mirrored = false } = {}) {
  const image = el("img", { alt: "", draggable: "false", width: core.size, height: core.size });
  const canvas = el("canvas", { width: SIDE, height: SIDE });
  const layer = el("div", { class: `layer${dim ? " dim" : ""}` }, image, canvas);
  const view = el("div", { class: "stage", role: "img", "aria-label": title }, layer);
  const name = el("span", {}, title);
  const context = canvas.getContext("2d");
  const self = {
    element: el("figure", { class: "panel" }, view, caption(name)),
    layer,
    title(text) {
      name.textContent = text;
    },
    describe(text) {
      view.setAttribute("aria-label", text);
    },
    draw(id, paint = () => {}) {
      image.hidden = id === null;
      if (id !== null && image.getAttribute("src") !== pictureOf(id)) image.src = pictureOf(id);
      context.clearRect(0, 0, SIDE, SIDE);
      context.globalAlpha = 1;
      paint(context);
    },
    mirror(on) {
      layer.classList.toggle("mirrored", on);
    },
  };
  self.mirror(mirrored);
  return self;
}

/** Call `each(x, y, length)` for every run of pixels of a mask that `keep(index)` holds for. */
function runs(mask, keep, each) {
  const size = core.size;
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const start = x;
      while (x < size && keep(y * size + x)) x += 1;
      if (x > start) each(start, y, x - start);
    }
  }
}

function fill(context, mask, colour, alpha = 1, keep = (index) => mask[index]) {
  context.fillStyle = colour;
  context.globalAlpha = alpha;
  runs(mask, keep, (x, y, length) => context.fillRect(x * GRAIN, y * GRAIN, length * GRAIN, GRAIN));
  context.globalAlpha = 1;
}

/** Every second pixel, so that missed and false positive pixels differ by more than their colour. */
const chequered = (index) => ((index % core.size) + Math.floor(index / core.size)) % 2 === 0;

let zoom = 1; // of the slices that are drawn now, see zoomTo

/** The border of a mask, dark below so that it shows on any grey; a little thicker on an enlarged slice. */
function outline(context, mask, colour) {
  const size = core.size,
    path = new Path2D();
  const inside = (x, y) => x >= 0 && y >= 0 && x < size && y < size && mask[y * size + x];
  const line = (x1, y1, x2, y2) => {
    path.moveTo(x1 * GRAIN, y1 * GRAIN);
    path.lineTo(x2 * GRAIN, y2 * GRAIN);
  };
  for (let y = 0; y <= size; y += 1) {
    for (let x = 0; x <= size; x += 1) {
      if (!inside(x, y) !== !inside(x - 1, y)) line(x, y, x, y + 1);
      if (!inside(x, y) !== !inside(x, y - 1)) line(x, y, x + 1, y);
    }
  }
  context.lineCap = "round";
  for (const [width, stroke] of [
    [7, "#000"],
    [3.5, colour],
  ]) {
    context.lineWidth = width / Math.sqrt(zoom);
    context.strokeStyle = stroke;
    context.stroke(path);
  }
}

/** Truth against prediction: both, only the truth (chequered), only the prediction. */
function difference(context, truth, predicted, ink = ["hit", "missed", "false-positive"]) {
  fill(context, truth, INK[ink[0]], 0.85, (index) => truth[index] && predicted[index]);
  fill(context, truth, INK[ink[1]], 0.45, (index) => truth[index] && !predicted[index]);
  fill(context, truth, INK[ink[1]], 1, (index) => truth[index] && !predicted[index] && chequered(index));
  fill(context, truth, INK[ink[2]], 0.95, (index) => !truth[index] && predicted[index]);
}

function heat(context, cam, opacity) {
  const small = new OffscreenCanvas(cam.width, cam.height);
  const pixels = new ImageData(cam.width, cam.height);
  cam.values.forEach((value, index) => {
    const place = (value / 255) * (HEAT.length - 1),
      from = Math.min(Math.floor(place), HEAT.length - 2),
      share = place - from;
    HEAT[from].forEach((low, channel) => {
      pixels.data[4 * index + channel] = low + share * (HEAT[from + 1][channel] - low);
    });
    pixels.data[4 * index + 3] = Math.round(255 * opacity * Math.min(1, 0.25 + value / 255));
  });
  small.getContext("2d").putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, SIDE, SIDE);
}

const pixelCount = (mask) => mask.reduce((sum, value) => sum + value, 0);
const overlap = (one, two) => one.reduce((sum, value, index) => sum + (value & two[index]), 0);

/** Enlarge all layers below `host` around what the masks hold, or show whole slices where they hold nothing. Call before drawing. */
function zoomTo(host, masks) {
  const size = core.size;
  let left = size,
    right = 0,
    top = size,
    bottom = 0;
  for (const mask of masks) {
    runs(
      mask,
      (index) => mask[index],
      (x, y, length) => {
        left = Math.min(left, x);
        right = Math.max(right, x + length);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y + 1);
      },
    );
  }
  const empty = right <= left;
  const scale = empty ? 1 : Math.max(1, Math.min(5, (0.6 * size) / Math.max(right - left, bottom - top)));
  const shift = (low, high) => (empty ? 0 : Math.min(0, Math.max(1 - scale, 0.5 - (scale * (low + high)) / 2 / size)));
  zoom = scale;
  host.style.setProperty("--zoom", scale);
  host.style.setProperty("--left", `${100 * shift(left, right)}%`);
  host.style.setProperty("--top", `${100 * shift(top, bottom)}%`);
}

"use strict";
// The page: views, keys, theme.

const KEYS_HELP = [
  ["\u2190 \u2192", "previous and next case, pair or page"],
  ["Home End", "first and last"],
  ["o", "overlay on and off"],
  ["z", "zoom to the tumour"],
  ["f", "flicker a copy"],
  ["1 to 6", "views"],
  ["?", "this list"],
];

function startPage() {
  const main = document.getElementById("main"),
    nav = document.getElementById("nav");
  document.getElementById("notice").textContent = `${core.notice}.`;
  const rooms = {},
    links = {};
  for (const [name, view] of Object.entries(views)) {
    rooms[name] = el(
      "section",
      { class: "view", id: `view-${name}`, hidden: true, "aria-labelledby": `title-${name}` },
      el("h2", { id: `title-${name}`, tabindex: -1 }, view.title, phantomTag()),
    );
    links[name] = el("a", { href: address(name) }, view.title);
    main.append(rooms[name]);
  }
  nav.append(
    el(
      "ul",
      {},
      Object.values(links).map((link) => el("li", {}, link)),
    ),
  );
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  main.prepend(problem);
  document.getElementById("foot").replaceChildren(...footer());

  let current = null;
  followAddress(async () => {
    const view = views[state.view],
      room = rooms[state.view];
    if (current !== view) {
      current?.leave?.();
      for (const [name, other] of Object.entries(rooms)) {
        other.hidden = name !== state.view;
        if (name === state.view) links[name].setAttribute("aria-current", "page");
        else links[name].removeAttribute("aria-current");
      }
      // The first view is not a change of view: the focus stays where the browser put it.
      if (current) {
        room.querySelector("h2").focus({ preventScroll: true });
        scrollTo(0, 0);
      }
      current = view;
      document.title = `${core.phantom ? "Phantoms: " : ""}${view.title}, BRISC study, ${core.profile}`;
      if (!view.built) {
        view.build(room);
        view.built = true;
        // Filters are no form to send.
        for (const form of room.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());
      }
    }
    try {
      await view.update();
      problem.hidden = true;
    } catch (error) {
      problem.textContent = `This cannot be shown: ${error.message}. Was the folder "page" moved or copied as a whole?`;
      problem.hidden = false;
      console.error(error);
    }
    // A link to another view takes along what is looked at here.
    for (const [name, link] of Object.entries(links)) link.setAttribute("href", address(name, state));
    if (!performance.getEntriesByName("first-view").length) performance.mark("first-view");
  });

  theme(document.getElementById("theme"));
  const letters = help(document.getElementById("keys"));
  addEventListener("keydown", (event) => {
    if (
      event.ctrlKey ||
      event.altKey ||
      event.metaKey ||
      event.target.closest?.("input, select, textarea, dialog, summary, .scroll")
    )
      return;
    const act = keyAction(event.key, current, letters.input.checked);
    if (act) {
      event.preventDefault();
      act();
    }
  });
}

/** What a key does in a view. `letters`: whether keys without a modifier other than arrows count; some people speak to their browser. */
function keyAction(key, view, letters) {
  const step = (by) => (view.step ? () => view.step(by) : view.turnPage ? () => pageBy(view, by) : null);
  const press = (input) => input && (() => input.click());
  const moves = {
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    Home: () => view.jump && (() => view.jump(-1)),
    End: () => view.jump && (() => view.jump(1)),
  };
  if (Object.hasOwn(moves, key)) return moves[key]();
  if (!letters) return null;
  const { opacity, close, flicker } = view.parts ?? {};
  const shown = {
    o: opacity && (() => toggleOpacity(opacity.input)),
    z: press(close?.input),
    f: flicker && !flicker.hidden ? press(flicker) : null,
  };
  if (Object.hasOwn(shown, key)) return shown[key];
  const name = Object.keys(views)[Number(key) - 1];
  if (name)
    return () => {
      location.hash = address(name, state);
    };
  return key === "?" ? () => document.getElementById("keys").click() : null;
}

function pageBy(view, by) {
  const { back, forth } = view.parts;
  if (!(by < 0 ? back : forth).disabled) view.turnPage(by);
}

function toggleOpacity(input) {
  const before = input.dataset.before ?? "45";
  if (input.value === "0") input.value = before;
  else {
    input.dataset.before = input.value;
    input.value = "0";
  }
  input.dispatchEvent(new Event("input"));
}

function help(opener) {
  const letters = tick("Letter keys are on", true, () => {});
  const dialog = el(
    "dialog",
    { "aria-labelledby": "keys-title" },
    el("h2", { id: "keys-title" }, "Keys"),
    facts(KEYS_HELP.map(([key, does]) => [el("kbd", {}, key), does])),
    letters.element,
    button("Close", () => dialog.close(), { class: "main" }),
  );
  document.body.append(dialog);
  opener.addEventListener("click", () => dialog.showModal());
  return letters;
}

/** Light, dark or as the system has it; kept for the next visit where the browser allows it. */
function theme(opener) {
  const THEMES = ["auto", "light", "dark"];
  let at = 0;
  try {
    at = Math.max(0, THEMES.indexOf(localStorage.getItem("theme")));
  } catch {
    /* no storage for pages from disk */
  }
  const show = () => {
    document.documentElement.dataset.theme = THEMES[at];
    opener.textContent = `Theme: ${THEMES[at]}`;
  };
  opener.addEventListener("click", () => {
    at = (at + 1) % THEMES.length;
    try {
      localStorage.setItem("theme", THEMES[at]);
    } catch {
      /* as above */
    }
    show();
  });
  show();
}

function footer() {
  const { provenance, cases, models } = core;
  const copied = cases.clean.filter((flag) => flag === 0).length;
  return [
    el(
      "p",
      {},
      `${counted(cases.id.length, "test image")} at ${core.size} px, ${copied} of them also in train; ${counted(models.length, "model")}. `,
      models.every((model) => model.of_study) ? "" : "*: not of the study. ",
      `Data ${provenance.data.fingerprint.slice(0, 10)}. ${core.notice}.`,
    ),
    el("p", {}, el("a", { href: "copies/index.html" }, "Contact sheets of all copies")),
  ];
}

startPage();

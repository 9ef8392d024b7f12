/* The window explorer: a small table in which the cells of one window light up.
 *
 * It takes the place of the picture in the cell tagged "window-explorer", and that picture stays
 * where there is no JavaScript. The rules are in window_rules.js; here they are only drawn.
 * No library, no network, no build step.
 */
"use strict";

(() => {
  const rules = window.tsfWindowRules;
  const STEP_MS = 900;
  const HINTS = {
    lookback: "rows that go in",
    horizon: "rows that come out",
    lead: "rows from the last input to the first target",
    stride: "rows from one window to the next",
    rows: "length of the table",
  };
  const ROLE_WORDS = {
    target: "target",
    past: "past covariate",
    future: "future covariate",
    static: "static covariate",
    none: "not used",
  };
  const ARRAYS = {
    // the word in a cell, what the legend says, the axes
    X: ["input", "X: what goes in", ["samples", "lookback", "inputs"]],
    y: ["target", "y: what should come out", ["samples", "horizon", "targets"]],
    future: ["known ahead", "future: known at the target steps", ["samples", "horizon", "future"]],
    static: ["static", "static: one value, read once", ["samples", "static"]],
  };
  const parallel = { a: "target", b: "target", c: "target", site: "none" };
  const single = { a: "target", b: "none", c: "none", site: "none" };
  const nowcast = { a: "past", b: "past", c: "target", site: "none" };
  const STARTS = {
    "one series": { roles: single },
    "one series, several steps ahead": { roles: single, horizon: 2 },
    "several series": { roles: parallel },
    "several series, several steps ahead": { roles: parallel, horizon: 2 },
    "multiple input, same time step": { roles: nowcast, lead: 0, history: false },
    "multiple input, several steps": { roles: nowcast, lead: 0, history: false, horizon: 2 },
    "a column known ahead": { roles: { ...single, b: "future" }, horizon: 2 },
    "all four roles": { roles: { a: "target", b: "past", c: "future", site: "static" }, horizon: 2 },
  };
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");

  /** An element with attributes and children; a function is a listener. */
  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") node.addEventListener(name, value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }

  function defaults() {
    const sizes = Object.entries(rules.SIZES).map(([name, [, , first]]) => [name, first]);
    return { ...Object.fromEntries(sizes), history: true, roles: { ...parallel } };
  }

  /** "row 3", "rows 3 and 4" or "rows 3 to 5". */
  function rowWords(first, count) {
    if (count === 1) return `row ${first}`;
    return `rows ${first} ${count === 2 ? "and" : "to"} ${first + count - 1}`;
  }

  /** The numbers of an array as NumPy prints them. */
  function asNumPy(lines) {
    const wide = Math.max(...lines.flat().map((number) => String(number).length));
    const rows = lines.map((line) => `[${line.map((number) => String(number).padStart(wide)).join(" ")}]`);
    return `[${rows.join("\n ")}]`;
  }

  function explorer(picture) {
    let settings = defaults();
    let number = 0; // of the window that is shown
    let timer = null;

    // --- the parts ---------------------------------------------------------------------------
    const head = make("tr");
    const body = make("tbody");
    const table = make(
      "div",
      { class: "we-table", tabindex: "0", role: "group", "aria-label": "The table. The left and right arrow keys move the window.", keydown: steer },
      make(
        "table",
        {},
        make("caption", { class: "we-hidden" }, "The table, with the cells of one window marked"),
        make("thead", {}, head),
        body,
      ),
    );
    const legend = make("ul", { class: "we-legend", "aria-label": "What the marks mean" });
    const back = make("button", { type: "button", class: "we-back", "aria-label": "Previous window", click: () => show(number - 1) }, "◀");
    const play = make("button", { type: "button", class: "we-play", click: () => (timer ? pause() : run()) }, "Play");
    const next = make("button", { type: "button", class: "we-next", "aria-label": "Next window", click: () => show(number + 1) }, "▶");
    const place = make("input", { type: "range", id: "we-window", min: "0", step: "1", input: () => show(Number(place.value)) });
    const where = make("p", { class: "we-where", "aria-live": "polite" });
    const summary = make("p", { class: "we-summary", role: "status", "aria-live": "polite" });
    const rule = make("p", { class: "we-rule" });
    const shapes = make("div", { class: "we-arrays" });
    const call = make("code", {});
    const copied = make("span", { class: "we-copied", role: "status" });
    const copy = make("button", { type: "button", class: "we-copy", click: copyCall }, "Copy");

    const sliders = Object.entries(rules.SIZES).map(([name, [least, most]]) => {
      const input = make("input", {
        ...{ type: "range", id: `we-${name}`, min: String(least), max: String(most), step: "1" },
        ...{ "aria-describedby": `we-${name}-hint`, input: () => set({ [name]: Number(input.value) }) },
      });
      const output = make("output", { for: `we-${name}` });
      return { name, input, output };
    });
    const history = make("input", { type: "checkbox", id: "we-history", change: () => set({ history: history.checked }) });
    const selects = rules.COLUMNS.map((name) => {
      const select = make(
        "select",
        { id: `we-role-${name}`, change: () => set({ roles: { ...settings.roles, [name]: select.value } }) },
        ...rules.ROLES.map((role) => make("option", { value: role }, ROLE_WORDS[role])),
      );
      return { name, select };
    });
    const start = make(
      "select",
      { id: "we-start", change: () => STARTS[start.value] && set({ ...defaults(), ...STARTS[start.value] }) },
      make("option", { value: "" }, "your own"),
      ...Object.keys(STARTS).map((name) => make("option", { value: name }, name)),
    );

    const root = make(
      "div",
      { class: "window-explorer", role: "group", "aria-label": "Window explorer" },
      make("p", { class: "we-start" }, make("label", { for: "we-start" }, "Start from"), start),
      make(
        "div",
        { class: "we-left" },
        table,
        legend,
        make(
          "div",
          { class: "we-steps" },
          make("div", { class: "we-buttons" }, back, play, next),
          make("label", { for: "we-window", class: "we-hidden" }, "window"),
          place,
        ),
        where,
        summary,
        rule,
      ),
      make(
        "div",
        { class: "we-right" },
        make(
          "fieldset",
          {},
          make("legend", {}, "How to cut"),
          ...sliders.map(({ name, input, output }) =>
            make(
              "div",
              { class: "we-slider" },
              make("label", { for: input.id }, name),
              input,
              output,
              make("span", { class: "we-hint", id: `${input.id}-hint` }, HINTS[name]),
            ),
          ),
        ),
        make(
          "fieldset",
          {},
          make("legend", {}, "What each column is"),
          make(
            "div",
            { class: "we-roles" },
            ...selects.map(({ name, select }) =>
              make("div", {}, make("label", { for: select.id }, make("code", {}, name)), select),
            ),
          ),
          make(
            "div",
            { class: "we-check" },
            history,
            make("label", { for: "we-history" }, "the past of the targets is an input"),
          ),
        ),
      ),
      make(
        "div",
        { class: "we-results" },
        shapes,
        make("div", { class: "we-call" }, make("pre", { tabindex: "0", role: "group", "aria-label": "The call" }, call), make("div", {}, copy, copied)),
      ),
    );

    // --- what the reader does ----------------------------------------------------------------
    function set(changes) {
      pause();
      settings = { ...settings, ...changes };
      const problem = rules.problem(settings);
      for (const { name, input, output } of sliders) {
        input.value = String(settings[name]);
        output.value = String(settings[name]);
      }
      for (const { name, select } of selects) select.value = settings.roles[name];
      history.checked = settings.history;
      start.value = startOf(settings);
      say(summary, problem ? `Not possible. ${problem}` : rules.summary(settings));
      root.classList.toggle("we-impossible", problem !== null);
      rule.textContent = problem ? "" : rules.rule(settings);
      call.textContent = rules.call(settings);
      copied.textContent = "";
      drawTable();
      drawLegend(problem);
      const count = problem ? 0 : rules.starts(settings).length;
      place.max = String(Math.max(count - 1, 0));
      show(Math.min(number, Math.max(count - 1, 0)));
    }

    function startOf(now) {
      const same = (other) => JSON.stringify(sorted(other)) === JSON.stringify(sorted(now));
      const sorted = ({ roles, ...rest }) => [
        Object.entries(rest).sort(),
        rules.COLUMNS.map((name) => roles[name]),
      ];
      const found = Object.entries(STARTS).find(([, changes]) => same({ ...defaults(), ...changes }));
      return found ? found[0] : "";
    }

    function show(wanted) {
      const possible = rules.problem(settings) === null;
      const starts = possible ? rules.starts(settings) : [];
      number = Math.max(0, Math.min(wanted, starts.length - 1));
      place.value = String(number);
      place.disabled = play.disabled = starts.length < 2;
      // A button that is switched off would lose the focus: it only says that it has no more to do.
      back.setAttribute("aria-disabled", String(number === 0));
      next.setAttribute("aria-disabled", String(number >= starts.length - 1));
      const words = possible ? whereWords(starts) : "No window fits.";
      place.setAttribute("aria-valuetext", words);
      where.setAttribute("aria-live", timer ? "off" : "polite");
      say(where, words);
      drawCells(possible ? rules.cells(settings, starts[number]) : null, starts[number]);
      drawArrays(possible ? rules.cells(settings, starts[number]) : null);
    }

    function whereWords(starts) {
      const into = rowWords(starts[number], settings.lookback);
      const out = rowWords(rules.firstTarget(settings, starts[number]), settings.horizon);
      return `Window ${number} of ${starts.length}: ${into} in, ${out} out.`;
    }

    function steer(event) {
      const last = Number(place.max);
      const to = { ArrowLeft: number - 1, ArrowRight: number + 1, Home: 0, End: last }[event.key];
      if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      pause();
      show(to);
    }

    function run() {
      if (number >= Number(place.max)) show(0);
      play.textContent = "Pause";
      timer = setInterval(() => {
        show(number + 1);
        if (number >= Number(place.max)) pause();
      }, STEP_MS);
    }

    function pause() {
      clearInterval(timer);
      timer = null;
      play.textContent = "Play";
    }

    async function copyCall() {
      try {
        await navigator.clipboard.writeText(call.textContent);
      } catch {
        // A page opened without https may not write: select the text and copy that.
        getSelection().selectAllChildren(call);
        document.execCommand("copy");
      }
      copied.textContent = "Copied";
    }

    // --- drawing -----------------------------------------------------------------------------
    function say(node, words) {
      if (node.textContent === words) return; // or it would be read out again
      const parts = words.split(/(?<=\)), /); // a shape is not broken over two lines
      const spans = parts.map((part, i) => make("span", {}, part + (i < parts.length - 1 ? "," : "")));
      node.replaceChildren(...spans.flatMap((span, i) => (i ? [" ", span] : [span])));
    }

    function drawTable() {
      const names = rules.COLUMNS.map((name) =>
        make("th", { scope: "col" }, make("code", {}, name), make("small", {}, settings.roles[name] === "none" ? "–" : settings.roles[name])),
      );
      head.replaceChildren(make("th", { scope: "col" }, "row"), ...names);
      const lines = Array.from({ length: settings.rows }, (_, row) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, String(row)),
          ...rules.COLUMNS.map((_, column) => make("td", { "data-cell": `${row},${column}` })),
        ),
      );
      body.replaceChildren(...lines);
    }

    function drawCells(cells, first) {
      const marks = {};
      for (const [array, lines] of Object.entries(cells ?? {})) {
        for (const cell of lines.flat()) (marks[cell] ??= []).push(array);
      }
      for (const cell of body.querySelectorAll("td")) {
        const [row, column] = cell.dataset.cell.split(",").map(Number);
        const here = marks[cell.dataset.cell] ?? [];
        cell.className = here.map((array) => `we-${array}`).join(" ");
        cell.dataset.arrays = here.join(" ");
        cell.replaceChildren(
          ...here.map((array) => make("span", { class: `we-mark we-mark-${array}`, "aria-hidden": "true" })),
          String(rules.value(row, column)),
          ...here.map((array) => make("span", { class: "we-hidden" }, ` ${ARRAYS[array][0]}`)),
        );
      }
      const cutoff = cells ? first + settings.lookback - 1 : -1;
      [...body.rows].forEach((line, row) => line.classList.toggle("we-cutoff", row === cutoff));
    }

    function drawLegend(problem) {
      legend.hidden = problem !== null;
      if (problem) return;
      const used = Object.keys(rules.shapes(settings));
      legend.replaceChildren(
        ...used.map((array) =>
          make("li", {}, make("span", { class: `we-mark we-mark-${array}`, "aria-hidden": "true" }), ARRAYS[array][1]),
        ),
        make("li", {}, make("span", { class: "we-line", "aria-hidden": "true" }), "cutoff: the forecast knows the rows above it"),
      );
    }

    function drawArrays(cells) {
      if (!cells) return shapes.replaceChildren();
      const columns = rules.arrays(settings);
      const parts = Object.entries(rules.shapes(settings)).map(([array, shape]) => {
        const numbers = cells[array].map((line) => line.map(([row, column]) => rules.value(row, column)));
        const text = array === "static" ? asNumPy(numbers).slice(1, -1) : asNumPy(numbers);
        return make(
          "div",
          { class: `we-array we-array-${array}` },
          make("p", {}, make("code", { class: "we-shape" }, `${array} (${shape.join(", ")})`)),
          make("p", { class: "we-axes" }, ARRAYS[array][2].join(" × ")),
          make("p", { class: "we-axes" }, `of ${columns[array].map((column) => rules.COLUMNS[column]).join(", ")}`),
          make("pre", { tabindex: "0", role: "group", "aria-label": `${array}, window ${number}` }, `${array}[${number}]\n${text}`),
        );
      });
      shapes.replaceChildren(...parts);
    }

    // --- in the place of the picture ---------------------------------------------------------
    function motion() {
      if (still.matches) pause();
      play.hidden = still.matches; // who asked for stillness steps by hand
    }
    still.addEventListener("change", motion);
    motion();
    set({});
    picture.after(root);
    picture.style.display = "none";
  }

  const picture = document.querySelector(".tag_window-explorer");
  if (picture && rules) explorer(picture);
})();

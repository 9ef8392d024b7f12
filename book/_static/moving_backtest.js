/* A backtest that moves: the cutoff walks over half a year, and at each stop the next day is forecast
 * first and then compared with what came.
 *
 * It takes the place of a picture of its errors, which stays where there is no JavaScript. What it
 * shows is in moving_backtest_data.js, which scripts/folds.py records from the chapter's own backtest.
 * No library, no network, no build step.
 */
"use strict";

(() => {
  const data = window.tsfMovingBacktest;
  const picture = document.querySelector("img.moving-backtest-picture");
  if (!data || !picture) return;

  const STEP_MS = 1400;
  const MOMENTS = 2 * data.folds.length; // at each cutoff: the forecast, then what came
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const SVG = "http://www.w3.org/2000/svg";
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", timeZone: "UTC" });
  const month = new Intl.DateTimeFormat("en-GB", { month: "short", timeZone: "UTC" });
  const utc = (text) => Date.parse(`${text.slice(0, 10)}T00:00Z`);
  const mean = (numbers) => numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
  let moment = 0;
  let timer = null;

  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") node.addEventListener(name, value);
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }

  const back = make("button", { type: "button", class: "mb-back", "aria-label": "one step back", click: () => { stop(); go(moment - 1); } }, "◀");
  const play = make("button", { type: "button", class: "mb-play", click: toggle }, "Play");
  const next = make("button", { type: "button", class: "mb-next", "aria-label": "one step on", click: () => { stop(); go(moment + 1); } }, "▶");
  const slider = make("input", {
    type: "range", min: 0, max: MOMENTS - 1, value: 0, "aria-label": "cutoff",
    input: () => { stop(); go(Number(slider.value)); },
  });
  const says = make("p", { class: "mb-says", "aria-live": "polite" });
  const drawing = make("div", { class: "mb-drawing" });
  const root = make(
    "div",
    { class: "moving-backtest", role: "group", "aria-label": "A backtest that moves" },
    make("div", { class: "mb-steps" }, back, play, next, slider),
    says,
    drawing,
  );

  function go(to) {
    moment = Math.max(0, Math.min(MOMENTS - 1, to));
    draw();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    says.setAttribute("aria-live", "polite");
  }

  function toggle() {
    if (timer !== null) return stop();
    if (moment === MOMENTS - 1) go(0);
    play.textContent = "Pause";
    says.setAttribute("aria-live", "off"); // a running film is not read out
    timer = setInterval(() => {
      go(moment + 1);
      if (moment === MOMENTS - 1) stop();
    }, STEP_MS);
  }

  /** What the current moment is, in words. */
  function words() {
    const place = moment >> 1;
    const fold = data.folds[place];
    const seen = data.folds.slice(0, place + 1);
    const where = `Cutoff ${place + 1} of ${data.folds.length}: ${day.format(utc(fold.cutoff))} 2013, ${fold.cutoff.slice(11)}. `;
    if (moment % 2 === 0) {
      return `${where}What lies to the right of the dotted line is not known. Both forecasts of the next day are made.`;
    }
    const [model, simple] = ["modelError", "simpleError"].map((key) => Math.round(mean(seen.map((f) => f[key]))));
    const so = place ? ` The mean so far: ${model} and ${simple} MW.` : "";
    return `${where}Now the day has come. The LSTM is ${fold.modelError} MW off, last week's curve ${fold.simpleError} MW.${so}`;
  }

  /** One picture: the half year, the days around the cutoff, the errors up to now. */
  function draw() {
    const place = moment >> 1;
    const over = moment % 2 === 1;
    const fold = data.folds[place];
    slider.value = moment;
    slider.setAttribute("aria-valuetext", `cutoff ${place + 1}, ${over ? "what came" : "the forecast"}`);
    back.disabled = moment === 0;
    next.disabled = moment === MOMENTS - 1;
    says.textContent = words();

    const width = Math.max(260, drawing.clientWidth);
    const narrow = width < 500;
    const left = 44;
    const right = narrow ? 12 : 96;
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} 400`);
    svg.setAttribute("width", width);
    svg.setAttribute("height", 400);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "Above, the demand of half a year with the cutoff in it; in the middle, three days before the cutoff and the forecasts of the day after it; below, the error at each cutoff up to now");
    const add = (tag, attributes, text) => {
      const node = document.createElementNS(SVG, tag);
      for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
      if (text !== undefined) node.textContent = text;
      svg.append(node);
      return node;
    };
    const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low)) * (to - from);
    const path = (kind, points) =>
      add("path", { class: kind, d: points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("") });
    const word = (x, y, text, anchor = "start", kind = "") => add("text", { x, y, "text-anchor": anchor, class: kind }, text);

    // The half year.
    const first = utc(data.firstDay);
    const cut = (utc(fold.cutoff) - first) / 864e5 + 1; // the end of its day
    const x1 = scale(0, data.days.length, left, width - right);
    const y1 = scale(Math.min(...data.days), Math.max(...data.days), 66, 12);
    const line = data.days.map((value, i) => [x1(i + 0.5), y1(value)]);
    path("mb-later", line);
    if (cut > 0) path("mb-known", line.slice(0, cut));
    add("rect", { class: "mb-day", x: x1(cut), y: 8, width: Math.max(3, x1(1) - x1(0)), height: 62 });
    add("line", { class: "mb-cut", x1: x1(cut), x2: x1(cut), y1: 4, y2: 74 });
    for (let m = 6; m < 12; m += 1) {
      word(x1((Date.UTC(2013, m, 1) - first) / 864e5), 88, month.format(Date.UTC(2013, m, 1)));
    }

    // The days around the cutoff.
    const all = [...fold.known, ...fold.came, ...fold.model, ...fold.simple];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const n = fold.known.length;
    const x2 = scale(0, n + fold.came.length, left, width - right);
    const y2 = scale(low, high, 268, 116);
    const at = (values, from) => values.map((value, i) => [x2(from + i + 0.5), y2(value)]);
    for (const tick of [low, high].map((v, i) => (i ? Math.floor(v / 500) : Math.ceil(v / 500)) * 500)) {
      word(left - 6, y2(tick) + 4, tick, "end");
    }
    word(left - 6, 104, "MW", "end");
    path("mb-known", at(fold.known, 0));
    path("mb-simple", at(fold.simple, n));
    path("mb-model", at(fold.model, n));
    if (over) path("mb-known", [at(fold.known, 0)[n - 1], ...at(fold.came, n)]);
    add("line", { class: "mb-cut", x1: x2(n), x2: x2(n), y1: 104, y2: 280 });
    word(x2(n) - 6, 112, "cutoff", "end");
    word(x2(n / 2), 290, "three days before it", "middle");
    word(narrow ? width - 2 : x2(n + fold.came.length / 2), 290, narrow ? "next day" : "the day after", narrow ? "end" : "middle");
    const ends = [["LSTM", fold.model, "mb-w-model"], ["last week", fold.simple, ""]];
    if (over) ends.push(["what came", fold.came, ""]);
    if (!narrow) {
      let below = Infinity;
      for (const [name, values, kind] of ends.sort((a, b) => a[1].at(-1) - b[1].at(-1))) {
        const y = Math.min(y2(values.at(-1)) + 4, below - 15);
        below = y;
        word(width - right + 8, y, name, "start", kind);
      }
    }

    // The errors up to now.
    const most = Math.max(...data.folds.flatMap((f) => [f.modelError, f.simpleError]));
    const top = 500 * Math.ceil(most / 500); // a round number, as on the axis above
    const x3 = scale(-0.5, data.folds.length - 0.5, left, width - right);
    const y3 = scale(0, top, 378, 316);
    add("line", { class: "mb-axis", x1: left, x2: width - right, y1: 378, y2: 378 });
    word(left - 6, 382, "0", "end");
    word(left - 6, y3(top) + 4, top, "end");
    word(left, 396, "error at each cutoff, MW");
    data.folds.slice(0, place + (over ? 1 : 0)).forEach((f, i) => {
      add("line", { class: "mb-between", x1: x3(i), x2: x3(i), y1: y3(f.modelError), y2: y3(f.simpleError) });
      add("rect", { class: "mb-square", x: x3(i) - 3.5, y: y3(f.simpleError) - 3.5, width: 7, height: 7 });
      add("circle", { class: "mb-dot", cx: x3(i), cy: y3(f.modelError), r: 4 });
    });
    drawing.replaceChildren(svg);
    drawing.append(
      make("p", { class: "mb-key" }, make("span", { class: "mb-k-model" }, "LSTM"), make("span", { class: "mb-k-simple" }, "last week's curve"), make("span", { class: "mb-k-known" }, "what came")),
    );
  }

  const motion = () => {
    stop();
    play.hidden = still.matches;
  };
  still.addEventListener("change", motion);
  const place = picture.closest("p") ?? picture.closest("a") ?? picture; // a wide picture is a link
  place.after(root);
  place.style.display = "none";
  motion();
  draw();
  let before = drawing.clientWidth;
  new ResizeObserver(() => {
    if (drawing.clientWidth !== before) {
      before = drawing.clientWidth;
      draw();
    }
  }).observe(drawing);
})();

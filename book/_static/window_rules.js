/* What a window is: the rules of tsforecast/framing.py, for the figure in window_explorer.js.
 *
 * Pure functions of the settings, without a page, so that a test can call them. The test
 * tests/site/test_explorer.py compares them with the package.
 *
 * settings: { rows, lookback, horizon, lead, stride, history, roles }, where roles says of each
 * column "target", "past", "future", "static" or "none", in the order of the table.
 */
"use strict";

window.tsfWindowRules = (() => {
  const COLUMNS = ["a", "b", "c", "site"];
  const SIZES = {
    // least, most, at first
    lookback: [1, 8, 3],
    horizon: [1, 8, 1],
    lead: [0, 4, 1],
    stride: [1, 5, 1],
    rows: [4, 16, 9],
  };
  const ROLES = ["target", "past", "future", "static", "none"];

  /** The value of one cell: tsf.datasets.toy("multivariate") with a column that never changes. */
  function value(row, column) {
    const a = 10 * (row + 1);
    const b = a + 5;
    return [a, b, a + b, 1][column];
  }

  /** Numbers of the columns with one of these roles, in the order of the table. */
  function having(settings, ...roles) {
    const found = roles.map((role) => COLUMNS.flatMap((name, i) => (settings.roles[name] === role ? [i] : [])));
    return found.flat();
  }

  /** The columns of each array. X holds targets, then past, then future covariates. */
  function arrays(settings) {
    const history = settings.history ? ["target"] : [];
    return {
      X: having(settings, ...history, "past", "future"),
      y: having(settings, "target"),
      future: having(settings, "future"),
      static: having(settings, "static"),
    };
  }

  /** Rows that one window covers, from its first input to its last target. */
  function span(settings) {
    return settings.lookback + settings.lead + settings.horizon - 1;
  }

  /** First rows of the windows. */
  function starts(settings) {
    const found = [];
    for (let row = 0; row + span(settings) <= settings.rows; row += settings.stride) found.push(row);
    return found;
  }

  /** The row of the first target in a window that starts at `start`. */
  function firstTarget(settings, start) {
    return start + settings.lookback + settings.lead - 1;
  }

  /** The cells of each array in one window: a list of rows, each a list of [row, column]. */
  function cells(settings, start) {
    const stretch = (first, length, columns) =>
      Array.from({ length }, (_, step) => columns.map((column) => [first + step, column]));
    const columns = arrays(settings);
    const target = firstTarget(settings, start);
    return {
      X: stretch(start, settings.lookback, columns.X),
      y: stretch(target, settings.horizon, columns.y),
      future: stretch(target, settings.horizon, columns.future),
      static: stretch(start, 1, columns.static),
    };
  }

  /** The shape of each array that a model reads; no future or static where there is none. */
  function shapes(settings) {
    const samples = starts(settings).length;
    const columns = arrays(settings);
    const found = {
      X: [samples, settings.lookback, columns.X.length],
      y: [samples, settings.horizon, columns.y.length],
    };
    if (columns.future.length) found.future = [samples, settings.horizon, columns.future.length];
    if (columns.static.length) found.static = [samples, columns.static.length];
    return found;
  }

  /** What Python prints for the windows. */
  function summary(settings) {
    const parts = Object.entries(shapes(settings)).map(([name, shape]) => `${name} (${shape.join(", ")})`);
    return `${starts(settings).length} windows: ${parts.join(", ")}`;
  }

  /** How the count comes about. */
  function rule(settings) {
    const { rows, lookback, lead, horizon, stride } = settings;
    const places = rows - span(settings) + 1;
    const sum = `${rows} rows - lookback ${lookback} - lead ${lead} - horizon ${horizon} + 2 = ${places}`;
    if (stride === 1) return `${sum} windows`;
    return `${sum}, and at stride ${stride} one in ${stride} of them: ${starts(settings).length}`;
  }

  /** What the package's error says first, or null where there are windows. */
  function problem(settings) {
    const columns = arrays(settings);
    if (settings.lead === 0 && settings.history) {
      return (
        "lead=0 with use_target_history=True puts the answer among the inputs: the last input " +
        "row is the first target row. Set use_target_history=False, or lead=1."
      );
    }
    if (!settings.history && !columns.X.length) {
      return (
        "use_target_history=False leaves no input. Name past_covariates or future_covariates, " +
        "or set use_target_history=True."
      );
    }
    if (!columns.y.length) return "The framing has no column to forecast.";
    for (const column of columns.static) {
      if (value(0, column) !== value(1, column)) {
        return (
          `The static covariate '${COLUMNS[column]}' changes (from ${value(0, column)} to ` +
          `${value(1, column)} at 1, row 1).`
        );
      }
    }
    if (settings.rows < span(settings)) {
      const { rows, lookback, lead, horizon } = settings;
      return (
        `The table has ${rows} rows. One window needs ${span(settings)} rows: lookback ${lookback} ` +
        `+ lead ${lead} + horizon ${horizon} - 1.`
      );
    }
    return null;
  }

  /** The call that makes this framing: what is as by default is left out. */
  function call(settings) {
    const columns = arrays(settings);
    const names = (numbers) => {
      const quoted = numbers.map((number) => `"${COLUMNS[number]}"`);
      return quoted.length === 1 ? quoted[0] : `[${quoted.join(", ")}]`;
    };
    const given = [`lookback=${settings.lookback}`];
    if (settings.horizon !== 1) given.push(`horizon=${settings.horizon}`);
    if (settings.lead !== 1) given.push(`lead=${settings.lead}`);
    given.push(`targets=${names(columns.y)}`);
    const past = having(settings, "past");
    if (past.length) given.push(`past_covariates=${names(past)}`);
    if (columns.future.length) given.push(`future_covariates=${names(columns.future)}`);
    if (columns.static.length) given.push(`static_covariates=${names(columns.static)}`);
    if (!settings.history) given.push("use_target_history=False");
    if (settings.stride !== 1) given.push(`stride=${settings.stride}`);
    const line = `framing = tsf.Framing(${given.join(", ")})`;
    return line.length <= 60 ? line : `framing = tsf.Framing(\n${given.map((part) => `    ${part},\n`).join("")})`;
  }

  return {
    ...{ COLUMNS, SIZES, ROLES, value, arrays, span, starts, firstTarget, cells, shapes },
    ...{ summary, rule, problem, call },
  };
})();

"use strict";
/* What each plot shows, as plain values: tested without pixels, drawn by draw.js. Pure. */
const PlotData = (() => {
  const MANY = 30; // a ratio of largest to smallest value that a linear axis shows badly

  /** Whether a metric spans so many orders that a linear axis would crush it. Shares of one never do. */
  function wantsLog(metric, values) {
    if (metric.share || !values.length) return false;
    let low = Infinity, high = -Infinity;
    for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
    return low > 0 && high / low > MANY;
  }

  const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(q * (sorted.length - 1))))];

  /* The part of an axis that is shown at first: everything, but for what lies so far off that the rest would be a
  line. Those to keep are always inside. A bound is taken in where that costs less than a third of the axis. */
  function focus(values, kept, bounds, log) {
    const at = (v) => (log ? Math.log10(v) : v);
    const sorted = values.map(at).sort((a, b) => a - b);
    let low = sorted[0], high = sorted[sorted.length - 1];
    const q5 = quantile(sorted, 0.05), q95 = quantile(sorted, 0.95), reach = 1.5 * (q95 - q5);
    if (reach > 0) {
      // Up to the outermost values that are not far off: no empty stretch beyond them.
      low = sorted.find((v) => v >= q5 - reach);
      high = sorted.findLast((v) => v <= q95 + reach);
    }
    for (const v of kept.map(at)) { low = Math.min(low, v); high = Math.max(high, v); }
    const width = high - low;
    for (const c of bounds) {
      const b = at(c.bound);
      if (Number.isFinite(b) && b >= low - 0.5 * width && b <= high + 0.5 * width) { low = Math.min(low, b); high = Math.max(high, b); }
    }
    const pad = 0.05 * (high - low) || Math.abs(high) * 0.1 || 1;
    return [low - pad, high + pad];
  }

  const isInside = (axis, value) => {
    const v = axis.log ? Math.log10(value) : value;
    return v >= axis.view[0] && v <= axis.view[1];
  };

  /** A metric as an axis over these values. */
  function metricAxis(study, name, values, kept, bounds, direction = null) {
    const metric = study.metrics.get(name);
    const log = wantsLog(metric, values);
    const own = bounds.filter((c) => c.metric === name);
    const usable = own.filter((c) => !log || c.bound > 0);
    const better = direction === null ? "" : direction === "maximize" ? " (more is better)" : " (less is better)";
    const axis = { name, title: name + better, log, bounds: own, view: focus(values, kept, usable, log) };
    // What is not in view is pointed at from the margin.
    axis.beyond = own.filter((c) => !usable.includes(c) || !isInside(axis, c.bound));
    return axis;
  }

  /* One point a configuration that is judged, and one a trial that was stopped early. Kinds: "front" (of the two axes),
  "other" (of the study's objectives only), "dominated", "infeasible", "unknown", "pruned". */
  function kinds(study, asked, judged, pair, whole) {
    const onPair = new Set(pair.map((p) => p.trial)), onWhole = new Set(whole.map((p) => p.trial));
    const found = judged.map(({ group, trial, fits }) => {
      let kind = onPair.has(trial) ? "front" : onWhole.has(trial) ? "other" : "dominated";
      if (!fits) kind = Choose.missesOf(study, asked, group, trial).every((v) => !(v > 0) || v === Infinity) ? "unknown" : "infeasible";
      return { trial, group, kind };
    });
    for (let i = 0; i < study.n; i++) {
      if (study.trials.state[i] === "P") found.push({ trial: i, group: null, kind: "pruned" });
      else if (study.pending.has(i)) found.push({ trial: i, group: null, kind: "unknown" });
    }
    return found;
  }

  const valueAt = (study, each, name) =>
    each.group === null ? Choose.valueOf(study, name, each.trial) : Choose.meanOf(study, each.group, name);

  /** Two metrics against each other, or one over the trials where x is null; ``closely``: the front and no more. */
  function scatter(study, answer, x, y, closely = false) {
    const points = [];
    let without = 0;
    for (const each of answer.kinds) {
      const px = x === null ? study.trials.number[each.trial] : valueAt(study, each, x), py = valueAt(study, each, y);
      if (Number.isFinite(px) && Number.isFinite(py)) points.push({ ...each, x: px, y: py });
      else without += 1;
    }
    if (!points.length) return null;
    const { chosen, default: first } = { chosen: answer.winner?.trial ?? -1, default: study.place(study.study.default) };
    const kept = points.filter((p) => p.kind === "front" || p.kind === "other" || p.trial === chosen || p.trial === first);
    const seen = closely && kept.length ? kept : points; // closely: what is compared fills the view
    const of = (key) => [seen.map((p) => p[key]), kept.map((p) => p[key]), answer.asked];
    const numbers = study.trials.number;
    const axisX = x === null
      ? { name: "trial", title: "trial", log: false, bounds: [], beyond: [], view: [numbers[0] - 0.5, numbers[study.n - 1] + 0.5] }
      : metricAxis(study, x, ...of("x"), answer.direction(x));
    const plot = { x: axisX, y: metricAxis(study, y, ...of("y"), answer.direction(y)), points, chosen, default: first, without };
    plot.outside = points.filter((p) => !isInside(plot.x, p.x) || !isInside(plot.y, p.y)).length;
    plot.line = x === null ? bestSoFar(study, answer, points, y) : frontLine(points, answer.direction(x));
    return plot;
  }

  /** The front as a staircase: corners, by x. */
  function frontLine(points, directionX) {
    const front = points.filter((p) => p.kind === "front").sort((a, b) => a.x - b.x || a.y - b.y);
    const first = directionX === "minimize";
    const corners = [];
    front.forEach((p, k) => {
      if (k > 0) corners.push(first ? [p.x, front[k - 1].y] : [front[k - 1].x, p.y]);
      corners.push([p.x, p.y]);
    });
    return corners;
  }

  /** The best value that fits, after each trial. */
  function bestSoFar(study, answer, points, y) {
    const sign = answer.direction(y) === "maximize" ? -1 : 1;
    const fitting = points.filter((p) => ["front", "other", "dominated"].includes(p.kind)).sort((a, b) => a.x - b.x);
    const corners = [];
    let best = null;
    for (const p of fitting) {
      if (best !== null && sign * p.y >= sign * best) continue;
      if (best !== null) corners.push([p.x, best]);
      corners.push([p.x, (best = p.y)]);
    }
    if (best !== null) corners.push([study.trials.number[study.n - 1], best]);
    return corners;
  }

  /** Ticks of an axis, each with its place (on the axis' own scale) and its text. */
  function ticks(axis, count = 5) {
    const [low, high] = axis.view;
    if (axis.choices) return axis.choices.map((text, at) => ({ at, text }));
    if (axis.log) {
      const leads = high - low > 2.2 ? [1] : high - low > 0.9 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 8];
      const found = [];
      for (let k = Math.floor(low); k <= Math.ceil(high); k++) {
        for (const lead of leads) {
          const at = Math.log10(lead) + k;
          if (at >= low && at <= high) found.push({ at, text: Text.number(Number(`${lead}e${k}`)) });
        }
      }
      if (found.length > 1) {
        const step = Math.ceil(found.length / 8);
        return found.filter((_, i) => i % step === 0);
      }
      return [low, high].map((at) => ({ at, text: Text.number(Number((10 ** at).toPrecision(3))) }));
    }
    const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough) ?? rough;
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high && found.length < 20; k++) {
      const at = Number((k * step).toPrecision(12));
      found.push({ at, text: Text.number(at) });
    }
    return found;
  }

  /** Axes of the parallel coordinates: parameters, then metrics; each trial's place on each from 0 (low) to 1. */
  function parallel(study, answer, names) {
    const rows = answer.kinds.filter((each) => each.group !== null);
    const axes = names.map((name) => {
      const param = study.params.find((p) => p.name === name && !study.metrics.has(name)) ?? null;
      return param === null ? metricDimension(study, rows, name) : paramDimension(study, rows, param);
    });
    return { rows, axes };
  }

  function metricDimension(study, rows, name) {
    const raw = rows.map((each) => valueAt(study, each, name));
    return scaled(name, raw, wantsLog(study.metrics.get(name), raw.filter(Number.isFinite)));
  }

  function paramDimension(study, rows, param) {
    const raw = rows.map((each) => (param.values[each.trial] === null ? NaN : Choose.number(param.values[each.trial])));
    if (param.kind !== "choice") return scaled(param.name, raw, param.log);
    const last = Math.max(1, param.choices.length - 1);
    const places = raw.map((v) => (param.choices.length === 1 ? 0.5 : v / last));
    const at = param.choices.map((c, i) => ({ place: param.choices.length === 1 ? 0.5 : i / last, text: c.text }));
    return { name: param.name, places, ticks: at, low: null, high: null, log: false };
  }

  function scaled(name, raw, log) {
    const at = (v) => (Number.isFinite(v) && (!log || v > 0) ? (log ? Math.log10(v) : v) : NaN);
    const drawn = raw.map(at), known = drawn.filter((v) => !Number.isNaN(v));
    const low = known.reduce((a, b) => Math.min(a, b), Infinity), high = known.reduce((a, b) => Math.max(a, b), -Infinity);
    const width = high - low;
    const places = drawn.map((v) => (Number.isNaN(v) ? NaN : width > 0 ? (v - low) / width : 0.5));
    const texts = known.length ? (width > 0 ? [0, 0.25, 0.5, 0.75, 1] : [0.5]) : [];
    const ticks = texts.map((place) => {
      const v = low + (width > 0 ? place : 0) * width;
      return { place, text: Text.number(Number((log ? 10 ** v : v).toPrecision(3))) };
    });
    return { name, places, ticks, low, high, log };
  }

  /** Curves of one metric: of the chosen trial, of the others. */
  function curves(study, metric, places = null) {
    const found = [];
    let longest = 1;
    const values = [];
    for (const [key, [steps, told]] of Object.entries(study.curves.metrics[metric] ?? {})) {
      const place = Number(key);
      if (places !== null && !places.has(place)) continue;
      const at = Array.isArray(steps) ? steps : told.map((_, i) => i + 1);
      const points = told.map((v, i) => [at[i], Choose.number(v)]).filter(([, v]) => Number.isFinite(v));
      if (!points.length) continue;
      longest = Math.max(longest, points[points.length - 1][0]);
      values.push(...points.map(([, v]) => v));
      found.push({ trial: place, state: study.trials.state[place], points });
    }
    if (!found.length) return null;
    const y = metricAxis(study, metric, values, [], []);
    return { x: { name: "epoch", title: "epoch", log: false, bounds: [], beyond: [], view: [0.5, longest + 0.5] }, y, curves: found };
  }

  /* Colour classes that one outlier cannot fill: places 0 to 1 by quantiles of the surface and the trials on it,
  clamped; half by rank, half by value, so that equal colours mean near values. */
  function colourPlaces(values) {
    const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
    if (!sorted.length) return { low: 0, high: 1, place: () => 0.5 };
    const low = quantile(sorted, 0.02), high = quantile(sorted, 0.98);
    return { low, high, place: (v) => (high > low ? Math.min(1, Math.max(0, (v - low) / (high - low))) : 0.5) };
  }

  /** A surface between its grid points, linear along each axis; beyond the outermost ones it stays as it is. */
  function between(flat, columns, rows, c, r) {
    const x = Math.min(columns - 1, Math.max(0, c)), y = Math.min(rows - 1, Math.max(0, r));
    const c0 = Math.min(columns - 1, Math.floor(x)), r0 = Math.min(rows - 1, Math.floor(y));
    const c1 = Math.min(columns - 1, c0 + 1), r1 = Math.min(rows - 1, r0 + 1), s = x - c0, t = y - r0;
    const corners = [flat[r0 * columns + c0], flat[r0 * columns + c1], flat[r1 * columns + c0], flat[r1 * columns + c1]];
    if (corners.some((v) => v === null)) return NaN;
    const mix = (a, b, k) => (k === 0 ? a : k === 1 ? b : a + k * (b - a));
    return mix(mix(corners[0], corners[1], s), mix(corners[2], corners[3], s), t);
  }

  /* Where a surface crosses a level: segments in grid coordinates (marching squares, values interpolated linearly).
  A value of zero counts as inside. */
  function edge(over, columns, rows) {
    const segments = [];
    const cross = (a, b, va, vb) => {
      const t = va === vb ? 0.5 : va / (va - vb);
      const s = Number.isFinite(t) ? Math.min(1, Math.max(0, t)) : 0.5;
      return [a[0] + s * (b[0] - a[0]), a[1] + s * (b[1] - a[1])];
    };
    for (let r = 0; r + 1 < rows; r++) {
      for (let c = 0; c + 1 < columns; c++) {
        const corners = [[c, r], [c + 1, r], [c + 1, r + 1], [c, r + 1]];
        const v = corners.map(([i, j]) => over[j * columns + i]);
        if (v.some((each) => each === null || Number.isNaN(each))) continue;
        const points = [];
        for (let k = 0; k < 4; k++) {
          const l = (k + 1) % 4;
          if (v[k] > 0 !== v[l] > 0) points.push(cross(corners[k], corners[l], v[k], v[l]));
        }
        for (let k = 0; k + 1 < points.length; k += 2) segments.push([points[k], points[k + 1]]);
      }
    }
    return segments;
  }

  /** Rows of y, then columns of x, with x and y exchanged. */
  const transposed = (flat, columns, rows) => flat.map((_, k) => flat[(k % rows) * columns + Math.floor(k / rows)]);

  /** A metric over two parameters: the grid, the trials on it, and the edge of each bound whose metric is known there. */
  function surface(study, answer, slices, metric, xName, yName) {
    const places = slices.axes.map((a) => a.name), i = places.indexOf(xName), j = places.indexOf(yName);
    const pair = slices.pairs.findIndex(([a, b]) => (a === i && b === j) || (a === j && b === i));
    const turned = slices.pairs[pair][0] !== i;
    const axes = [axisOf(slices.axes[i]), axisOf(slices.axes[j])], [x, y] = axes;
    const grid = (name) => {
      const own = slices.surfaces[name].z[pair];
      return turned ? transposed(own, y.grid.length, x.grid.length) : own;
    };
    const z = grid(metric), own = slices.surfaces[metric];
    const marks = own.sure === null ? null : [...own.sure[pair]].map((digit) => parseInt(digit, 36) / 35);
    const sure = marks === null ? z.map(() => 1) : turned ? transposed(marks, y.grid.length, x.grid.length) : marks;
    const known = z.filter((v) => v !== null && (!own.log || v > 0)), shown = own.log ? known.map(Math.log10) : known;
    const stepped = Boolean(slices.axes[i].choices || slices.axes[j].choices);
    const edges = [];
    for (const constraint of answer.asked) {
      if (!(constraint.metric in slices.surfaces)) continue;
      const over = grid(constraint.metric).map((v) => (v === null ? null : Choose.violation(constraint, v)));
      const met = over.filter((v) => v !== null);
      edges.push({ constraint, over, segments: stepped ? [] : edge(over, x.grid.length, y.grid.length), all: met.length > 0 && met.every((v) => v > 0) });
    }
    const position = (axis, param, place) => {
      const raw = param.values[place];
      return raw === null ? NaN : axis.log ? Math.log10(Choose.number(raw)) : Choose.number(raw);
    };
    const [px, py] = axes.map((a) => study.params.find((p) => p.name === a.name));
    const points = answer.kinds
      .map((each) => ({ ...each, x: position(x, px, each.trial), y: position(y, py, each.trial) }))
      .filter((each) => Number.isFinite(each.x) && Number.isFinite(each.y));
    const unclear = edges.some((e) => !slices.surfaces[e.constraint.metric].exact);
    const says = `${own.says} ${slices.held}${edges.length ? ` The hatched side of a bound does not fit${unclear ? "; of an estimated metric its edge is an estimate too" : ""}.` : ""}`;
    return {
      metric, x, y, z, sure, log: own.log, colours: colourPlaces(shown), stepped, edges, points, says,
      chosen: answer.winner?.trial ?? -1, least: Math.min(...known), most: Math.max(...known),
    };
  }

  /** An axis of a grid, on the scale on which it is even. */
  function axisOf({ name, log, grid, choices }) {
    const step = grid.length > 1 ? grid[1] - grid[0] : 1;
    const view = [grid[0] - step / 2, grid[grid.length - 1] + step / 2];
    return { name, title: name, log, grid, step, view, bounds: [], beyond: [], ...(choices ? { choices } : {}) };
  }

  return { surface, between, wantsLog, focus, isInside, kinds, scatter, ticks, parallel, curves, colourPlaces, edge, valueAt };
})();
if (typeof module !== "undefined") {
  globalThis.Choose ??= require("./choose.js");
  globalThis.Text ??= require("./text.js");
  module.exports = PlotData;
}

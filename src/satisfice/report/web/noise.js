"use strict";
/* What noise cannot tell apart: the rules of satisfice.choose.noise. Pure but for `unpack`, which waits for the browser.

A test puts the same random questions to this file and to Python.
*/
const Noise = (() => {
  const NORMAL_95 = 1.959963984540054;
  const SLACK = 1 + 1e-9; // equal values decide alike here and in Python, whatever the last bits
  const WRONG = 0.1; // probability that the truly best is left out, at most
  const TURNS = 1e-300;

  /** Read the influence values that the page carries into study.influences: metric, then place, then values. */
  async function unpack(study) {
    study.influences = new Map();
    study.unpaired = new Set(study.noise?.left_out ?? []);
    const carried = study.noise?.carried ?? [];
    if (!carried.length) return study;
    try {
      const bytes = Uint8Array.from(atob(study.noise.packed), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      const steps = new Int8Array(await new Response(stream).arrayBuffer());
      let from = 0;
      for (const { metric, places, groups, units } of carried) {
        const of = new Map();
        places.forEach((place, k) => {
          of.set(place, Float64Array.from(steps.subarray(from, from + groups[k]), (v) => v * units[k]));
          from += groups[k];
        });
        study.influences.set(metric, of);
      }
    } catch {
      study.influences = new Map();
      for (const { metric } of carried) study.unpaired.add(metric);
    }
    return study;
  }

  /** The standard error of a trial's metric: 0 where it is exact, null where nobody knows. */
  function recorded(study, name, i) {
    const errors = study.metrics.get(name)?.errors ?? null;
    return Array.isArray(errors) ? errors[i] : errors;
  }

  const isFinite = Number.isFinite;
  const hypot = (...parts) => Math.hypot(...parts);

  /** Influence values of a configuration's mean; null where a member lacks them, or they are not `read`. */
  function values(study, group, name, read) {
    const of = study.influences.get(name);
    if (of === undefined || !read.has(group)) return null;
    const found = group.members.map((i) => of.get(i));
    if (found.some((v) => v === undefined || v.length !== found[0].length)) return null;
    if (new Set(group.members.map((i) => study.noise.rows[i])).size !== 1) return null;
    if (found.length === 1) return found[0];
    return found[0].map((_, g) => found.reduce((sum, v) => sum + v[g], 0) / found.length);
  }

  function norm(v) {
    const largest = v.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    return largest ? largest * Math.sqrt(v.reduce((sum, each) => sum + (each / largest) ** 2, 0)) : 0;
  }

  /** The standard error of a difference from its influence values (Bonett and Price 2012). */
  function paired(a, b) {
    let largest = 0;
    for (let g = 0; g < a.length; g++) largest = Math.max(largest, Math.abs(a[g] - b[g]));
    if (largest === 0) return 0;
    let total = 0, fourth = 0;
    for (let g = 0; g < a.length; g++) {
      const square = ((a[g] - b[g]) / largest) ** 2;
      total += square;
      fourth += square * square;
    }
    return largest * Math.sqrt(total + (2 * fourth) / total);
  }

  function overSeeds(study, group, name) {
    if (group.members.length < 2) return 0;
    const known = group.members.map((i) => Choose.valueOf(study, name, i)).filter(isFinite);
    if (known.length < 2) return 0;
    const mean = Choose.meanOf(study, group, name);
    return hypot(...known.map((v) => v - mean)) / Math.sqrt((known.length - 1) * known.length);
  }

  /** Standard error of a configuration's mean; null where it is not known. */
  function error(study, { group, trial }, name, read) {
    if (group.members.length === 1) return recorded(study, name, trial);
    const own = values(study, group, name, read);
    let rows;
    if (own !== null) rows = norm(own);
    else {
      const errors = group.members.map((i) => recorded(study, name, i));
      if (errors.some((e) => e === null)) return null;
      rows = errors.reduce((a, b) => a + b, 0) / errors.length;
    }
    return hypot(rows, overSeeds(study, group, name));
  }

  function difference(study, a, b, name, read) {
    const here = Choose.meanOf(study, a.group, name), there = Choose.meanOf(study, b.group, name);
    const value = here === there ? 0 : here - there;
    const mine = values(study, a.group, name, read), theirs = values(study, b.group, name, read);
    if (mine !== null && theirs !== null && mine.length === theirs.length) {
      return { value, error: hypot(paired(mine, theirs), overSeeds(study, a.group, name), overSeeds(study, b.group, name)) };
    }
    const one = error(study, a, name, read), other = error(study, b, name, read);
    return { value, error: one === null || other === null ? null : hypot(one, other) };
  }

  const isNoise = (d, errors) => d.value === 0 || (d.error !== null && Math.abs(d.value) <= errors * d.error * SLACK);

  /** The quantile function of the normal distribution, as Python's statistics has it (Wichura 1988, AS241). */
  function quantile(p) {
    const poly = (coefficients, r) => coefficients.reduce((sum, c) => sum * r + c, 0);
    const q = p - 0.5;
    if (Math.abs(q) <= 0.425) {
      const r = 0.180625 - q * q;
      return q * poly([2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608], r)
        / poly([5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1], r);
    }
    let r = Math.sqrt(-Math.log(q <= 0 ? p : 1 - p)), x;
    if (r <= 5) {
      r -= 1.6;
      x = poly([7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734], r)
        / poly([1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1], r);
    } else {
      r -= 5;
      x = poly([2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772], r)
        / poly([2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1], r);
    }
    return q < 0 ? -x : x;
  }

  /** How many standard errors of a difference are noise, where the best of so many was chosen. */
  const errorsApart = (candidates) => (candidates < 2 ? NORMAL_95 : Math.max(NORMAL_95, -quantile(WRONG / (candidates - 1))));

  const UNREAD = new Set();

  /** The configuration with those that noise, or the tolerance of the question, may put in its place. */
  function rivals(study, one, found, first) {
    const name = first.metric, most = 2 * errorsApart(found.length);
    const here = Choose.meanOf(study, one.group, name), own = error(study, one, name, UNREAD);
    const loss = (each) => lossOf(study, each, first), least = Math.min(...found.map(loss));
    return found.filter((each) => {
      if (each === one || Choose.asGood(first, loss(each), least)) return true;
      if (own === null) return false;
      const theirs = error(study, each, name, UNREAD);
      return theirs !== null && Math.abs(Choose.meanOf(study, each.group, name) - here) <= most * (own + theirs);
    });
  }

  function lossOf(study, each, criterion) {
    const mean = Choose.meanOf(study, each.group, criterion.metric);
    return Number.isNaN(mean) ? Infinity : Choose.signOf(criterion) * mean;
  }

  /** Those that are worse than the best of them by at most so many standard errors of the difference. */
  function withinErrors(study, found, objective, read, errors) {
    const scored = found.filter(({ group }) => !Number.isNaN(Choose.meanOf(study, group, objective.metric)));
    if (!scored.length) return found;
    const top = Choose.firstBy(study, scored, [{ tolerance: 0, relative: false, ...objective }]);
    return scored.filter((each) => isNoise(difference(study, top, each, objective.metric, read), errors));
  }

  /** What "cheapest" means: metrics in order, each with its better direction. */
  function costs(study, goal, objectives, asked, found) {
    const named = new Map(objectives.map((o) => [o.metric, o]));
    for (const c of asked) if (!named.has(c.metric)) named.set(c.metric, { metric: c.metric, direction: Choose.isUpper(c) ? "minimize" : "maximize" });
    named.delete(goal.metric);
    const quantities = new Set([...named.keys(), goal.metric].map((name) => Choose.quantityOf(study, name)));
    for (const usual of study.noise?.costs ?? []) {
      const known = found.some(({ trial }) => Choose.isKnown(study, usual.metric, trial));
      if (known && !quantities.has(Choose.quantityOf(study, usual.metric))) named.set(usual.metric, usual);
    }
    return [...named.values()];
  }

  const inTurn = (by, more) => [...by, ...more.filter((o) => !by.some((c) => c.metric === o.metric)).map((o) => ({ tolerance: 0, relative: false, ...o }))];

  /** The cheapest of those within one standard error of the best, compared in pairs. */
  function oneStandardError(study, found, by, more, read) {
    const first = by[0], losses = new Map(found.map((each) => [each, lossOf(study, each, first)])), least = Math.min(...losses.values());
    const near = new Set(withinErrors(study, found, first, read, 1));
    let left = found.filter((each) => near.has(each) || Choose.asGood(first, losses.get(each), least));
    for (const criterion of inTurn(by.slice(1), more)) {
      const best = Math.min(...left.map((each) => lossOf(study, each, criterion)));
      const close = new Set(withinErrors(study, left, criterion, read, NORMAL_95));
      left = left.filter((each) => close.has(each) || Choose.asGood(criterion, lossOf(study, each, criterion), best));
    }
    return left.reduce((a, b) => (losses.get(b) - losses.get(a) || study.trials.number[b.trial] - study.trials.number[a.trial]) < 0 ? b : a);
  }

  /* The choice by a rule, what it cannot be told from, and the cheapest of all these. `unsure`: the page does not carry the
  rows that the comparison needs; then nothing is said of ties, and the choice is the best by value. */
  function choice(study, objectives, asked, by, fitting, rule) {
    const found = fitting.filter(({ group }) => !Number.isNaN(Choose.meanOf(study, group, by[0].metric)));
    if (!found.length) return { winner: null, tied: [], cheapest: null, unsure: false };
    const more = costs(study, by[0], objectives, asked, found), top = Choose.firstBy(study, found, by);
    const needed = rule === "value" ? [by[0].metric] : [...by, ...more].map((c) => c.metric);
    if (needed.some((name) => study.unpaired.has(name))) return { winner: top, tied: [], cheapest: null, unsure: true };
    const near = rivals(study, top, found, by[0]), read = new Set(near.map((each) => each.group));
    const taken = rule === "value" ? top : oneStandardError(study, near, by, more, read);
    if (taken !== top) for (const each of rivals(study, taken, found, by[0])) read.add(each.group);
    const apart = errorsApart(found.length);
    const tied = found.filter((each) => each !== taken && isNoise(difference(study, taken, each, by[0].metric, read), apart));
    return { winner: taken, tied, cheapest: cheapest(study, [taken, ...tied], more), unsure: false };
  }

  /** The cheapest by the first cost that all of them have. */
  function cheapest(study, found, more) {
    for (const cost of more) {
      const means = found.map(({ group }) => Choose.meanOf(study, group, cost.metric));
      if (means.some(Number.isNaN)) continue;
      let at = 0;
      found.forEach((each, k) => {
        const order = Choose.signOf(cost) * means[k] - Choose.signOf(cost) * means[at] || study.trials.number[each.trial] - study.trials.number[found[at].trial];
        if (order < 0) at = k;
      });
      return { trial: found[at].trial, metric: cost.metric, value: means[at] };
    }
    return null;
  }

  const LEAST = { size: "smallest", latency: "fastest", latency_p95: "fastest", pipeline_latency: "fastest" };

  /** "7 trials are within noise of it; the smallest is trial 32, 0.0086 MB"; empty where none is. */
  function words(study, { winner, tied, cheapest: least }) {
    if (winner === null || !tied.length) return "";
    const n = (trial) => study.trials.number[trial];
    const text = tied.length > 1 ? `${tied.length.toLocaleString("en-US")} trials are within noise of it` : `trial ${n(tied[0].trial)} is within noise of it`;
    if (least === null) return text;
    const most = LEAST[Choose.quantityOf(study, least.metric)], best = most ? `the ${most}` : `the best by ${least.metric}`;
    if (least.trial === winner.trial) return `${text}, and it is ${best} of them`;
    const shown = Text.withUnit(study, least.metric, least.value);
    if (tied.length === 1) return `${text} and ${most ? `is ${most.slice(0, -3)}er` : `has a better ${least.metric}`}, ${shown}`;
    return `${text}; ${best} is trial ${n(least.trial)}, ${shown}`;
  }

  /** Ends of the 95% interval of a trial's metric, within the metric's range; null where nothing is known of it. */
  function interval(study, name, i) {
    const own = recorded(study, name, i), value = Choose.valueOf(study, name, i), metric = study.metrics.get(name);
    return own ? ends(metric, value, own) : null;
  }

  /** The same of the mean over the seeds of a configuration. */
  function intervalOf(study, each, name) {
    const own = error(study, each, name, new Set([each.group]));
    return own ? ends(study.metrics.get(name), Choose.meanOf(study, each.group, name), own) : null;
  }

  function ends(metric, value, own) {
    if (!isFinite(value) || own < TURNS) return null;
    const [floor, ceiling] = metric.range ?? [null, null];
    return [Math.max(value - NORMAL_95 * own, floor ?? -Infinity), Math.min(value + NORMAL_95 * own, ceiling ?? Infinity)];
  }

  return { unpack, choice, words, interval, intervalOf, errorsApart, quantile };
})();
if (typeof module !== "undefined") {
  globalThis.Choose ??= require("./choose.js");
  globalThis.Text ??= require("./text.js");
  module.exports = Noise;
}

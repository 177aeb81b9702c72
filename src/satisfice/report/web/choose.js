"use strict";
/* Which trial a question chooses: the rules of satisfice.choose, to the last bit.

Pure: no document, no clock. Every function takes the study as `read` gives it; trials are places in its columns.
A test puts the same random questions to this file and to Python.
*/
const Choose = (() => {
  const LARGEST = Number.MAX_VALUE;
  const STRICT_EQUALITY = 1e-12;
  const ROUNDING = 4 * 2 ** -52;
  const INFINITE = { nan: NaN, inf: Infinity, "-inf": -Infinity };

  /** A number as it travels in JSON: words for what JSON has no number for; null is NaN too: see `known`. */
  const number = (value) => (value === null ? NaN : typeof value === "number" ? value : INFINITE[value]);

  /** The study as the rules read it, from the page's JSON. */
  function read(data) {
    const metrics = new Map();
    for (const m of data.metrics) {
      const values = Float64Array.from(m.values, number);
      const known = Uint8Array.from(m.values, (v) => (v === null ? 0 : 1));
      metrics.set(m.name, { ...m, values, known });
    }
    const n = data.trials.number.length;
    const study = { ...data, n, metrics, stored: new Map(), pending: new Set(data.trials.pending) };
    for (const { key, differ } of data.violations) {
      study.stored.set(key, new Map(Object.entries(differ).map(([i, v]) => [Number(i), number(v)])));
    }
    study.groups = configurations(study);
    study.grouped = new Set(study.groups.flatMap((g) => g.members));
    return study;
  }

  /** Every configuration with complete trials; one trained with several seeds has several members. */
  function configurations(study) {
    const t = study.trials, groups = new Map();
    for (let i = 0; i < study.n; i++) {
      if (t.state[i] !== "C" || study.pending.has(i)) continue;
      const first = study.replicates[i] ?? t.number[i];
      if (!groups.has(first)) groups.set(first, []);
      groups.get(first).push(i);
    }
    return [...groups].map(([first, members]) => ({ first, members, means: study.means[first] ?? null }));
  }

  const isUpper = (c) => c.operator === "<=" || c.operator === "<";

  /** How far a value misses a bound, in units of the bound's size: satisfied exactly if <= 0. */
  function violation(c, value) {
    if (Number.isNaN(value)) return Infinity;
    const scale = Math.abs(c.bound) || 1, sign = isUpper(c) ? 1 : -1;
    const excess = sign * (value - c.bound);
    if (excess === 0 && c.operator.length === 1) return STRICT_EQUALITY;
    if (!Number.isFinite(value)) return excess;
    const share = Number.isFinite(excess) ? excess / scale : sign * (value / scale - c.bound / scale);
    return Math.min(Math.max(share, -LARGEST), LARGEST);
  }

  const satisfied = (c, value) => violation(c, value) <= 0;

  /** A number in at most 12 digits, as Python's %.12g writes it. */
  function twelve(value) {
    if (value === 0) return Object.is(value, -0) ? "-0" : "0";
    const [lead, exponent] = value.toExponential(11).split("e");
    const power = Number(exponent);
    const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
    if (power < -4 || power >= 12) {
      const two = String(Math.abs(power)).padStart(2, "0");
      return `${trim(lead)}e${power < 0 ? "-" : "+"}${two}`;
    }
    return trim(Number(value.toPrecision(12)).toFixed(Math.max(0, 11 - power)));
  }

  const keyOf = (c) => `${c.metric} ${c.operator} ${twelve(c.bound)}`;

  /** The metric's value of a trial; NaN where there is none. */
  function valueOf(study, name, i) {
    const metric = study.metrics.get(name);
    return metric === undefined ? NaN : metric.values[i];
  }

  const isKnown = (study, name, i) => Boolean(study.metrics.get(name)?.known[i]);

  /** The verdict written with the trial where there is one, else that of its value. */
  function missOf(study, c, i) {
    const differ = study.stored.get(c.key ?? keyOf(c));
    if (differ !== undefined && differ.has(i)) return differ.get(i);
    return violation(c, valueOf(study, c.metric, i));
  }

  const meets = (study, asked, i) => asked.every((c) => !(missOf(study, c, i) > 0));

  /** Mean of a metric over the seeds; of one trial its value. Python has added the means exactly. */
  const meanOf = (study, group, name) =>
    group.members.length > 1 ? number(group.means?.[name] ?? null) : valueOf(study, name, group.members[0]);

  /** The trial that stands for a configuration: the earliest that meets every bound by itself, else the earliest. */
  const standsFor = (study, asked, group) => group.members.find((i) => meets(study, asked, i)) ?? group.members[0];

  const byNumber = (study) => (a, b) => study.trials.number[a.trial] - study.trials.number[b.trial];

  function fits(study, asked, group, trial) {
    if (!meets(study, asked, trial)) return false;
    if (group.members.length === 1) return true;
    return asked.every((c) => {
      const mean = meanOf(study, group, c.metric);
      return Number.isNaN(mean) || satisfied(c, mean);
    });
  }

  /** Every configuration with the trial that stands for it and whether it fits, by that trial's number. */
  function judged(study, asked) {
    return study.groups
      .map((group) => {
        const trial = standsFor(study, asked, group);
        return { group, trial, fits: fits(study, asked, group, trial) };
      })
      .sort(byNumber(study));
  }

  const candidates = (study, asked) => judged(study, asked).filter((each) => each.fits);

  const quantityOf = (study, name) => study.metrics.get(name)?.quantity ?? study.quantities[name]?.[0] ?? name;
  const scaleOf = (study, name) => study.metrics.get(name)?.scale ?? study.quantities[name]?.[1] ?? 1;
  const same = (a, b) => a.metric === b.metric && a.operator === b.operator && a.bound === b.bound;

  /** The study's bounds with those of a question: one on the same quantity and side replaces them. */
  function merged(study, own, where) {
    const side = (c) => `${isUpper(c)} ${quantityOf(study, c.metric)}`;
    const replaced = new Set(where.map(side));
    const all = [...own.filter((c) => !replaced.has(side(c))), ...where];
    return all.filter((c, i) => all.findIndex((d) => same(c, d)) === i).map((c) => ({ ...c, key: keyOf(c) }));
  }

  const sameGoal = (a, b) => a.metric === b.metric && a.direction === b.direction;
  const signOf = (objective) => (objective.direction === "minimize" ? 1 : -1);

  /** What a question chooses by: its criteria, then the other objectives. */
  function criteria(objectives, first) {
    const named = new Set(first.map((c) => c.metric));
    const rest = objectives.filter((o) => !named.has(o.metric));
    return [...first, ...rest].map((c) => ({ tolerance: 0, relative: false, ...c }));
  }

  function asGood(criterion, loss, least) {
    if (loss === least || !criterion.tolerance || !Number.isFinite(loss) || !Number.isFinite(least)) return loss === least;
    const tolerance = criterion.relative ? criterion.tolerance * Math.abs(least) : criterion.tolerance;
    return loss - least <= tolerance + ROUNDING * Math.max(Math.abs(loss), Math.abs(least));
  }

  /** Each criterion keeps what is within its tolerance of the best left; what stays equal goes to the lowest number. */
  function firstBy(study, found, by) {
    let left = found;
    for (const criterion of by) {
      const losses = left.map(({ group }) => {
        const mean = meanOf(study, group, criterion.metric);
        return Number.isNaN(mean) ? Infinity : signOf(criterion) * mean;
      });
      const least = losses.reduce((a, b) => Math.min(a, b), Infinity);
      left = left.filter((_, i) => asGood(criterion, losses[i], least));
    }
    return left.reduce((a, b) => (study.trials.number[b.trial] < study.trials.number[a.trial] ? b : a));
  }

  /** The configuration to ship, or null where none fits and has the first metric. */
  function best(study, asked, by, among = candidates(study, asked)) {
    const scored = among.filter(({ group }) => !Number.isNaN(meanOf(study, group, by[0].metric)));
    return scored.length ? firstBy(study, scored, by) : null;
  }

  const compareLosses = (a, b) => {
    for (let k = 0; k < a.length; k++) if (a[k] !== b[k]) return a[k] < b[k] ? -1 : 1;
    return 0;
  };

  /** What no other candidate dominates, with its losses, best on the first goal first. Equal ones stay together. */
  function front(study, goals, among, finite = false) {
    const rows = [];
    for (const each of among) {
      const losses = goals.map((o) => signOf(o) * meanOf(study, each.group, o.metric));
      if (losses.some((v) => Number.isNaN(v) || (finite && !Number.isFinite(v)))) continue;
      rows.push({ ...each, losses });
    }
    rows.sort((a, b) => compareLosses(a.losses, b.losses) || byNumber(study)(a, b));
    const kept = [];
    for (const row of rows) {
      // Sorted so, nothing that comes later dominates what stands.
      const beaten = kept.some((k) => compareLosses(k.losses, row.losses) !== 0 && k.losses.every((v, j) => v <= row.losses[j]));
      if (!beaten) kept.push(row);
    }
    return kept;
  }

  /** What more of a cost buys of the objective, step by step along the front of the two. */
  function price(study, cost, goal, among) {
    const points = [];
    for (const row of front(study, [cost, goal], among, true)) {
      const last = points[points.length - 1];
      const loss = row.losses[1];
      if (last !== undefined && loss === signOf(goal) * last.value) continue;
      const more = last === undefined ? null : row.losses[0] - signOf(cost) * last.cost;
      const gain = last === undefined ? null : signOf(goal) * last.value - loss;
      points.push({ trial: row.trial, cost: signOf(cost) * row.losses[0], value: signOf(goal) * loss, more, gain });
    }
    return points;
  }

  /** Violations of a configuration as it is judged: of several seeds, the trial's own or that of the mean. */
  function missesOf(study, asked, group, trial) {
    return asked.map((c) => {
      const own = missOf(study, c, trial);
      if (group === null || group.members.length === 1) return own;
      const mean = meanOf(study, group, c.metric);
      return Number.isNaN(mean) ? own : Math.max(own, violation(c, mean));
    });
  }

  /** The finished trial with the smallest sum of violations, or null. */
  function nearestMiss(study, asked) {
    const t = study.trials;
    const whole = judged(study, asked).map(({ group, trial }) => ({ group, trial }));
    for (let i = 0; i < study.n; i++) if (!study.grouped.has(i)) whole.push({ group: null, trial: i });
    let nearest = null;
    for (const { group, trial } of whole) {
      if ((t.state[trial] !== "C" && t.state[trial] !== "P") || study.pending.has(trial)) continue;
      const misses = missesOf(study, asked, group, trial);
      const missed = misses.filter((v) => v > 0);
      const unknown = missed.filter((v) => !Number.isFinite(v)).length;
      if (!missed.length || (unknown === missed.length && t.state[trial] !== "C")) continue;
      const total = missed.filter(Number.isFinite).reduce((a, b) => a + b, 0);
      const rank = [unknown, total, missed.length, t.state[trial] === "C" ? 0 : 1, t.number[trial]];
      if (nearest === null || compareLosses(rank, nearest.rank) < 0) nearest = { rank, trial, group, misses };
    }
    return nearest;
  }

  /** How many configurations are complete, how many fit, and for each bound how many miss it. */
  function counts(study, asked, all = judged(study, asked)) {
    const missed = asked.map(() => 0), alone = asked.map(() => 0);
    for (const { group, trial } of all) missesOf(study, asked, group, trial).forEach((v, k) => (missed[k] += v > 0 ? 1 : 0));
    const fitting = all.filter((each) => each.fits).length;
    asked.forEach((c, k) => (alone[k] = candidates(study, asked.filter((d) => !same(c, d))).length - fitting));
    return { finished: all.length, fitting, missed, alone };
  }

  const sameSide = (study, a, b) => quantityOf(study, a.metric) === quantityOf(study, b.metric) && isUpper(a) === isUpper(b);

  function asTight(study, a, b) {
    if (!sameSide(study, a, b) || keyOf(a) === keyOf(b)) return keyOf(a) === keyOf(b);
    const here = a.bound * scaleOf(study, a.metric), there = b.bound * scaleOf(study, b.metric);
    if (here === there) return a.operator.length === 1 || b.operator.length === 2;
    return isUpper(a) ? here < there : here > there;
  }

  /** What the question admits and was turned away or stopped: nobody knows what is there. */
  const unseen = (study, asked) => study.beyond.filter((u) => !asked.some((c) => asTight(study, c, u)));

  return {
    read, violation, satisfied, keyOf, twelve, valueOf, isKnown, meanOf, judged, candidates, merged, criteria, best,
    front, price, nearestMiss, counts, unseen, missesOf, isUpper, signOf, same, sameGoal, sameSide, number, quantityOf, asGood, firstBy,
  };
})();
if (typeof module !== "undefined") module.exports = Choose;

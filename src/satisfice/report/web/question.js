"use strict";
/* One choice in the explorer, answered: winner, front, counts, price, nearest miss, and the command line. Pure. */
const Question = (() => {
  /** The study as the page uses it: the rules' columns, and places by trial number. */
  function open(data) {
    const study = Choose.read(data);
    const places = new Map(study.trials.number.map((n, i) => [n, i]));
    study.influences = new Map(); // until Noise.unpack has read them
    study.unpaired = new Set((data.noise?.carried ?? []).map((c) => c.metric).concat(data.noise?.left_out ?? []));
    study.place = (number) => (number === null || number === undefined ? -1 : places.get(number) ?? -1);
    return study;
  }

  /** The question of a profile, or of the study itself (null): objectives, bounds, and an order of preference. */
  function base(study, profile) {
    const own = (study.study.profiles ?? []).find((p) => p.name === profile);
    return own ?? { name: null, objectives: study.study.objectives, constraints: study.study.constraints, order: [] };
  }

  /** What the page asks at first: what `satisfice best NAME` asks, of a profile with `--profile`. */
  function first(study, profile = null) {
    const { objectives, constraints, order } = base(study, profile);
    const bounds = constraints.map((c) => ({ ...c, own: c }));
    const second = objectives[1]?.metric ?? constraints.find((c) => c.metric !== objectives[0].metric)?.metric ?? null;
    const by = order.length ? "profile" : "goal", rule = study.study.asked?.rule ?? study.study.rule ?? "value";
    return { profile, goal: objectives[0], by, rule, tolerance: 0, then: null, bounds, x: second, y: objectives[0].metric };
  }

  /* The bounds that a command line must name: with one that was changed all others on its quantity and side, since
  together they replace the study's. */
  function clauses(study, bounds) {
    const changed = bounds.filter((c) => !c.own || !Choose.same(c, c.own));
    return bounds.filter((c) => changed.some((d) => d === c || Choose.sameSide(study, c, d))).map(bare);
  }

  const bare = ({ metric, operator, bound }) => ({ metric, operator, bound });

  function command(study, state, name = "best") {
    const words = ["satisfice", name, study.study.name], { objectives, order } = base(study, state.profile);
    const asked = order.length ? state.by === "profile" : Choose.sameGoal(objectives[0], state.goal);
    if (state.profile) words.push("--profile", state.profile);
    if (state.by === "within" && state.then !== null) {
      words.push("--order", `${state.goal.direction} ${state.goal.metric} within ${state.tolerance}`);
      words.push("--order", `${state.then.direction} ${state.then.metric}`);
    } else if (!asked) {
      words.push(`--${state.goal.direction}`, state.goal.metric);
    }
    if (state.rule !== (study.study.rule ?? "value")) words.push("--rule", state.rule);
    for (const c of clauses(study, state.bounds)) words.push("--where", Text.clause(c));
    return words.map(Text.quoted).join(" ");
  }

  /** Everything that changes with the question. */
  function answer(study, state) {
    const { objectives, constraints, order } = base(study, state.profile);
    const asked = Choose.merged(study, constraints, clauses(study, state.bounds));
    const within = state.by === "within" && state.then !== null;
    const preferred = within ? [{ ...state.goal, tolerance: state.tolerance }, state.then] : [state.goal];
    const by = Choose.criteria(objectives, state.by === "profile" && order.length ? order : preferred);
    const judged = Choose.judged(study, asked), fitting = judged.filter((each) => each.fits);
    const choice = Noise.choice(study, objectives, asked, by, fitting, state.rule), { winner } = choice;
    const whole = Choose.front(study, objectives, fitting);
    const axes = [state.x, state.y].filter((name) => name !== null).map((name) => ({ metric: name, direction: directionOf(study, name, asked) }));
    const paired = axes.length === 2 && state.x !== state.y && axes.every((a) => a.direction !== null);
    const pair = paired ? Choose.front(study, axes, fitting) : [];
    const goal = { metric: by[0].metric, direction: by[0].direction };
    const cost = paired && state.x !== goal.metric ? axes[0] : null;
    return {
      asked, by, objectives, judged, fitting, choice, winner, whole, pair,
      counts: Choose.counts(study, asked, judged),
      nearest: winner === null ? Choose.nearestMiss(study, asked) : null,
      price: cost === null ? null : { cost, goal, steps: Choose.price(study, cost, goal, fitting) },
      unseen: Choose.unseen(study, asked),
      kinds: PlotData.kinds(study, asked, judged, pair, whole),
      direction: (name) => directionOf(study, name, asked),
      command: command(study, state),
    };
  }

  /** What is better of a metric: by the study's objectives, by its nature, by the side that bounds leave open. */
  function directionOf(study, name, asked) {
    const known = study.study.objectives.find((o) => o.metric === name)?.direction ?? study.metrics.get(name)?.direction;
    if (known) return known;
    const sides = new Set(asked.filter((c) => c.metric === name).map(Choose.isUpper));
    return sides.size === 1 ? (sides.has(true) ? "minimize" : "maximize") : null;
  }

  /** The answer in one sentence. */
  function sentence(study, found) {
    if (found.winner === null) return nothing(study, found);
    const { group, trial } = found.winner;
    const told = (name) => {
      const own = found.asked.filter((c) => c.metric === name), mean = Choose.meanOf(study, group, name);
      const limits = own.map((c) => ` ${{ "<=": "≤", ">=": "≥" }[c.operator] ?? c.operator} ${Text.number(c.bound, 12)}`);
      const ends = Text.between(Noise.intervalOf(study, found.winner, name));
      return `${name} ${Number.isNaN(mean) ? "unknown" : Text.beside(mean, own)}${ends ? ` (${ends})` : ""}${limits.join(" and")}`;
    };
    const names = [...new Set([...found.by.map((c) => c.metric), ...found.asked.map((c) => c.metric)])];
    const seeds = group.members.length > 1 ? ` (mean of ${group.members.length} seeds)` : "";
    return `Trial ${study.trials.number[trial]}${seeds}: ${Text.joined(names.map(told))}.`;
  }

  function nothing(study, found) {
    if (!found.counts.finished) return "No trial is complete.";
    if (found.fitting.length) return `No trial that fits has a value of ${found.by[0].metric}.`;
    if (found.nearest === null) return "Nothing fits.";
    return `Nothing fits. The nearest is trial ${study.trials.number[found.nearest.trial]}: ${missed(study, found)}.`;
  }

  /** Which bounds the nearest trial misses, and by how much. */
  function missed(study, found) {
    const { trial, group, misses } = found.nearest;
    const parts = [];
    found.asked.forEach((c, k) => {
      if (!(misses[k] > 0)) return;
      const value = group === null ? Choose.valueOf(study, c.metric, trial) : Choose.meanOf(study, group, c.metric);
      if (Number.isNaN(value)) parts.push(`${c.metric} of ${Choose.keyOf(c)} is not known`);
      else parts.push(`${c.metric} ${Text.beside(value, [c])} misses ${Choose.keyOf(c)} by ${Text.number(Math.abs(value - c.bound), 3)}`);
    });
    return Text.joined(parts);
  }

  /** What the next step of the cost buys, dearest last. */
  function priceSentence(study, { cost, goal, steps }) {
    const n = (trial) => study.trials.number[trial];
    if (!steps.length) return `No trial that fits has finite values of ${cost.metric} and ${goal.metric}.`;
    const last = steps[steps.length - 1];
    if (last.more === null) return `Trial ${n(last.trial)} has both the best ${cost.metric} and the best ${goal.metric}: nothing is to buy.`;
    const before = steps[steps.length - 2];
    const verb = cost.direction === "minimize" ? "costs" : "gives up";
    const which = steps.length === 2 ? "The only step" : `The last of ${steps.length - 1} steps`;
    return `${which} ${verb} ${Text.number(last.more)} of ${cost.metric} (${Text.number(before.cost)} to ${Text.number(last.cost)}) and buys `
      + `${Text.number(last.gain)} of ${goal.metric} (${Text.number(before.value)} to ${Text.number(last.value)}), by trial ${n(last.trial)} instead of ${n(before.trial)}.`;
  }

  /* A filter: conditions joined by ";". Each is "name op value" over metrics, parameters, trial, state and fits, or words
  that the reason must contain. Throws a sentence where a name is not known. */
  function filter(study, text, fitting) {
    const tests = text.split(";").map((t) => t.trim()).filter(Boolean).map((term) => condition(study, term, fitting));
    return (place) => tests.every((test) => test(place));
  }

  const plain = (label) => label.toLowerCase().replaceAll("_", " "); // as the table shows it, or as commands do

  const STATES = { C: "COMPLETE", P: "PRUNED", F: "FAIL", R: "RUNNING", W: "WAITING" };

  function condition(study, term, fitting) {
    const match = /^(.*?)\s*(<=|>=|!=|=|<|>)\s*(.*)$/.exec(term);
    if (match === null) return (i) => (reasonOf(study, i) ?? "").toLowerCase().includes(term.toLowerCase());
    const [, name, operator, wanted] = match, value = reader(study, name, fitting);
    if (value === null) throw new Error(`No metric or parameter is called ${name}.`);
    const number = Number(wanted);
    const isNumber = wanted !== "" && !Number.isNaN(number);
    if (!isNumber && operator !== "=" && operator !== "!=") throw new Error(`${wanted || "Nothing"} is no number.`);
    return (i) => {
      const own = value(i);
      if (own === null || Number.isNaN(own)) return operator === "!=";
      if (Array.isArray(own)) return own.some((each) => plain(each) === plain(wanted)) === (operator === "=");
      const equal = isNumber && typeof own === "number" ? own === number : String(own).toLowerCase() === wanted.toLowerCase();
      return { "=": equal, "!=": !equal, "<=": own <= number, ">=": own >= number, "<": own < number, ">": own > number }[operator];
    };
  }

  function reader(study, name, fitting) {
    if (study.metrics.has(name)) return (i) => Choose.valueOf(study, name, i);
    const param = study.params.find((p) => p.name === name);
    if (param !== undefined) {
      return (i) => {
        const raw = param.values[i];
        if (raw === null) return null;
        return param.kind === "choice" ? param.choices[raw].text : Choose.number(raw);
      };
    }
    if (name === "diagnosis") return (i) => (study.trials.diagnosis[i] ?? []).map(([label]) => label);
    if (name === "trial") return (i) => study.trials.number[i];
    if (name === "state") return (i) => STATES[study.trials.state[i]];
    if (name === "fits") return (i) => (fitting.has(i) ? "yes" : "no");
    return null;
  }

  const textOf = (study, column, i) => {
    const place = study.trials[column][i];
    return place === null ? null : study.trials.texts[place];
  };
  const reasonOf = (study, i) => textOf(study, "reason", i);

  return { open, base, first, clauses, command, answer, directionOf, sentence, missed, priceSentence, filter, reasonOf, textOf, STATES };
})();
if (typeof module !== "undefined") {
  globalThis.Choose ??= require("./choose.js");
  globalThis.Text ??= require("./text.js");
  globalThis.Noise ??= require("./noise.js");
  globalThis.PlotData ??= require("./plot_data.js");
  module.exports = Question;
}

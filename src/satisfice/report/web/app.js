"use strict";
/* The page: reads the controls, asks question.js, and shows the answer everywhere at once. */
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const study = Question.open(data);
  const state = { ...Question.first(study, study.study.asked?.profile ?? null), brush: null, ranges: new Map(), filter: "", onlyFitting: false, sort: ["trial", 1], from: 0, hidden: new Set(), focused: -1, closely: false, intervals: true };
  const ROWS = 50, STEPS = 200;
  let found, passes = () => true, brushed = null, places = [];

  // -- small things ----------------------------------------------------------------------------------------
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  function options(select, entries, chosen) {
    select.replaceChildren(...entries.map(([value, text]) => make("option", { value, selected: value === chosen }, text)));
    select.value = chosen;
  }

  const announce = (text) => { $("announce").textContent = text; };

  async function copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", {}, text);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    document.documentElement.dataset.copied = text;
    announce(`${what} copied.`);
  }

  const metricNames = [...study.metrics.keys()];
  const numbered = (place) => `trial ${study.trials.number[place]}`;

  // -- the question ----------------------------------------------------------------------------------------
  function objectiveEntries() {
    const entries = [];
    for (const name of metricNames) {
      const known = Question.directionOf(study, name, study.study.constraints);
      for (const direction of known === null ? ["maximize", "minimize"] : [known]) entries.push([`${direction} ${name}`, `${direction} ${name}`]);
    }
    return entries;
  }

  const parsed = (text) => {
    const [direction] = text.split(" ", 1);
    return { metric: text.slice(direction.length + 1), direction };
  };
  const said = (o) => `${o.direction} ${o.metric}`;

  function setUp() {
    if ($("profile") !== null) $("profile").value = state.profile ?? "";
    $("profile")?.addEventListener("change", reset);
    drawRules();
    options($("goal"), objectiveEntries(), said(state.goal));
    drawThen(state.x);
    const axes = metricNames.map((n) => [n, n]);
    options($("axis-y"), axes, state.y);
    options($("axis-x"), axes, state.x ?? state.y);
    options($("new-metric"), axes, metricNames.find((n) => !state.bounds.some((c) => c.metric === n)) ?? metricNames[0]);
    $("goal").addEventListener("change", () => { state.goal = parsed($("goal").value); drawThen(parsed($("then").value).metric); if (state.by === "profile") $("by").value = "goal"; readRule(); update(); });
    $("by").addEventListener("change", () => { readRule(); update(); });
    $("rule").addEventListener("change", () => { readRule(); update(); });
    $("tolerance").addEventListener("input", () => { readRule(); update(); });
    $("then").addEventListener("change", () => { readRule(); update(); });
    $("axis-x").addEventListener("change", () => { state.x = $("axis-x").value; update(); });
    $("axis-y").addEventListener("change", () => { state.y = $("axis-y").value; update(); });
    $("new-bound").addEventListener("click", addBound);
    $("reset").addEventListener("click", reset);
    $("copy-command").addEventListener("click", () => copy(found.command, "Command"));
    $("clear-brush").addEventListener("click", clearBrush);
    $("closely").addEventListener("click", () => {
      state.closely = !state.closely;
      $("closely").setAttribute("aria-pressed", String(state.closely));
      drawScatter(selection());
    });
  }

  /** The profile's own order is a rule only where a profile with one is chosen. */
  function drawRules() {
    const option = $("by").querySelector("[value=profile]");
    if (option !== null) option.hidden = option.disabled = !Question.base(study, state.profile).order.length;
    $("by").value = state.by;
    $("rule").value = state.rule;
  }

  /** What a rule may go on with: every metric but the one that it begins with. */
  function drawThen(wanted) {
    const others = objectiveEntries().filter(([v]) => parsed(v).metric !== state.goal.metric);
    options($("then"), others, others.find(([v]) => parsed(v).metric === wanted)?.[0] ?? others[0]?.[0] ?? "");
    $("by").querySelector("[value=within]").disabled = !others.length;
  }

  function readRule() {
    state.rule = $("rule").value;
    state.by = $("by").value;
    state.tolerance = Math.max(0, Number($("tolerance").value) || 0);
    state.then = state.by === "within" ? parsed($("then").value) : null;
    for (const element of document.querySelectorAll(".within")) element.hidden = state.by !== "within";
  }

  function reset() {
    Object.assign(state, Question.first(study, $("profile")?.value || null));
    options($("goal"), objectiveEntries(), said(state.goal));
    drawThen(state.x);
    drawRules();
    readRule();
    $("axis-x").value = state.x ?? state.y;
    $("axis-y").value = state.y;
    drawBounds();
    update();
  }

  function addBound() {
    const metric = $("new-metric").value;
    const direction = Question.directionOf(study, metric, study.study.constraints), values = boundValues(metric);
    if (!values.length) return announce(`No trial has a finite ${metric}.`);
    const upper = direction !== "maximize";
    state.bounds.push({ metric, operator: upper ? "<=" : ">=", bound: upper ? values[values.length - 1] : values[0], own: null });
    drawBounds();
    update();
    $("bounds").lastElementChild.querySelector("input").focus();
  }

  /** Positions of a slider: values that trials have, rounded so that they still pass. */
  function boundValues(metric, upper = true) {
    const values = [...new Set([...study.metrics.get(metric)?.values ?? []].filter(Number.isFinite))].sort((a, b) => a - b);
    const step = Math.max(1, Math.ceil(values.length / STEPS));
    return values.filter((_, i) => i % step === 0 || i === values.length - 1).map((v) => outwards(v, upper));
  }

  /** The value in four digits, moved to the side on which it still passes. */
  function outwards(value, upper) {
    const short = Number(value.toPrecision(4));
    if (short === value || (upper ? short > value : short < value)) return short;
    const unit = 10 ** (Math.floor(Math.log10(Math.abs(value))) - 3);
    return Number((short + (upper ? unit : -unit)).toPrecision(4));
  }

  function drawBounds() {
    const colours = Draw.theme();
    $("bounds").replaceChildren(...state.bounds.map((bound, k) => {
      const id = `bound-${k}`, values = [...new Set([...boundValues(bound.metric, Choose.isUpper(bound)), ...(bound.own ? [bound.own.bound] : [])])].sort((a, b) => a - b);
      const nearest = () => values.reduce((best, v, i) => (Math.abs(v - bound.bound) < Math.abs(values[best] - bound.bound) ? i : best), 0);
      const input = make("input", { type: "number", step: "any", id, value: bound.bound });
      const slider = make("input", { type: "range", min: 0, max: Math.max(0, values.length - 1), value: nearest(), "aria-label": `${bound.metric} ${bound.operator}, slider` });
      const set = (value) => { bound.bound = value; slider.setAttribute("aria-valuetext", Text.number(value)); update(); };
      input.addEventListener("input", () => {
        const value = Number(input.value);
        if (input.value === "" || !Number.isFinite(value)) return input.setAttribute("aria-invalid", "true");
        input.removeAttribute("aria-invalid");
        slider.value = nearest();
        return set(value);
      });
      slider.addEventListener("input", () => { input.value = values[Number(slider.value)]; set(values[Number(slider.value)]); });
      slider.setAttribute("aria-valuetext", Text.number(bound.bound));
      const row = make("div", { class: "bound" }, make("label", { for: id }, swatch(k, colours), ` ${bound.metric} ${bound.operator}`), input, slider);
      if (bound.own === null) {
        row.append(make("button", { type: "button", "aria-label": `Remove the bound on ${bound.metric}`, onclick: () => { state.bounds.splice(k, 1); drawBounds(); update(); $("new-bound").focus(); } }, "Remove"));
      }
      return row;
    }));
  }

  const SVG = "http://www.w3.org/2000/svg";
  function swatch(k, colours) {
    const svg = document.createElementNS(SVG, "svg"), line = document.createElementNS(SVG, "line");
    for (const [name, value] of Object.entries({ width: 34, height: 10, "aria-hidden": "true" })) svg.setAttribute(name, value);
    for (const [name, value] of Object.entries({ x1: 0, x2: 34, y1: 5, y2: 5, stroke: colours.bounds[k % 6], "stroke-width": 2.5, "stroke-dasharray": Draw.DASHES[k % 6].join(" ") })) line.setAttribute(name, value);
    svg.append(line);
    return svg;
  }

  // -- the answer ------------------------------------------------------------------------------------------
  function update() {
    const begun = performance.now();
    found = Question.answer(study, state);
    $("winner").textContent = Question.sentence(study, found);
    $("winner").classList.toggle("bad", found.winner === null);
    showFacts();
    $("command").textContent = found.command;
    refresh(false);
    document.documentElement.dataset.reacted = (performance.now() - begun).toFixed(1);
    document.documentElement.dataset.answer = JSON.stringify(summary());
    requestAnimationFrame(() => refresh(true));
  }

  /** What tests compare with Python. */
  function summary() {
    const numbers = (rows) => rows.map((r) => study.trials.number[r.trial]);
    return {
      winner: found.winner === null ? null : study.trials.number[found.winner.trial],
      front: numbers(found.whole), pair: numbers(found.pair), fitting: numbers(found.fitting),
      tied: numbers(found.choice.tied).sort((a, b) => a - b), cheapest: found.choice.cheapest === null ? null : study.trials.number[found.choice.cheapest.trial],
      counts: found.counts, nearest: found.nearest === null ? null : study.trials.number[found.nearest.trial],
    };
  }

  function showFacts() {
    const { counts, whole, pair, asked, price, unseen, choice } = found, facts = [];
    const tied = Noise.words(study, choice);
    if (tied) facts.push(`${tied[0].toUpperCase()}${tied.slice(1)}.`);
    if (choice.unsure) facts.push(`${state.rule === "value" ? "Which trials are within noise of it" : "Which trial this rule takes"} is not told here, for this page does not carry the rows: the command below tells it.`);
    facts.push(`${counts.fitting.toLocaleString("en-US")} of ${Text.plural(counts.finished, "finished configuration")} ${counts.fitting === 1 ? "fits" : "fit"}; the front of ${state.profile === null ? "the study" : state.profile}'s objectives has ${Text.plural(whole.length, "trial")}${pair.length ? `, that of the two axes ${pair.length.toLocaleString("en-US")}` : ""}.`);
    asked.forEach((c, k) => {
      if (counts.missed[k]) facts.push(`${Choose.keyOf(c)} is missed by ${counts.missed[k].toLocaleString("en-US")}; ${counts.alone[k].toLocaleString("en-US")} more would fit without it alone.`);
    });
    if (price !== null && found.winner !== null) facts.push(Question.priceSentence(study, price));
    for (const u of unseen) facts.push(`${u.sentence[0].toUpperCase()}${u.sentence.slice(1)}.`);
    $("facts").replaceChildren(...facts.map((text) => make("li", {}, text)));
  }

  /** Which trials are shown as they are; the others are faded. Null: all. */
  function selection() {
    const limited = brushed !== null || state.filter.trim() || state.onlyFitting || state.ranges.size;
    if (!limited) return null;
    const kept = new Set();
    for (let i = 0; i < study.n; i++) if (isShown(i)) kept.add(i);
    return kept;
  }

  const isShown = (i) => (brushed === null || brushed.has(i)) && inRanges(i) && (!state.onlyFitting || fittingSet.has(i)) && passes(i);
  let fittingSet = new Set(), parallelPlot = null, rowOf = new Map();

  function inRanges(i) {
    if (!state.ranges.size) return true;
    const r = rowOf.get(i);
    if (r === undefined) return false;
    return parallelPlot.axes.every((axis) => {
      const range = state.ranges.get(axis.name);
      return range === undefined || (axis.places[r] >= range[0] - 1e-9 && axis.places[r] <= range[1] + 1e-9);
    });
  }

  /** Draw again; what is slow is left for the next frame. */
  function refresh(slow) {
    fittingSet = new Set(found.fitting.flatMap((f) => f.group.members));
    if (!slow) {
      readFilter();
      const kept = selection();
      drawScatter(kept);
      drawTable(kept);
      return;
    }
    inTurn([drawParallel, ...pictures]);
  }

  let round = 0;
  /** Draw one after the other, the page alive in between; a newer answer ends an older round. */
  function inTurn(draws, own = ++round) {
    if (own !== round || !draws.length) return;
    draws[0]();
    setTimeout(() => inTurn(draws.slice(1), own));
  }

  function relink() {
    readFilter();
    const kept = selection();
    drawScatter(kept);
    drawTable(kept);
    drawParallel();
  }

  function readFilter() {
    state.filter = $("filter").value;
    state.onlyFitting = $("only-fitting").checked;
    try {
      passes = Question.filter(study, state.filter, fittingSet);
      $("filter").removeAttribute("aria-invalid");
      $("filter-says").textContent = "";
    } catch (error) {
      passes = () => true;
      $("filter").setAttribute("aria-invalid", "true");
      $("filter-says").textContent = error.message;
    }
  }

  // -- scatter ---------------------------------------------------------------------------------------------
  function drawScatter(kept) {
    const plot = PlotData.scatter(study, found, state.x ?? null, state.y, state.closely);
    $("scatter-absent").hidden = plot !== null;
    $("scatter").hidden = plot === null;
    if (plot === null) return;
    places = Draw.scatter($("scatter"), plot, { asked: found.asked, shown: kept, focused: state.focused });
    const notes = [];
    if (plot.outside) notes.push(`${Text.plural(plot.outside, "point lies", "points lie")} outside this view.`);
    if (plot.without) notes.push(`${Text.plural(plot.without, "trial has", "trials have")} no finite value of both.`);
    $("scatter-says").textContent = notes.join(" ");
    const shape = found.pair.length ? `, ${found.pair.length} of them on the front` : "";
    $("scatter").setAttribute("aria-label", `${state.y} against ${state.x ?? "trial"}: ${Text.plural(plot.points.length, "point")}${shape}. Arrow keys go from point to point, Enter opens a trial, B adds it to the selection, Escape clears it.`);
  }

  function nearestPlace(x, y, among = places) {
    let best = null, least = 18 * 18;
    for (const p of among) {
      const d = (p.px - x) ** 2 + (p.py - y) ** 2;
      if (d < least) [best, least] = [p, d];
    }
    return best;
  }

  function tell(place) {
    const parts = [numbered(place)];
    for (const name of new Set([...found.objectives.map((o) => o.metric), ...found.asked.map((c) => c.metric), state.x, state.y])) {
      const v = name === null ? NaN : Choose.valueOf(study, name, place);
      if (!Number.isNaN(v)) parts.push(`${name} ${Text.beside(v, found.asked.filter((c) => c.metric === name))}`);
    }
    return parts.join(", ");
  }

  function interactive(canvas, marks, { tip, onBrush = null }) {
    let start = null;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", (event) => {
      start = at(event);
      if (onBrush) canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (start !== null && onBrush && event.buttons) return drawBox($("brush-box"), canvas, start, [x, y]);
      const near = nearestPlace(x, y, marks());
      tip.hidden = near === null;
      if (near !== null) {
        tip.textContent = tell(near.trial);
        tip.style.left = `${Math.min(near.px + 12, canvas.clientWidth - 220)}px`;
        tip.style.top = `${near.py + 12}px`;
      }
      return undefined;
    });
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("pointerup", (event) => {
      const end = at(event), begun = start;
      start = null;
      $("brush-box").hidden = true;
      if (begun === null) return;
      if (onBrush && Math.hypot(end[0] - begun[0], end[1] - begun[1]) > 6) return onBrush(begun, end);
      const near = nearestPlace(...end, marks());
      if (near !== null) openTrial(near.trial);
    });
    canvas.addEventListener("keydown", (event) => keys(event, canvas, marks()));
  }

  function drawBox(box, canvas, [x0, y0], [x1, y1]) {
    box.hidden = false;
    Object.assign(box.style, {
      left: `${Math.min(x0, x1) + canvas.offsetLeft}px`, top: `${Math.min(y0, y1) + canvas.offsetTop}px`,
      width: `${Math.abs(x1 - x0)}px`, height: `${Math.abs(y1 - y0)}px`,
    });
  }

  function brush([x0, y0], [x1, y1]) {
    const [left, right, top, bottom] = [Math.min(x0, x1), Math.max(x0, x1), Math.min(y0, y1), Math.max(y0, y1)];
    const inside = places.filter((p) => p.px >= left && p.px <= right && p.py >= top && p.py <= bottom);
    brushed = inside.length ? new Set(inside.map((p) => p.trial)) : null;
    announce(brushed === null ? "Nothing selected." : `${Text.plural(brushed.size, "trial")} selected.`);
    state.from = 0;
    relink();
  }

  function clearBrush() {
    brushed = null;
    state.ranges.clear();
    state.from = 0;
    relink();
    announce("Selection cleared.");
  }

  function keys(event, canvas, marks) {
    const order = [...marks].sort((a, b) => a.px - b.px || a.py - b.py), last = order.length - 1;
    const now = order.findIndex((p) => p.trial === state.focused);
    const moves = { ArrowRight: Math.min(last, now + 1), ArrowLeft: Math.max(0, now - 1), ArrowDown: Math.min(last, now + 10), ArrowUp: Math.max(0, now - 10), Home: 0, End: last };
    if (event.key in moves && last >= 0) {
      state.focused = order[moves[event.key]].trial;
      announce(tell(state.focused));
      drawScatter(selection());
    } else if (event.key === "Enter" && now >= 0) openTrial(state.focused);
    else if ((event.key === "b" || event.key === "B") && now >= 0) {
      brushed = new Set(brushed ?? []);
      if (!brushed.delete(state.focused)) brushed.add(state.focused);
      if (!brushed.size) brushed = null;
      announce(`${Text.plural(brushed?.size ?? 0, "trial")} selected.`);
      relink();
    } else if (event.key === "Escape") clearBrush();
    else return;
    event.preventDefault();
  }

  // -- parallel coordinates --------------------------------------------------------------------------------
  function parallelNames() {
    const named = [...new Set([...found.objectives.map((o) => o.metric), ...found.asked.map((c) => c.metric)])];
    return [...study.params.filter((p) => !study.metrics.has(p.name)).map((p) => p.name), ...named];
  }

  function drawParallel() {
    parallelPlot = PlotData.parallel(study, found, parallelNames());
    rowOf = new Map(parallelPlot.rows.map((each, r) => [each.trial, r]));
    $("parallel-absent").hidden = parallelPlot.rows.length > 1;
    $("parallel").hidden = parallelPlot.rows.length < 2;
    if (parallelPlot.rows.length < 2) return;
    Draw.parallel($("parallel"), parallelPlot, {
      shown: (r) => isShown(parallelPlot.rows[r].trial), ranges: state.ranges, chosen: found.winner?.trial ?? -1,
    });
    if (!$("range-axis").options.length) options($("range-axis"), parallelNames().map((n) => [n, n]), parallelNames()[0]);
  }

  function setUpParallel() {
    const canvas = $("parallel");
    let start = null;
    const at = (event) => {
      const box = canvas.getBoundingClientRect(), { x, top, bottom, axes } = canvas.parallel;
      const px = event.clientX - box.left, k = [...Array(axes).keys()].reduce((b, j) => (Math.abs(x(j) - px) < Math.abs(x(b) - px) ? j : b), 0);
      return [k, Math.min(1, Math.max(0, (bottom - (event.clientY - box.top)) / (bottom - top)))];
    };
    canvas.addEventListener("pointerdown", (event) => { start = at(event); canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointerup", (event) => {
      if (start === null) return;
      const [k, from] = start, [, to] = at(event), name = parallelPlot.axes[k].name;
      start = null;
      if (Math.abs(to - from) < 0.02) state.ranges.delete(name);
      else state.ranges.set(name, [Math.min(from, to), Math.max(from, to)]);
      state.from = 0;
      relink();
    });
    const readRange = () => {
      const low = Number($("range-low").value) / 100, high = Number($("range-high").value) / 100;
      if (low <= 0 && high >= 1) state.ranges.delete($("range-axis").value);
      else state.ranges.set($("range-axis").value, [Math.min(low, high), Math.max(low, high)]);
      state.from = 0;
      relink();
    };
    $("range-low").addEventListener("input", readRange);
    $("range-high").addEventListener("input", readRange);
    $("range-axis").addEventListener("change", () => {
      const [low, high] = state.ranges.get($("range-axis").value) ?? [0, 1];
      $("range-low").value = 100 * low;
      $("range-high").value = 100 * high;
    });
  }

  // -- table -----------------------------------------------------------------------------------------------
  const columns = [
    { name: "trial", value: (i) => study.trials.number[i], text: (i) => String(study.trials.number[i]) },
    { name: "state", value: (i) => Question.STATES[study.trials.state[i]], text: (i) => Question.STATES[study.trials.state[i]].toLowerCase() },
    { name: "fits", value: (i) => verdicts.get(i) ?? "–", text: (i) => verdicts.get(i) ?? "–" },
    ...(study.trials.diagnosis.some((d) => d !== null) ? [{ name: "diagnosis", labels: true, value: (i) => labelsOf(i).join(", ") || null, text: (i) => labelsOf(i).join(", ") || "–" }] : []),
    ...metricNames.map((name) => ({
      name, metric: true, value: (i) => Choose.valueOf(study, name, i),
      text: (i) => (Choose.isKnown(study, name, i) ? Text.beside(Choose.valueOf(study, name, i), found.asked.filter((c) => c.metric === name)) : "–"),
    })),
    ...study.params.map((p) => ({ name: p.name, parameter: true, value: (i) => (p.values[i] === null ? null : p.kind === "choice" ? p.choices[p.values[i]].text : Choose.number(p.values[i])), text: (i) => Text.shown(p, i) })),
    { name: "why it ended", value: (i) => Question.reasonOf(study, i), text: (i) => Question.reasonOf(study, i) ?? "" },
  ].map((column, k) => ({ ...column, key: `${k}` }));
  let verdicts = new Map();
  const labelsOf = (i) => (study.trials.diagnosis[i] ?? []).map(([label]) => label);

  function readVerdicts() {
    verdicts = new Map();
    for (const { trial, kind, group } of found.kinds) {
      const word = { front: "front", other: "front", dominated: "fits", infeasible: "no" }[kind];
      if (word === undefined) continue;
      for (const i of group?.members ?? [trial]) verdicts.set(i, i === trial ? word : word === "front" ? "fits" : word);
    }
  }

  function compare(a, b) {
    const none = (v) => v === null || v === undefined || v === "–" || Number.isNaN(v);
    if (none(a) || none(b)) return none(a) - none(b) || 0;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  }

  function drawTable(kept) {
    readVerdicts();
    const visible = columns.filter((c) => !state.hidden.has(c.name));
    const [name, sign] = state.sort, by = columns.find((c) => c.name === name) ?? columns[0];
    const rows = [];
    for (let i = 0; i < study.n; i++) if (kept === null || kept.has(i)) rows.push(i);
    const values = new Map(rows.map((i) => [i, by.value(i)]));
    const empty = (v) => v === null || v === undefined || v === "–" || Number.isNaN(v);
    rows.sort((a, b) => {
      const va = values.get(a), vb = values.get(b);
      if (empty(va) || empty(vb)) return empty(va) - empty(vb) || a - b; // what has no value comes last, either way
      return sign * compare(va, vb) || a - b;
    });
    state.from = Math.min(state.from, Math.max(0, Math.floor((rows.length - 1) / ROWS) * ROWS));
    const shown = rows.slice(state.from, state.from + ROWS);
    const head = visible.map((c) => make("th", { scope: "col", "aria-sort": c.name === name ? (sign > 0 ? "ascending" : "descending") : false },
      make("button", { type: "button", onclick: () => sortBy(c.name), "data-column": c.name }, c.name)));
    $("head").replaceChildren(...head);
    $("rows").replaceChildren(...shown.map((i) => make("tr", { class: i === found.winner?.trial ? "chosen" : false },
      ...visible.map((c) => cell(c, i)))));
    $("rows-says").textContent = rows.length ? `${(state.from + 1).toLocaleString("en-US")} to ${(state.from + shown.length).toLocaleString("en-US")} of ${Text.plural(rows.length, "trial")}${rows.length < study.n ? ` shown, ${study.n.toLocaleString("en-US")} in all` : ""}.` : "No trial passes.";
    $("previous").disabled = state.from === 0;
    $("next").disabled = state.from + ROWS >= rows.length;
  }

  function cell(column, i) {
    if (column.name === "trial" && !column.metric && !column.parameter) {
      const marks = [i === found.winner?.trial ? "chosen" : "", study.trials.number[i] === study.study.default ? "default" : ""].filter(Boolean);
      return make("th", { scope: "row" }, make("button", { type: "button", class: "link", onclick: () => openTrial(i), "aria-label": `Open trial ${study.trials.number[i]}` }, `${column.text(i)}${marks.length ? ` (${marks.join(", ")})` : ""}`));
    }
    if (column.labels) return make("td", {}, ...(labelsOf(i).length ? labelsOf(i).flatMap((label) => [badge(label), " "]) : ["–"]));
    const missed = column.metric && found.asked.some((c) => c.metric === column.name && Choose.isKnown(study, column.name, i) && !Choose.satisfied(c, column.value(i)));
    const text = column.text(i), fits = column.name === "fits" && !column.metric && !column.parameter;
    const tone = missed || (fits && text === "no") ? "bad" : fits && (text === "front" || text === "fits") ? "good" : column.name === "why it ended" ? "wrap" : false;
    const ends = column.metric && state.intervals ? Text.between(Noise.interval(study, column.name, i)) : "";
    return make("td", { class: tone }, text, ...(ends ? [make("span", { class: "ends" }, ends.slice(4))] : []));
  }

  function sortBy(name) {
    const [now, sign] = state.sort;
    const metric = study.metrics.get(name);
    state.sort = [name, now === name ? -sign : metric?.direction === "maximize" ? -1 : 1];
    state.from = 0;
    drawTable(selection());
    $("head").querySelector(`[data-column="${CSS.escape(name)}"]`)?.focus();
    announce(`Sorted by ${name}, ${state.sort[1] > 0 ? "lowest" : "highest"} first.`);
  }

  function setUpTable() {
    $("columns").replaceChildren(...columns.slice(1).map((c) => make("label", {}, make("input", {
      type: "checkbox", checked: true, onchange: (event) => { if (event.target.checked) state.hidden.delete(c.name); else state.hidden.add(c.name); drawTable(selection()); },
    }), ` ${c.name}`)));
    $("filter").addEventListener("input", () => { state.from = 0; relink(); });
    $("intervals").addEventListener("change", () => { state.intervals = $("intervals").checked; drawTable(selection()); });
    $("only-fitting").addEventListener("change", () => { state.from = 0; relink(); });
    $("previous").addEventListener("click", () => { state.from = Math.max(0, state.from - ROWS); drawTable(selection()); });
    $("next").addEventListener("click", () => { state.from += ROWS; drawTable(selection()); });
  }

  // -- one trial -------------------------------------------------------------------------------------------
  function openTrial(i) {
    const t = study.trials, dialog = $("trial");
    $("trial-title").textContent = `Trial ${t.number[i]}`;
    const facts = [["state", Question.STATES[t.state[i]].toLowerCase() + (study.pending.has(i) ? ", waits to be timed" : "")]];
    const reason = Question.reasonOf(study, i);
    if (reason) facts.push(["why it ended", reason]);
    if (study.replicates[i] !== undefined) facts.push(["repeats", `trial ${study.replicates[i]} with another seed`]);
    facts.push(["attempts", String(t.attempts[i])]);
    if (t.steps[i]) facts.push(["steps reported", String(t.steps[i])]);
    if (t.seconds[i] !== null) facts.push(["took", `${Text.number(t.seconds[i], 3)} s`]);
    if (t.started[i] !== null) facts.push(["began", t.started[i].replace("T", " ").replace("+00:00", " UTC")]);
    for (const [name, column] of [["worker", "worker"], ["timed on", "host"], ["proposed by", "origin"]]) {
      const text = Question.textOf(study, column, i);
      if (text) facts.push([name, text]);
    }
    facts.push(["seed", t.seed[i]]);
    const metrics = metricNames.filter((n) => Choose.isKnown(study, n, i)).map((n) => {
      const own = found.asked.filter((c) => c.metric === n), v = Choose.valueOf(study, n, i);
      const bad = own.filter((c) => !Choose.satisfied(c, v));
      const ends = Text.between(Noise.interval(study, n, i));
      return [n, Text.beside(v, own) + (ends ? `, ${ends}` : "") + (own.length ? (bad.length ? ` (misses ${Text.joined(bad.map(Choose.keyOf))})` : ` (${Text.joined(own.map((c) => `${c.operator} ${Text.number(c.bound, 12)}`))})`) : ""), bad.length ? "bad" : ""];
    });
    const list = (rows) => make("dl", {}, ...rows.flatMap(([name, text, tone]) => [make("dt", {}, name), make("dd", { class: tone || false }, text)]));
    $("trial-facts").replaceChildren(make("h3", {}, "Metrics"), list(metrics), ...shows(i), make("h3", {}, "Parameters"),
      list(study.params.filter((p) => p.values[i] !== null).map((p) => [p.name, Text.shown(p, i)])), make("h3", {}, "How it ran"), list(facts));
    $("copy-toml").onclick = () => copy(Text.parameters(study, i, "toml"), "Parameters");
    $("copy-dict").onclick = () => copy(Text.parameters(study, i, "python"), "Parameters");
    const ship = ["satisfice", "ship", study.study.name, "--trial", String(t.number[i]), "--output", `shipped/${study.study.name}`].map(Text.quoted).join(" ");
    $("copy-ship").onclick = () => copy(ship, "Command");
    if (!dialog.open) dialog.showModal();
    dialog.append($("announce")); // what stands outside of an open dialog is not read out
    drawTrialCurves(i);
  }

  /** What the training shows, each label with its evidence. */
  function shows(i) {
    const labels = study.trials.diagnosis[i];
    if (labels === null || labels === undefined) return [];
    return [make("h3", {}, "What the training shows"), make("ul", { class: "says" }, ...labels.map(([label, evidence]) => make("li", {}, badge(label), evidence ? ` ${evidence}` : "")))];
  }

  const badge = (label) => make("span", { class: label === "healthy" ? "badge" : "badge ill" }, label.replaceAll("_", " "));

  function drawTrialCurves(i) {
    const metric = Object.keys(study.curves.metrics).find((m) => study.curves.metrics[m][i]);
    const plot = metric === undefined ? null : PlotData.curves(study, metric, new Set([i]));
    $("trial-curve-place").hidden = plot === null;
    if (plot === null) return;
    Draw.curves($("trial-curve"), plot, i);
    $("trial-curve").setAttribute("aria-label", `${metric} of trial ${study.trials.number[i]} over ${plot.curves[0].points.length} reports, from ${Text.number(plot.curves[0].points[0][1])} to ${Text.number(plot.curves[0].points.at(-1)[1])}.`);
  }

  // -- pictures --------------------------------------------------------------------------------------------
  const pictures = [];

  function setUpHistory() {
    for (const canvas of document.querySelectorAll("canvas.history")) {
      let marks = [];
      pictures.push(() => {
        const plot = PlotData.scatter(study, found, null, canvas.dataset.metric);
        canvas.parentElement.hidden = plot === null;
        if (plot === null) return;
        marks = Draw.scatter(canvas, plot, { asked: found.asked });
        const best = plot.line.length ? ` The best that fits ends at ${Text.number(plot.line.at(-1)[1])}.` : " No trial fits.";
        canvas.setAttribute("aria-label", `${canvas.dataset.metric} over ${Text.plural(plot.points.length, "trial")}.${best}`);
      });
      interactive(canvas, () => marks, { tip: canvas.parentElement.querySelector(".tip") });
    }
  }

  function setUpCurves() {
    for (const canvas of document.querySelectorAll("canvas.curves")) {
      const plot = PlotData.curves(study, canvas.dataset.metric);
      if (plot === null) { canvas.parentElement.hidden = true; continue; }
      pictures.push(() => {
        Draw.curves(canvas, plot, found.winner?.trial ?? -1);
        canvas.setAttribute("aria-label", `${canvas.dataset.metric} while training, of ${Text.plural(plot.curves.length, "trial")}; each trial's own curve opens from the table.`);
      });
    }
  }

  function setUpSurfaces() {
    const slices = data.slices;
    if (!slices || !slices.pairs.length) return;
    const names = slices.axes.map((a) => a.name), metrics = Object.keys(slices.surfaces);
    options($("surface-metric"), metrics.map((m) => [m, m]), metrics[0]);
    const partners = (name) => slices.pairs.flatMap(([i, j]) => (names[i] === name ? [names[j]] : names[j] === name ? [names[i]] : []));
    const firsts = [...new Set(slices.pairs.flat())].sort((a, b) => a - b).map((i) => names[i]);
    options($("surface-x"), firsts.map((n) => [n, n]), names[slices.pairs[0][0]]);
    const second = (wanted) => {
      const known = partners($("surface-x").value);
      options($("surface-y"), known.map((n) => [n, n]), known.includes(wanted) ? wanted : known[0]);
    };
    second(names[slices.pairs[0][1]]);
    const canvas = $("surface");
    let marks = [];
    const draw = () => {
      const plot = PlotData.surface(study, found, slices, $("surface-metric").value, $("surface-x").value, $("surface-y").value);
      marks = Draw.surface(canvas, plot, found.asked);
      $("surface-says").textContent = plot.says;
      $("surface-legend").replaceChildren(...plot.edges.map(({ constraint, segments, all }) => make("li", {},
        swatch(found.asked.findIndex((c) => Choose.same(c, constraint)), Draw.theme()),
        ` ${Choose.keyOf(constraint)}${segments.length ? "" : all ? ": missed everywhere here" : ": met everywhere here"}`)));
      canvas.setAttribute("aria-label", `${plot.metric} over ${plot.x.name} and ${plot.y.name}, from ${Text.number(plot.least)} to ${Text.number(plot.most)}.`);
    };
    pictures.push(draw);
    $("surface-metric").addEventListener("change", draw);
    $("surface-x").addEventListener("change", () => { second($("surface-y").value); draw(); });
    $("surface-y").addEventListener("change", draw);
    interactive(canvas, () => marks, { tip: $("surface-tip") });
  }

  // -- begin -----------------------------------------------------------------------------------------------
  function begin() {
    for (const button of document.querySelectorAll("[data-copy]")) {
      button.addEventListener("click", () => copy($(button.dataset.copy).textContent, "Command"));
    }
    if (!study.n || !metricNames.length) {
      $("explorer-body").hidden = true;
      $("explorer-absent").hidden = false;
      document.documentElement.dataset.ready = "empty";
      return;
    }
    setUp();
    setUpTable();
    setUpParallel();
    setUpHistory();
    setUpCurves();
    setUpSurfaces();
    interactive($("scatter"), () => places, { tip: $("scatter-tip"), onBrush: brush });
    $("trial").addEventListener("close", () => { announce(""); document.body.append($("announce")); });
    drawBounds();
    update();
    const again = () => { drawBounds(); update(); };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    let width = innerWidth;
    addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; update(); } });
    document.documentElement.dataset.ready = "yes";
  }
  Noise.unpack(study).then(begin);
})();

"use strict";
(() => {
const visitor = Array.from(crypto.getRandomValues(new Uint8Array(12)), b => b.toString(16).padStart(2, "0")).join("");
const SVG = "http://www.w3.org/2000/svg";
let D = null; // what the server says of data and families
let source = null, owner = null, turn = 0; // the one training of this page, and the widget that it belongs to

// -- elements and numbers ---------------------------------------------------------------------------------------
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter(child => child !== null));
  return node;
}
function svg(tag, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
}
const finite = v => typeof v === "number" && Number.isFinite(v);
function show(v, digits = 3) {
  if (!finite(v)) return v === null || v === undefined ? "–" : String(v);
  if (v === 0) return "0";
  const size = Math.abs(v);
  if (size >= 1e5 || size < 1e-3) return v.toExponential(Math.max(digits - 2, 0)).replace(/\.0+e/, "e").replace("e+", "e").replace("-", "−");
  return Number(v.toPrecision(digits)).toString().replace("-", "−");
}
const score = v => finite(v) ? v.toFixed(3).replace("-", "−") : "–";
const bytes = v => finite(v) ? v.toLocaleString("en") : "–";

// -- charts -----------------------------------------------------------------------------------------------------
const DASH = ["", "7 4", "2 3", "10 3 2 3"];
function ticks(low, high, count) {
  const span = high - low || 1, raw = span / count, base = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(m => m * base).find(s => s >= raw);
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) found.push(Math.abs(v) < step * 1e-6 ? 0 : v);
  return found;
}
// series: [{name, points: [[x, y]], color, dash, faint}]; marks: [{x, name}]
function chart(box, {title, x, y, series, marks = [], logX = false, range = null}) {
  box.redraw = () => chart(box, {title, x, y, series, marks, logX, range});
  const width = Math.max(box.clientWidth || 380, 240), height = 240;
  const left = 52, right = 10, top = 12, bottom = 38;
  const clean = series.map(s => ({...s, points: s.points.filter(p => finite(p[0]) && finite(p[1]))}));
  const all = clean.flatMap(s => s.points);
  const head = el("h3", {}, title);
  if (!all.length) { box.replaceChildren(head, el("p", {class: "caption"}, "No point yet.")); return; }
  const fx = logX ? Math.log10 : v => v;
  let x0 = Math.min(...all.map(p => fx(p[0])), ...marks.map(m => fx(m.x))), x1 = Math.max(...all.map(p => fx(p[0])), ...marks.map(m => fx(m.x)));
  let [y0, y1] = range || [Math.min(...all.map(p => p[1])), Math.max(...all.map(p => p[1]))];
  if (x0 === x1) { x0 -= .5; x1 += .5; }
  if (y0 === y1) { y0 -= Math.abs(y0) * .05 || .5; y1 += Math.abs(y1) * .05 || .5; }
  const pad = (y1 - y0) * .05; y0 -= pad; y1 += pad;
  const px = v => left + (fx(v) - x0) / (x1 - x0) * (width - left - right);
  const py = v => top + (y1 - v) / (y1 - y0) * (height - top - bottom);
  const said = clean.filter(s => s.points.length && !s.faint).slice(0, 6)
    .map(s => `${s.name}: ${show(s.points[0][1])} to ${show(s.points.at(-1)[1])}`).join("; ");
  const root = svg("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}. ${said}`});
  for (const v of ticks(y0, y1, 4)) {
    root.append(svg("line", {class: v === 0 ? "zero" : "grid", x1: left, x2: width - right, y1: py(v), y2: py(v)}));
    root.append(svg("text", {x: left - 6, y: py(v) + 4, "text-anchor": "end"}, show(v)));
  }
  const xs = logX ? ticks(x0, x1, 5).filter(v => Math.abs(v - Math.round(v)) < 1e-6).map(v => 10 ** v)
    : ticks(x0, x1, width < 350 ? 4 : 7).filter(Number.isInteger);
  for (const v of xs) root.append(svg("text", {x: px(v), y: height - bottom + 18, "text-anchor": "middle"}, show(v)));
  root.append(svg("text", {x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle"}, x));
  for (const s of clean) {
    if (!s.points.length) continue;
    const d = s.points.map((p, i) => `${i ? "L" : "M"}${px(p[0]).toFixed(1)} ${py(Math.min(Math.max(p[1], y0), y1)).toFixed(1)}`).join("");
    const path = svg("path", {class: `line${s.faint ? " faint" : ""}`, d, "stroke-dasharray": DASH[s.dash || 0]});
    path.style.stroke = `var(--c${s.color % 8})`;
    path.append(svg("title", {}, s.name));
    root.append(path);
    if (s.points.length === 1) {
      const dot = svg("circle", {cx: px(s.points[0][0]), cy: py(s.points[0][1]), r: 3});
      dot.style.fill = `var(--c${s.color % 8})`; root.append(dot);
    }
  }
  for (const m of marks) {
    root.append(svg("line", {class: "mark", x1: px(m.x), x2: px(m.x), y1: top, y2: height - bottom}));
    const late = px(m.x) > width - 110;
    root.append(svg("text", {x: px(m.x) + (late ? -4 : 4), y: top + 10 + 14 * (m.row || 0), "text-anchor": late ? "end" : "start"}, m.name));
  }
  const legend = el("ul", {class: "legend"});
  for (const s of clean.filter(s => s.points.length && !s.unnamed)) {
    const key = svg("svg", {viewBox: "0 0 26 10", "aria-hidden": "true"});
    const line = svg("path", {class: `line${s.faint ? " faint" : ""}`, d: "M0 5H26", "stroke-dasharray": DASH[s.dash || 0]});
    line.style.stroke = `var(--c${s.color % 8})`;
    key.append(line);
    legend.append(el("li", {}, key, s.name));
  }
  box.replaceChildren(head, el("p", {class: "caption"}, y), root, legend);
}
function heat(box, surface, title) {
  box.redraw = () => heat(box, surface, title);
  const n = surface.at.length, cell = 16, at = surface.loss.flat().filter(finite);
  const low = Math.min(...at), high = Math.max(...at), scale = v => Math.log1p((v - low) / (high - low || 1) * 30) / Math.log(31);
  const root = svg("svg", {viewBox: `0 0 ${n * cell} ${n * cell}`, role: "img",
    "aria-label": `${title}: ${show(low)} at the lowest, ${show(high)} at the highest point`});
  surface.loss.forEach((row, i) => row.forEach((v, j) => {
    const box = svg("rect", {x: j * cell, y: i * cell, width: cell + .5, height: cell + .5});
    const t = finite(v) ? scale(v) : 1;
    box.style.fill = `hsl(${225 - 25 * t} ${70 - 20 * t}% ${14 + 78 * t}%)`;
    box.append(svg("title", {}, `loss ${show(v)}`));
    root.append(box);
  }));
  const middle = (n >> 1) * cell + cell / 2;
  for (const [stroke, wide] of [["#000", 6], ["#fff", 3]]) root.append(svg("circle", {cx: middle, cy: middle, r: 7, fill: "none", stroke, "stroke-width": wide}));
  const holder = el("div", {}, root);
  holder.style.maxWidth = "340px";
  box.replaceChildren(el("h3", {}, title), el("p", {class: "caption"},
    `Dark is low: ${show(low)}; light is high: ${show(high)}. The ring is the trained network; to an edge it is once the weights' length, along one of two random directions.`), holder);
}
let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => document.querySelectorAll(".charts > div").forEach(box => box.redraw && box.redraw()), 150);
});

// -- one training after the other -------------------------------------------------------------------------------
async function post(path, body) {
  const answer = await fetch(path, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({reason: answer.statusText}))).reason);
  return answer;
}
async function train(widget, trainings) {
  const mine = ++turn;
  if (source) source.close();
  if (owner && owner !== widget) owner.say("Stopped: another training took its place.");
  owner = widget;
  widget.runs = trainings.map(training => ({training, points: [], result: null}));
  widget.effects = null;
  widget.say("Waiting …");
  let job;
  try { job = await (await post("/lab/train", {visitor, trainings})).json(); }
  catch (error) { if (mine === turn) widget.say(error.message, "bad"); return; }
  if (mine !== turn) return; // a later request has cancelled it already
  const stream = source = new EventSource(job.events);
  const over = (said, kind) => { stream.close(); if (mine === turn) { widget.say(said, kind); source = null; } };
  let drawn = 0;
  const draw = () => { if (!drawn) drawn = requestAnimationFrame(() => { drawn = 0; widget.draw(); }); };
  stream.onmessage = message => {
    if (mine !== turn) return;
    const event = JSON.parse(message.data), run = widget.runs[event.training];
    const of = trainings.length > 1 ? ` ${(event.training ?? 0) + 1} of ${trainings.length}` : "";
    if (event.event === "queued" && event.before) widget.say(`Waiting: ${event.before} before this one.`);
    if (event.event === "begun") widget.say(`Training${of} …`);
    if (event.event === "point") { run.points.push(event); draw(); }
    if (event.event === "result") { run.result = event; draw(); }
    if (event.event === "done") {
      widget.effects = event.effects;
      const lost = widget.runs.filter(r => r.result && r.result.ended === "diverged");
      over(lost.length ? `Diverged: ${lost[0].result.why}.` : "Done.", lost.length ? "bad" : "good");
      draw();
    }
    if (event.event === "failed") over(event.why, "bad");
    if (event.event === "cancelled") over("Stopped.");
  };
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) over("The lab does not answer any more.", "bad"); };
}
async function download(widget, training) {
  try {
    const {family, values, seed, epochs} = training;
    const text = await (await post("/lab/study", {family, values, seed, epochs})).text();
    const link = el("a", {href: URL.createObjectURL(new Blob([text], {type: "application/toml"})), download: `${family}-study.toml`});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    widget.say(`Saved ${family}-study.toml. Next: satisfice check ${family}-study.toml`, "good");
  } catch (error) { widget.say(error.message, "bad"); }
}

// -- widgets ----------------------------------------------------------------------------------------------------
const SEED = {kind: "number", name: "seed", label: "seed", value: 1, min: 0, max: 999999};
class Widget {
  constructor({id, title, look, controls, plan, draw, studies = null, quick = []}) {
    Object.assign(this, {id, title, plan, quick, studies, runs: [], effects: null});
    this.draw = () => draw(this);
    this.values = {};
    this.state = el("p", {class: "state", role: "status", id: `${id}-state`});
    this.charts = el("div", {class: "charts"});
    this.said = el("div", {class: "says", id: `${id}-says`, "aria-live": "polite"});
    this.table = el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}: table`});
    this.table.hidden = true;
    this.controls = el("div", {class: "controls"});
    for (const control of controls) this.controls.append(this.control(control));
    const go = el("button", {class: "go", type: "button", id: `${id}-train`, onclick: () => this.go()}, "Train");
    const make = (studies || [["Make this a study", w => w.plan(w.values)[0]]]).map(([label, of], i) =>
      el("button", {type: "button", id: `${id}-study${i || ""}`, onclick: () => download(this, of(this))}, label));
    this.controls.append(el("div", {class: "controls"}, go, ...make));
    this.node = el("section", {id, "aria-labelledby": `${id}-title`},
      el("h2", {id: `${id}-title`}, title), el("p", {class: "caption"}, look),
      ...(this.extra ? [this.extra] : []), this.controls, this.state, this.charts, this.said, this.table);
    this.say("Move a control, or press Train.");
  }
  box(i) {
    while (this.charts.children.length <= i) this.charts.append(el("div"));
    return this.charts.children[i];
  }
  say(text, kind = "") { this.state.textContent = text; this.state.className = `state ${kind}`; }
  tell(text) { if (this.said.textContent !== text) this.said.textContent = text; }
  rows(head, rows) {
    this.table.hidden = !rows.length;
    this.table.replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ...head.map(h => el("th", {scope: "col"}, h)))),
      el("tbody", {}, ...rows.map(row => el("tr", {}, ...row.map(cell => el("td", {}, String(cell))))))));
  }
  control(c) {
    const id = `${this.id}-${c.name}`;
    this.values[c.name] = c.value;
    const changed = () => { if (this.quick.includes(c.name)) this.draw(); else this.later(); };
    const out = el("output", {for: id});
    let input;
    if (c.kind === "choice") {
      input = el("select", {id}, ...c.choices.map(v => el("option", {value: String(v), selected: v === c.value}, String(v))));
      input.addEventListener("change", () => { this.values[c.name] = c.choices[input.selectedIndex]; changed(); });
    } else if (c.kind === "number") {
      input = el("input", {id, type: "number", min: c.min, max: c.max, step: c.step || 1, value: c.value});
      input.addEventListener("change", () => {
        const v = Math.min(Math.max(Math.round(Number(input.value) || 0), c.min), c.max);
        input.value = v; this.values[c.name] = v; changed();
      });
    } else { // a slider, by powers of ten where `log`
      const to = c.log ? v => Number((10 ** v).toPrecision(3)) : v => v;
      const from = c.log ? Math.log10 : v => v;
      input = el("input", {id, type: "range", min: from(c.min), max: from(c.max), step: c.step || (c.log ? .125 : 1), value: from(c.value)});
      const read = () => {
        this.values[c.name] = to(Number(input.value));
        out.textContent = ` ${show(this.values[c.name])}`;
        input.setAttribute("aria-valuetext", show(this.values[c.name]));
      };
      read();
      input.addEventListener("input", () => { read(); changed(); });
    }
    return el("div", {class: "control"}, el("label", {for: id}, c.label, out), input);
  }
  later() { clearTimeout(this.timer); this.timer = setTimeout(() => this.go(), 200); }
  go() {
    clearTimeout(this.timer);
    let trainings;
    try { trainings = this.plan(this.values); } catch (error) { this.say(error.message, "bad"); return; }
    train(this, trainings);
  }
}
const has = (part, name) => name in D.families[D.parts[part]].hyperparameters;
const only = (part, values) => Object.fromEntries(Object.entries(values).filter(([name]) => has(part, name)));
const main = run => [D.metric, "accuracy", "r2"].find(name => name in (run.points[0] || {metrics: {}}).metrics) || D.metric;
const curve = (run, name) => run.points.map(p => [p.step, p.metrics[name]]);
function losses(run, color, suffix = "") {
  const first = (run.points[0] || {metrics: {}}).metrics;
  const valid = ["validation_loss", "log_loss"].find(name => name in first);
  return [{name: `training${suffix}`, points: curve(run, "train_loss"), color},
    {name: `validation${suffix}`, points: valid ? curve(run, valid) : [], color: color + 1, dash: 1}];
}
const trainScore = metrics => { // of the file, on the training rows
  const name = "accuracy" in metrics ? "accuracy" : "r2";
  return metrics[name] + metrics.generalization_gap;
};
const validScore = metrics => "accuracy" in metrics ? metrics.accuracy : metrics.r2;
const scoreName = metrics => "accuracy" in metrics ? "accuracy" : "R²";
const finished = w => w.runs.filter(r => r.result && r.result.ended === "finished");

const ALPHAS = Array.from({length: 13}, (_, i) => Number((10 ** (-5 + i * .4)).toPrecision(3)));
const nearest = v => ALPHAS.reduce((a, b) => Math.abs(Math.log(b / v)) < Math.abs(Math.log(a / v)) ? b : a);
function penalties() {
  const controls = [{kind: "choice", name: "penalty", label: "penalty", choices: ["l1", "l2", "elastic_net"], value: "l1"}];
  if (has("linear", "scaling")) controls.push({kind: "choice", name: "scaling", label: "feature scaling", choices: ["standard", "none"], value: "standard"});
  controls.push({kind: "range", name: "alpha", label: "strength", min: 1e-5, max: .631, log: true, step: .4, value: .00398}, SEED);
  const one = (v, alpha) => ({family: "linear", values: only("linear", {penalty: v.penalty, alpha, scaling: v.scaling}), seed: v.seed, epochs: 1, shows: ["coefficients"]});
  return new Widget({
    id: "penalties", title: "L1 and L2 on the weights",
    look: "Raise the strength and watch which weights L1 sets to exactly zero, while L2 shrinks all of them and drops none. "
      + "Without feature scaling, a column in large units needs a small weight and so escapes the penalty: compare the order in which weights fall.",
    controls, quick: ["alpha"],
    plan: v => ALPHAS.map(alpha => one(v, alpha)),
    studies: [["Make this a study", w => one(w.values, nearest(w.values.alpha))]],
    draw: w => {
      const runs = finished(w).filter(r => r.result.coefficients), at = nearest(w.values.alpha);
      const names = runs.length ? runs[0].result.coefficients.map(c => c.feature) : [];
      const marks = runs.length ? [{x: at, name: show(at)}] : [];
      const large = names.map((name, i) => [i, Math.max(...runs.map(r => Math.abs(r.result.coefficients[i].value)))])
        .sort((a, b) => b[1] - a[1]).slice(0, 8).map(p => p[0]);
      chart(w.box(0), {title: "Weights by strength", x: "strength of the penalty (log scale)", y: "weight; named are the eight largest", logX: true, marks,
        series: names.map((name, i) => ({name, points: runs.map(r => [r.training.values.alpha, r.result.coefficients[i].value]),
          color: large.includes(i) ? large.indexOf(i) : 7, dash: large.includes(i) ? large.indexOf(i) % 4 : 0, faint: !large.includes(i), unnamed: !large.includes(i)}))});
      chart(w.box(1), {title: "Scores by strength", x: "strength of the penalty (log scale)", y: runs.length ? scoreName(runs[0].result.metrics) : "score", logX: true, marks, series: [
        {name: "training", points: runs.map(r => [r.training.values.alpha, trainScore(r.result.metrics)]), color: 0},
        {name: "validation", points: runs.map(r => [r.training.values.alpha, validScore(r.result.metrics)]), color: 1, dash: 1}]});
      const chosen = runs.find(r => r.training.values.alpha === at);
      if (!chosen) { w.tell(""); w.rows([], []); return; }
      const weights = chosen.result.coefficients, zero = weights.filter(c => c.value === 0);
      w.tell(`At strength ${show(at)}, ${zero.length} of ${weights.length} weights are exactly zero; `
        + `${scoreName(chosen.result.metrics)} ${score(trainScore(chosen.result.metrics))} in training, ${score(validScore(chosen.result.metrics))} in validation.`);
      w.rows(["feature", "weight", ""], [...weights].sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
        .map(c => [c.feature, show(c.value), c.value === 0 ? "zero" : ""]));
    },
  });
}
const WIDTHS = {kind: "choice", name: "width", label: "width of a layer", choices: [16, 64, 256], value: 256};
const EPOCHS = (value, max = 200) => ({kind: "range", name: "epochs", label: "epochs", min: 5, max, step: 5, value});
function dropout() {
  const one = (v, rate) => ({family: D.parts.network, values: only("network", {dropout: rate, width: v.width, patience: 0, learning_rate: .002}), seed: v.seed, epochs: v.epochs});
  return new Widget({
    id: "dropout", title: "Dropout, off and on",
    look: "On the left, the validation loss turns up while the training loss goes on falling: the network learns the rows by heart. "
      + "On the right, look for a smaller gap between the two; at a strength too high, both stay high.",
    controls: [{kind: "range", name: "dropout", label: "strength", min: .05, max: .9, step: .05, value: .5}, WIDTHS, EPOCHS(60), SEED],
    plan: v => [one(v, 0), one(v, v.dropout)],
    studies: [["Make this a study", w => one(w.values, w.values.dropout)]],
    draw: w => {
      const series = w.runs.map(run => losses(run, 0));
      const all = series.flat().flatMap(s => s.points.map(p => p[1])).filter(finite);
      const range = all.length ? [Math.min(...all), Math.max(...all)] : null;
      w.runs.forEach((run, i) => chart(w.box(i), {title: i ? `Dropout ${show(run.training.values.dropout)}` : "No dropout", x: "epoch", y: "loss", range, series: series[i]}));
      w.rows(["score of the epoch that ships", "training", "validation", "gap"], finished(w).map(r => {
        const m = r.result.metrics;
        return [`${scoreName(m)}, ${r.training.values.dropout ? `dropout ${show(r.training.values.dropout)}` : "no dropout"}`, score(trainScore(m)), score(validScore(m)), score(m.generalization_gap)];
      }));
    },
  });
}
function stopping() {
  return new Widget({
    id: "stopping", title: "Early stopping",
    look: "The curve is a full training; the marks show where a patience would have ended it, and which epoch's weights would ship. "
      + "A small patience stops on the first plateau and misses what comes later, a large one pays for epochs that bring nothing.",
    controls: [{kind: "range", name: "patience", label: "patience", min: 1, max: 60, value: 8}, WIDTHS, EPOCHS(100, 300), SEED],
    quick: ["patience"],
    plan: v => [{family: D.parts.network, values: only("network", {width: v.width, patience: 0}), seed: v.seed, epochs: v.epochs}],
    studies: [["Make this a study", w => { const t = w.plan(w.values)[0]; return {...t, values: {...t.values, patience: w.values.patience}}; }]],
    draw: w => {
      const run = w.runs[0];
      if (!run) return;
      const name = main(run), sign = name === D.metric ? D.sign : 1, points = curve(run, name);
      let best = null, stop = null; // as a training does it: a strictly better score, and patience counted from there
      for (const [epoch, value] of points) {
        if (best === null || sign * value > sign * best[1]) best = [epoch, value];
        if (epoch - best[0] >= w.values.patience) { stop = epoch; break; }
      }
      const top = points.reduce((a, b) => a === null || sign * b[1] > sign * a[1] ? b : a, null);
      const marks = [...(best ? [{x: best[0], name: `ships ${best[0]}`}] : []), ...(stop ? [{x: stop, name: `stops ${stop}`, row: 1}] : [])];
      chart(w.box(0), {title: "Validation score", x: "epoch", y: name, marks, series: [{name: "validation", points, color: 1, dash: 1}]});
      chart(w.box(1), {title: "Loss", x: "epoch", y: "loss", marks, series: losses(run, 0)});
      if (!best) { w.tell(""); return; }
      w.tell(stop === null
        ? `With patience ${w.values.patience} it would not have stopped within ${points.length} epochs; the best is epoch ${best[0]} with ${name} ${score(best[1])}.`
        : `With patience ${w.values.patience} it stops after epoch ${stop} and ships epoch ${best[0]}: ${name} ${score(best[1])}. `
          + `The best of all ${points.length} epochs is ${score(top[1])} in epoch ${top[0]}.`);
    },
  });
}
function rates() {
  const known = D.families[D.parts.network].hyperparameters;
  return new Widget({
    id: "rates", title: "Learning rate, schedule and optimizer",
    look: "Too low, and the loss hardly falls; too high, and it jumps up and down or explodes; a schedule turns late jumps into a calm end. "
      + "In the slice through the loss around the solution, a wide dark valley is a flat minimum and a small dark spot a sharp one.",
    controls: [
      {kind: "range", name: "learning_rate", label: "learning rate", min: 1e-5, max: 10, log: true, step: .25, value: .001},
      {kind: "choice", name: "schedule", label: "schedule", choices: known.schedule.choices, value: "constant"},
      {kind: "choice", name: "optimizer", label: "optimizer", choices: known.optimizer.choices, value: "sgd"},
      EPOCHS(40), SEED],
    plan: v => [{family: D.parts.network, values: only("network", {learning_rate: v.learning_rate, schedule: v.schedule, optimizer: v.optimizer, patience: 0}),
      seed: v.seed, epochs: v.epochs, shows: ["surface"]}],
    draw: w => {
      const run = w.runs[0];
      if (!run) return;
      if (run.result && w.kept !== run) { w.before = w.kept; w.kept = run; } // the one before stays, faint
      const old = w.before && w.kept === run ? w.before : w.kept !== run ? w.kept : null;
      const label = r => `${r.training.values.optimizer} ${show(r.training.values.learning_rate)}, ${r.training.values.schedule}`;
      const past = old ? losses(old, 6).map(s => ({...s, name: `before (${label(old)}): ${s.name}`, faint: true, color: 7})) : [];
      chart(w.box(0), {title: `Loss: ${label(run)}`, x: "epoch", y: "loss", series: [...past, ...losses(run, 0)]});
      const surface = run.result && run.result.surface;
      if (surface) heat(w.box(1), surface, "Loss around the solution");
      else w.box(1).replaceChildren(el("h3", {}, "Loss around the solution"), el("p", {class: "caption"}, run.result ? "There is no solution to look around." : "Drawn when the training has ended."));
      const points = curve(run, "train_loss").map(p => p[1]).filter(finite), rises = points.filter((v, i) => i && v > points[i - 1]).length;
      if (!points.length) { w.tell(""); return; }
      w.tell(`The training loss goes from ${show(points[0])} to ${show(points.at(-1))} and rises in ${rises} of ${points.length - 1 || 0} steps.`
        + (surface ? ` A quarter of the weights' length away it is ${show(surface.sharpness)} higher on average.` : ""));
    },
  });
}
function trees() {
  const count = D.parts.trees === "boosting" ? "rounds" : "trees";
  const one = (v, depth) => ({family: D.parts.trees, values: only("trees", {[count]: v.rounds, max_depth: depth, patience: 0, max_leaves: 0, min_samples_leaf: 5}), seed: v.seed, epochs: 40});
  const depths = v => [v.depth, ...[1, 2, 4, 8, 16].filter(d => d !== v.depth)];
  return new Widget({
    id: "trees", title: "Depth of trees and number of rounds",
    look: "Deep trees push the training score up while the validation score stays behind: that gap is what they learnt by heart. "
      + "Look for the round where the validation loss turns up; the deeper the trees, the sooner it comes.",
    controls: [{kind: "range", name: "depth", label: "depth", min: 1, max: 16, value: 3}, {kind: "range", name: "rounds", label: count, min: 10, max: 300, step: 10, value: 120}, SEED],
    plan: v => depths(v).map(depth => one(v, depth)),
    draw: w => {
      if (!w.runs.length) return;
      const chosen = w.runs[0], valid = ["validation_loss", "log_loss"].find(n => n in (chosen.points[0] || {metrics: {}}).metrics) || main(chosen);
      const total = chosen.training.values[count];
      const by = r => r.points.map(p => [Math.round(p.step * total / Math.min(total, 40)), p.metrics[valid]]);
      chart(w.box(0), {title: `Validation ${valid === main(chosen) ? "score" : "loss"} by ${count}`, x: count, y: valid, series: w.runs.map((r, i) =>
        ({name: `depth ${r.training.values.max_depth}`, points: by(r), color: i, dash: i % 4, faint: i > 0}))});
      const done = finished(w).sort((a, b) => a.training.values.max_depth - b.training.values.max_depth);
      chart(w.box(1), {title: `Scores after ${total} ${count}, by depth`, x: "depth", y: done.length ? scoreName(done[0].result.metrics) : "score",
        marks: [{x: chosen.training.values.max_depth, name: `depth ${chosen.training.values.max_depth}`}], series: [
          {name: "training", points: done.map(r => [r.training.values.max_depth, trainScore(r.result.metrics)]), color: 0},
          {name: "validation", points: done.map(r => [r.training.values.max_depth, validScore(r.result.metrics)]), color: 1, dash: 1}]});
      w.rows(["depth", "training", "validation", "gap", "bytes"], done.map(r => { const m = r.result.metrics;
        return [r.training.values.max_depth, score(trainScore(m)), score(validScore(m)), score(m.generalization_gap), bytes(m.size_bytes)]; }));
    },
  });
}
function compression() {
  const known = D.families[D.parts.network].hyperparameters;
  const size = D.parts.network === "cnn" ? "channels" : "width", choices = size === "width" ? [16, 64, 256] : [8, 16, 32];
  const small = v => Math.max(Math.round(v.size * (1 - v.prune)), 1); // training starts wider, and the file has this width
  const one = (v, compression, prune, units) => ({family: D.parts.network, values: only("network", {[size]: units, compression, prune}), seed: v.seed, epochs: v.epochs, shows: ["latency"]});
  const name = (w, r) => {
    const {compression: kind, prune, [size]: units} = r.training.values, whole = w.runs[0].training.values[size];
    const shape = prune ? `pruned from ${whole} to ${units}` : units === whole ? "as trained" : `${units} from the start`;
    return kind === "none" ? shape : `${shape}, ${kind}`;
  };
  return new Widget({
    id: "compression", title: "Quantization and pruning",
    look: "See how far the bytes fall before the score pays, and whether pruning beats a network that was small from the start. "
      + "Latency need not follow size: a small network spends its time on calls, not on numbers.",
    controls: [{kind: "choice", name: "compression", label: "numbers stored as", choices: known.compression.choices.filter(c => c !== "none"), value: "int8"},
      {kind: "range", name: "prune", label: "share pruned", min: .1, max: .9, step: .1, value: .5},
      {kind: "choice", name: "size", label: `${size} of a layer`, choices, value: choices[2]}, EPOCHS(20, 100), SEED],
    plan: v => [one(v, "none", 0, v.size), one(v, v.compression, 0, v.size), one(v, "none", v.prune, small(v)),
      one(v, v.compression, v.prune, small(v)), one(v, "none", 0, small(v))],
    studies: [["Make this a study", w => w.plan(w.values)[3]]],
    draw: w => {
      chart(w.box(0), {title: "Training", x: "epoch", y: w.runs.length ? main(w.runs[0]) : "score", series: w.runs.map((r, i) => ({name: name(w, r), points: curve(r, main(r)), color: i, dash: i % 4}))});
      const done = finished(w), base = w.runs[0] && w.runs[0].result && w.runs[0].result.metrics;
      w.rows(["file", done.length ? scoreName(done[0].result.metrics) : "score", "validation loss", "bytes", "of the first", "ms a prediction"], done.map(r => { const m = r.result.metrics;
        return [name(w, r), score(validScore(m)), show(m.log_loss, 4), bytes(m.size_bytes), base ? `${Math.round(100 * m.size_bytes / base.size_bytes)}%` : "–", show(r.result.latency)]; }));
    },
  });
}

// -- two settings side by side ----------------------------------------------------------------------------------
const OPEN = ["hidden_layers", "width", "learning_rate", "dropout", "l2", "optimizer", "penalty", "alpha", "scaling", "rounds", "trees", "max_depth", "compression"];
const CLOSED = ["teacher", "distillation", "temperature"];
class Side {
  constructor(letter, widget, start) {
    this.letter = letter; this.widget = widget; this.values = {...start};
    const families = Object.keys(D.families);
    this.family = D.parts.network;
    this.choose = el("select", {id: `compare-${letter}-family`}, ...families.map(f => el("option", {value: f, selected: f === this.family}, f)));
    this.choose.addEventListener("change", () => { this.family = this.choose.value; this.values = {}; this.fields(); });
    this.body = el("div");
    this.node = el("fieldset", {}, el("legend", {}, `Setting ${letter.toUpperCase()}`),
      el("div", {class: "control"}, el("label", {for: `compare-${letter}-family`}, "family"), this.choose), this.body);
    this.fields();
  }
  fields() {
    const {hyperparameters: known, fixed} = D.families[this.family];
    const first = el("div", {class: "controls"}), more = el("div", {class: "controls"});
    for (const [name, h] of Object.entries(known)) {
      if (CLOSED.includes(name) || h.kind === "text") continue;
      const id = `compare-${this.letter}-${name}`, value = name in this.values ? this.values[name] : name in fixed ? fixed[name] : h.default;
      let input;
      if (h.kind === "categorical") {
        input = el("select", {id, title: h.doc}, ...h.choices.map(c => el("option", {selected: c === value}, String(c))));
        input.addEventListener("change", () => { this.values[name] = h.choices[input.selectedIndex]; });
      } else {
        input = el("input", {id, type: "number", step: h.kind === "int" ? 1 : "any", value, title: h.doc});
        input.addEventListener("change", () => { this.values[name] = input.value === "" ? h.default : Number(input.value); });
      }
      (OPEN.includes(name) ? first : more).append(el("div", {class: "control"}, el("label", {for: id}, name), input));
    }
    this.body.replaceChildren(first, el("details", {}, el("summary", {}, "Everything else"), more));
  }
  training(seed, epochs) { return {family: this.family, values: this.values, seed, epochs, group: this.letter}; }
}
function comparison() {
  let sides = [];
  const widget = new Widget({
    id: "compare", title: "Two settings side by side",
    look: "A difference counts only where its interval leaves out zero: train with more seeds, and the interval narrows. "
      + "Ask for one change at a time, or you will not know which of two was worth it.",
    controls: [{kind: "range", name: "seeds", label: "seeds", min: 1, max: 10, value: 3}, EPOCHS(30, 100), SEED],
    plan: v => Array.from({length: v.seeds}, (_, i) => sides.map(side => side.training(v.seed + i, v.epochs))).flat(),
    studies: ["a", "b"].map((letter, i) => [`Make ${letter.toUpperCase()} a study`, w => sides[i].training(w.values.seed, w.values.epochs)]),
    draw: w => {
      const series = w.runs.filter(r => r.points.length).map(r => ({name: r.training.group.toUpperCase(), points: curve(r, main(r)),
        color: r.training.group === "a" ? 0 : 1, dash: r.training.group === "a" ? 0 : 1, unnamed: w.runs.find(o => o.training.group === r.training.group) !== r}));
      chart(w.box(0), {title: "Validation score of every seed", x: "epoch, or stage", y: w.runs.length ? main(w.runs[0]) : "score", series});
      const of = letter => finished(w).filter(r => r.training.group === letter).map(r => r.result.metrics);
      const a = of("a"), b = of("b");
      if (!a.length || !b.length) { w.rows([], []); w.tell(""); return; }
      const mean = (all, name) => all.reduce((s, m) => s + m[name], 0) / all.length;
      const wanted = [...new Set([D.metric, "accuracy", "r2", "log_loss", "generalization_gap", "size_bytes", "n_parameters"])].filter(n => [...a, ...b].every(m => finite(m[n])));
      const NAMES = {log_loss: "validation loss", generalization_gap: "gap to training", size_bytes: "bytes", n_parameters: "parameters"};
      const verdict = e => !e || e.value === null ? "" : e.low === null ? "one seed tells no noise" : e.low > 0 || e.high < 0 ? "a difference" : e.low === e.high ? "the same" : "no difference seen";
      w.rows(["metric", "A", "B", "B − A", "95% interval", ""], wanted.map(n => {
        const e = w.effects && w.effects[n];
        return [NAMES[n] || n, show(mean(a, n), 4), show(mean(b, n), 4), show(mean(b, n) - mean(a, n)), e && e.low !== null ? `${show(e.low)} to ${show(e.high)}` : "–", verdict(e)];
      }));
      const e = w.effects && w.effects[wanted[0]];
      w.tell(e ? `${wanted[0]}: B is ${show(Math.abs(e.value))} ${e.value < 0 ? "lower" : "higher"} than A on average over ${b.length} seeds; ${verdict(e)}.` : "");
    },
  });
  sides = [new Side("a", widget, {}), new Side("b", widget, only("network", {dropout: .3}))];
  widget.node.insertBefore(el("div", {class: "sides"}, ...sides.map(side => side.node)), widget.controls);
  return widget;
}

async function begin() {
  try {
    const answer = await fetch("/lab/data");
    if (!answer.ok) throw new Error(answer.statusText);
    D = await answer.json();
  } catch (error) { document.getElementById("about").textContent = `The lab does not answer: ${error.message}`; return; }
  document.getElementById("about").textContent = `Data: ${D.data}. Trained families: ${Object.keys(D.families).join(", ")}. Score: ${D.metric}.`;
  const widgets = [penalties, dropout, stopping, rates, trees, compression, comparison].map(make => make());
  for (const widget of widgets) {
    document.getElementById("widgets").append(widget.node);
    document.getElementById("nav").append(el("a", {href: `#${widget.id}`}, widget.title));
  }
  document.body.dataset.ready = "yes";
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}
begin();
})();

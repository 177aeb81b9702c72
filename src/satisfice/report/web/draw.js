"use strict";
/* Plot data on a canvas. Nothing is computed here but where ink goes; colours are the style sheet's. */
const Draw = (() => {
  const KINDS = {
    infeasible: ["does not fit", "bad"],
    unknown: ["not known whether it fits", "grey"],
    pruned: ["stopped early", "grey"],
    dominated: ["fits, not on the front", "soft"],
    other: ["fits, on the front of all objectives", "accent"],
    front: ["fits, on the front", "accent"],
  };
  const DASHES = [[7, 4], [2, 3], [10, 3, 2, 3], [14, 4], [4, 2, 1, 2], [1, 3, 6, 3]];
  const VIRIDIS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  /** Colours of the page as it is shown now. */
  function theme() {
    const names = ["card", "text", "text-soft", "line", "accent", "soft", "bad", "grey", "gold", "chosen", "violet"];
    const found = Object.fromEntries(names.map((n) => [n, css(n)]));
    found.bounds = [1, 2, 3, 4, 5, 6].map((k) => css(`bound-${k}`));
    return found;
  }

  /** Colour and dash of a bound: the same in every plot. */
  const boundLook = (colours, asked, c) => {
    const k = asked.findIndex((d) => Choose.same(c, d));
    return { colour: colours.bounds[Math.max(0, k) % 6], dash: DASHES[Math.max(0, k) % 6] };
  };

  /** A canvas as wide as its place, cleared; its context draws in CSS pixels. */
  function sheet(canvas, height) {
    const width = Math.max(240, canvas.parentElement.clientWidth), ratio = window.devicePixelRatio || 1;
    const high = height ?? Number(canvas.dataset.height);
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(high * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(high * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${high}px`;
    }
    const ctx = canvas.getContext("2d");
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, high);
    ctx.font = "13px system-ui, sans-serif";
    return { ctx, width, height: high };
  }

  const at = (axis, value) => (axis.log ? Math.log10(value) : value);

  /** Where values stand: functions from values to pixels, and the plot's area. */
  function area(page, x, y, top = 26) {
    const { ctx } = page, ticksY = PlotData.ticks(y);
    const left = Math.min(0.3 * page.width, 16 + Math.max(...ticksY.map((t) => ctx.measureText(short(t.text, 18)).width), 20));
    const box = { left, right: page.width - 12, top, bottom: page.height - 42 };
    const spanX = x.view[1] - x.view[0], spanY = y.view[1] - y.view[0];
    return {
      ...box, x, y, ticksY,
      px: (v) => box.left + ((at(x, v) - x.view[0]) / spanX) * (box.right - box.left),
      py: (v) => box.bottom - ((at(y, v) - y.view[0]) / spanY) * (box.bottom - box.top),
      rawX: (v) => box.left + ((v - x.view[0]) / spanX) * (box.right - box.left),
      rawY: (v) => box.bottom - ((v - y.view[0]) / spanY) * (box.bottom - box.top),
    };
  }

  const short = (text, most) => (text.length <= most ? text : `${text.slice(0, Math.floor(most / 2))}…${text.slice(text.length - Math.floor((most - 1) / 2))}`);

  function frame(page, a, colours) {
    const { ctx } = page;
    ctx.lineWidth = 1;
    ctx.setLineDash([]);
    ctx.strokeStyle = colours.line;
    ctx.fillStyle = colours["text-soft"];
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    for (const t of a.ticksY) {
      const y = a.rawY(t.at);
      line(ctx, a.left, y, a.right, y);
      ctx.fillText(short(t.text, 18), a.left - 6, y);
    }
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    let last = -Infinity;
    for (const t of PlotData.ticks(a.x)) {
      const x = a.rawX(t.at), text = short(t.text, 14), half = ctx.measureText(text).width / 2;
      line(ctx, x, a.top, x, a.bottom);
      if (x - half < last + 6 || x + half > page.width) continue;
      ctx.fillText(text, x, a.bottom + 6);
      last = x + half;
    }
    ctx.fillStyle = colours.text;
    ctx.fillText(short(a.x.title, 60), (a.left + a.right) / 2, a.bottom + 24);
    ctx.textAlign = "left";
    ctx.fillText(short(a.y.title, 60), 2, 2);
  }

  function line(ctx, x0, y0, x1, y1) {
    ctx.beginPath();
    ctx.moveTo(x0, y0);
    ctx.lineTo(x1, y1);
    ctx.stroke();
  }

  function clipped(page, a, draw) {
    const { ctx } = page;
    ctx.save();
    ctx.beginPath();
    ctx.rect(a.left, a.top, a.right - a.left, a.bottom - a.top);
    ctx.clip();
    draw();
    ctx.restore();
  }

  /** Bounds in view with shade over what they exclude; an arrow at the margin points at those beyond it. */
  function bounds(page, a, axis, isX, asked, colours) {
    const { ctx } = page;
    axis.bounds.forEach((c, row) => {
      const { colour, dash } = boundLook(colours, asked, c), upper = Choose.isUpper(c);
      const beyond = axis.beyond.includes(c);
      ctx.fillStyle = ctx.strokeStyle = colour;
      ctx.textBaseline = "bottom";
      if (beyond) {
        const high = axis.log && c.bound <= 0 ? false : at(axis, c.bound) > axis.view[1];
        const words = `${Choose.keyOf(c)} ${isX ? (high ? "→" : "←") : high ? "↑" : "↓"}`;
        ctx.textAlign = isX ? (high ? "right" : "left") : "right";
        const x = isX ? (high ? a.right - 4 : a.left + 4) : a.right - 4;
        ctx.fillText(words, x, isX ? a.bottom - 4 - 16 * row : high ? a.top + 16 + 16 * row : a.bottom - 20 - 16 * row);
        if (upper !== high) shade(page, a, isX, isX ? a.left : a.top, isX ? a.right : a.bottom, colour); // everything shown misses it
        return;
      }
      const p = isX ? a.px(c.bound) : a.py(c.bound);
      if (isX) shade(page, a, true, upper ? p : a.left, upper ? a.right : p, colour);
      else shade(page, a, false, upper ? a.top : p, upper ? p : a.bottom, colour);
      ctx.lineWidth = 2;
      ctx.setLineDash(dash);
      if (isX) line(ctx, p, a.top, p, a.bottom);
      else line(ctx, a.left, p, a.right, p);
      ctx.setLineDash([]);
      const rightwards = p - a.left < a.right - p;
      ctx.textAlign = isX ? (rightwards ? "left" : "right") : "left";
      if (isX) ctx.fillText(Choose.keyOf(c), p + (rightwards ? 4 : -4), a.bottom - 4 - 16 * row);
      else ctx.fillText(Choose.keyOf(c), a.left + 6, p - 3 < a.top + 14 ? p + 17 : p - 3);
    });
  }

  function shade(page, a, isX, from, to, colour) {
    const { ctx } = page;
    ctx.save();
    ctx.globalAlpha = 0.09;
    ctx.fillStyle = colour;
    if (isX) ctx.fillRect(from, a.top, to - from, a.bottom - a.top);
    else ctx.fillRect(a.left, from, a.right - a.left, to - from);
    ctx.restore();
  }

  /** One mark by its kind; every kind has a shape of its own. */
  function mark(ctx, kind, x, y, colours) {
    ctx.strokeStyle = ctx.fillStyle = colours[KINDS[kind][1]];
    ctx.lineWidth = 1.8;
    ctx.beginPath();
    if (kind === "infeasible") {
      ctx.moveTo(x - 3.5, y - 3.5); ctx.lineTo(x + 3.5, y + 3.5);
      ctx.moveTo(x - 3.5, y + 3.5); ctx.lineTo(x + 3.5, y - 3.5);
      ctx.stroke();
    } else if (kind === "pruned") {
      ctx.moveTo(x - 4, y - 3); ctx.lineTo(x + 4, y - 3); ctx.lineTo(x, y + 4); ctx.closePath();
      ctx.stroke();
    } else if (kind === "unknown") {
      ctx.rect(x - 3.5, y - 3.5, 7, 7);
      ctx.stroke();
    } else {
      ctx.arc(x, y, kind === "dominated" ? 3.6 : 5, 0, 2 * Math.PI);
      if (kind === "other") ctx.stroke();
      else ctx.fill();
    }
  }

  function star(ctx, x, y, colours) {
    ctx.beginPath();
    for (let k = 0; k < 10; k++) {
      const r = k % 2 ? 4.2 : 10, angle = -Math.PI / 2 + (k * Math.PI) / 5;
      ctx.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
    }
    ctx.closePath();
    ctx.fillStyle = colours.gold;
    ctx.strokeStyle = colours.text;
    ctx.lineWidth = 1.4;
    ctx.fill();
    ctx.stroke();
  }

  function diamond(ctx, x, y, colours) {
    ctx.beginPath();
    ctx.moveTo(x, y - 9); ctx.lineTo(x + 9, y); ctx.lineTo(x, y + 9); ctx.lineTo(x - 9, y);
    ctx.closePath();
    ctx.strokeStyle = colours.violet;
    ctx.lineWidth = 2;
    ctx.stroke();
  }

  /** Points with front, bounds, chosen and default trial; returns where each point stands. */
  function scatter(canvas, plot, { asked, shown = null, focused = -1 }) {
    const page = sheet(canvas), colours = theme(), a = area(page, plot.x, plot.y), { ctx } = page;
    frame(page, a, colours);
    const places = [];
    bounds(page, a, plot.x, true, asked, colours);
    bounds(page, a, plot.y, false, asked, colours);
    clipped(page, a, () => {
      for (const kind of Object.keys(KINDS)) {
        for (const p of plot.points) {
          if (p.kind !== kind) continue;
          const x = a.px(p.x), y = a.py(p.y);
          if (!(x > a.left - 9 && x < a.right + 9 && y > a.top - 9 && y < a.bottom + 9)) continue;
          places.push({ ...p, px: x, py: y });
          ctx.globalAlpha = shown === null || shown.has(p.trial) ? 1 : 0.12;
          mark(ctx, kind, x, y, colours);
        }
      }
      ctx.globalAlpha = 1;
      ctx.strokeStyle = colours.accent;
      ctx.lineWidth = 1.6;
      ctx.beginPath();
      plot.line.forEach(([x, y], k) => (k ? ctx.lineTo(a.px(x), a.py(y)) : ctx.moveTo(a.px(x), a.py(y))));
      ctx.stroke();
      for (const p of places) if (p.trial === plot.default) diamond(ctx, p.px, p.py, colours);
      for (const p of places) if (p.trial === plot.chosen) star(ctx, p.px, p.py, colours);
      for (const p of places) if (p.trial === focused) ring(ctx, p.px, p.py, colours);
    });
    canvas.area = a;
    return places;
  }

  function ring(ctx, x, y, colours) {
    ctx.beginPath();
    ctx.arc(x, y, 12, 0, 2 * Math.PI);
    ctx.strokeStyle = colours.text;
    ctx.lineWidth = 2;
    ctx.stroke();
  }

  const FINE = 4; // pixels: how finely the wrong side of an edge is shaded
  const CHUNK = 700; // lines drawn between two frames: the page stays alive with thousands

  /** Parallel coordinates: faded first, then what fits, then the front and the chosen trial. */
  function parallel(canvas, plot, { shown, ranges, chosen }) {
    const axes = plot.axes.length;
    canvas.parentElement.parentElement.style.setProperty("--width", `${Math.max(320, 92 * axes)}px`);
    const page = sheet(canvas), colours = theme(), { ctx } = page;
    const top = 44, bottom = page.height - 22, left = 46, right = page.width - 46;
    const x = (k) => (axes === 1 ? (left + right) / 2 : left + (k * (right - left)) / (axes - 1));
    const y = (place) => (Number.isNaN(place) ? bottom + 14 : bottom - place * (bottom - top));
    const rank = (r) => (!shown(r) ? 0 : plot.rows[r].trial === chosen ? 4 : { infeasible: 1, unknown: 1, dominated: 2 }[plot.rows[r].kind] ?? 3);
    const order = plot.rows.map((_, r) => [rank(r), r]).sort((a, b) => a[0] - b[0]);
    const looks = [[colours.grey, 0.1, 1], [colours.bad, 0.45, 1], [colours.soft, 0.6, 1], [colours.accent, 0.95, 1.6], [colours.chosen, 1, 3.5]];
    const token = (canvas.token = (canvas.token ?? 0) + 1);
    let next = 0;
    const lines = () => {
      if (canvas.token !== token) return;
      for (const end = Math.min(next + CHUNK, order.length); next < end; next++) {
        const [level, r] = order[next], [colour, alpha, width] = looks[level];
        ctx.strokeStyle = colour;
        ctx.globalAlpha = order.length > 400 && level < 3 ? alpha * 0.6 : alpha;
        ctx.lineWidth = width;
        ctx.beginPath();
        for (let k = 0; k < axes; k++) {
          const py = y(plot.axes[k].places[r]);
          if (k) ctx.lineTo(x(k), py);
          else ctx.moveTo(x(k), py);
        }
        ctx.stroke();
      }
      ctx.globalAlpha = 1;
      if (next < order.length) requestAnimationFrame(lines);
      else furniture();
    };
    const furniture = () => {
      ctx.font = "12px system-ui, sans-serif";
      plot.axes.forEach((axis, k) => {
        ctx.strokeStyle = colours["text-soft"];
        ctx.lineWidth = 1;
        line(ctx, x(k), top, x(k), bottom);
        ctx.fillStyle = colours.text;
        ctx.textAlign = "center";
        ctx.textBaseline = "bottom";
        ctx.fillText(short(axis.name, 14), x(k), top - (k % 2 ? 24 : 8));
        ctx.textAlign = k === axes - 1 ? "right" : "left";
        ctx.textBaseline = "middle";
        for (const t of axis.ticks) {
          const text = short(t.text, 10), tx = x(k) + (k === axes - 1 ? -5 : 5), wide = ctx.measureText(text).width;
          ctx.globalAlpha = 0.75;
          ctx.fillStyle = colours.card;
          ctx.fillRect(k === axes - 1 ? tx - wide : tx, y(t.place) - 7, wide, 14);
          ctx.globalAlpha = 1;
          ctx.fillStyle = colours["text-soft"];
          ctx.fillText(text, tx, y(t.place));
        }
        const range = ranges.get(axis.name);
        if (range) {
          ctx.fillStyle = colours.gold;
          ctx.strokeStyle = colours.text;
          ctx.globalAlpha = 0.5;
          ctx.fillRect(x(k) - 6, y(range[1]), 12, y(range[0]) - y(range[1]));
          ctx.globalAlpha = 1;
          ctx.strokeRect(x(k) - 6, y(range[1]), 12, y(range[0]) - y(range[1]));
        }
      });
    };
    lines();
    canvas.parallel = { x, top, bottom, axes };
  }

  /** One line a trial; those stopped early end in a cross. */
  function curves(canvas, plot, chosen) {
    const page = sheet(canvas), colours = theme(), a = area(page, plot.x, plot.y), { ctx } = page;
    frame(page, a, colours);
    const look = (c) => (c.trial === chosen ? [colours.chosen, 1, 3] : c.state === "C" ? [colours.soft, 0.75, 1.2] : c.state === "P" ? [colours.bad, 0.55, 1.2] : [colours.grey, 0.8, 1.2]);
    const order = [...plot.curves].sort((p, q) => (p.trial === chosen) - (q.trial === chosen));
    clipped(page, a, () => {
      for (const c of order) {
        const [colour, alpha, width] = look(c);
        ctx.strokeStyle = colour;
        ctx.globalAlpha = plot.curves.length > 300 && c.trial !== chosen ? alpha * 0.5 : alpha;
        ctx.lineWidth = width;
        ctx.beginPath();
        c.points.forEach(([x, y], k) => (k ? ctx.lineTo(a.px(x), a.py(y)) : ctx.moveTo(a.px(x), a.py(y))));
        ctx.stroke();
        const [x, y] = c.points[c.points.length - 1];
        ctx.globalAlpha = Math.min(1, alpha + 0.3);
        if (c.state === "P") mark(ctx, "infeasible", a.px(x), a.py(y), { ...colours, bad: colour });
        else if (c.points.length === 1) mark(ctx, "dominated", a.px(x), a.py(y), { ...colours, soft: colour });
      }
    });
  }

  function ramp(place) {
    const at = place * (VIRIDIS.length - 1), k = Math.min(VIRIDIS.length - 2, Math.floor(at)), t = at - k;
    return VIRIDIS[k].map((v, c) => Math.round(v + t * (VIRIDIS[k + 1][c] - v)));
  }

  /** A metric over two parameters, each bound's edge, the wrong side shaded, and the trials. */
  function surface(canvas, plot, asked) {
    const page = sheet(canvas), colours = theme(), a = area(page, plot.x, plot.y), { ctx } = page;
    const columns = plot.x.grid.length, rows = plot.y.grid.length;
    const cells = new OffscreenCanvas(columns, rows), inner = cells.getContext("2d"), image = inner.createImageData(columns, rows);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const k = r * columns + c, pixel = 4 * ((rows - 1 - r) * columns + c), value = plot.z[k];
        if (value === null) continue;
        const [red, green, blue] = ramp(plot.colours.place(plot.log ? Math.log10(value) : value));
        image.data.set([red, green, blue, Math.round(255 * (0.18 + 0.82 * plot.sure[k]))], pixel);
      }
    }
    inner.putImageData(image, 0, 0);
    const stepX = (a.right - a.left) * plot.x.step / (plot.x.view[1] - plot.x.view[0]), stepY = (a.bottom - a.top) * plot.y.step / (plot.y.view[1] - plot.y.view[0]);
    const x0 = a.rawX(plot.x.grid[0]) - stepX / 2, y1 = a.rawY(plot.y.grid[rows - 1]) - stepY / 2;
    clipped(page, a, () => {
      ctx.imageSmoothingEnabled = !plot.stepped;
      ctx.drawImage(cells, x0, y1, stepX * columns, stepY * rows);
    });
    plot.edges.forEach(({ constraint, over, segments }) => {
      const { colour, dash } = boundLook(colours, asked, constraint);
      clipped(page, a, () => {
        ctx.fillStyle = pattern(ctx, colour, asked.findIndex((d) => Choose.same(d, constraint)));
        const [wide, high] = plot.stepped ? [stepX, stepY] : [FINE, FINE]; // between choices lies nothing
        for (let y = 0; y < rows * stepY; y += high) for (let x = 0; x < columns * stepX; x += wide) {
          const c = (x + wide / 2) / stepX - 0.5, r = rows - 0.5 - (y + high / 2) / stepY;
          if (PlotData.between(over, columns, rows, c, r) > 0) ctx.fillRect(x0 + x, y1 + y, wide + 0.5, high + 0.5);
        }
        for (const [style, width] of [["#ffffff", 5], [colour, 2.6]]) {
          ctx.strokeStyle = style;
          ctx.lineWidth = width;
          ctx.setLineDash(style === colour ? dash : []);
          ctx.beginPath();
          for (const [[ca, ra], [cb, rb]] of segments) {
            ctx.moveTo(x0 + (ca + 0.5) * stepX, y1 + (rows - 0.5 - ra) * stepY);
            ctx.lineTo(x0 + (cb + 0.5) * stepX, y1 + (rows - 0.5 - rb) * stepY);
          }
          ctx.stroke();
        }
        ctx.setLineDash([]);
      });
    });
    frame(page, a, { ...colours, line: "transparent" });
    const places = [];
    clipped(page, a, () => {
      for (const p of plot.points) {
        const x = a.rawX(p.x), y = a.rawY(p.y);
        places.push({ ...p, px: x, py: y });
        ctx.lineWidth = 4;
        for (const colour of ["#ffffff", "#1c1e21"]) {
          ctx.strokeStyle = colour;
          ctx.beginPath();
          if (p.kind === "infeasible") {
            ctx.moveTo(x - 3.5, y - 3.5); ctx.lineTo(x + 3.5, y + 3.5);
            ctx.moveTo(x - 3.5, y + 3.5); ctx.lineTo(x + 3.5, y - 3.5);
          } else if (p.kind === "pruned") {
            ctx.moveTo(x - 4, y - 3); ctx.lineTo(x + 4, y - 3); ctx.lineTo(x, y + 4); ctx.closePath();
          } else if (p.kind === "unknown") ctx.rect(x - 3.5, y - 3.5, 7, 7);
          else ctx.arc(x, y, 3.6, 0, 2 * Math.PI);
          ctx.stroke();
          ctx.lineWidth = 1.6;
        }
      }
      for (const p of places) if (p.trial === plot.chosen) star(ctx, p.px, p.py, { gold: colours.gold, text: "#1c1e21" });
    });
    scaleBar(page, a, plot, colours);
    return places;
  }

  function pattern(ctx, colour, k) {
    const tile = new OffscreenCanvas(8, 8), c = tile.getContext("2d");
    c.strokeStyle = colour;
    c.globalAlpha = 0.6;
    c.lineWidth = 1;
    c.beginPath();
    if (k % 2) { c.moveTo(0, 0); c.lineTo(8, 8); } else { c.moveTo(0, 8); c.lineTo(8, 0); }
    c.stroke();
    return ctx.createPattern(tile, "repeat");
  }

  function scaleBar(page, a, plot, colours) {
    const { ctx } = page;
    const said = (v) => Text.number(Number((plot.log ? 10 ** v : v).toPrecision(3)));
    ctx.font = "12px system-ui, sans-serif";
    const high = said(plot.colours.high), end = a.right - ctx.measureText(high).width - 4;
    const width = Math.min(160, 0.35 * (a.right - a.left)), left = end - width;
    for (let k = 0; k < width; k++) {
      ctx.fillStyle = `rgb(${ramp(k / width).join(",")})`;
      ctx.fillRect(left + k, 4, 1.5, 10);
    }
    ctx.fillStyle = colours["text-soft"];
    ctx.textBaseline = "top";
    ctx.textAlign = "right";
    ctx.fillText(said(plot.colours.low), left - 4, 3);
    ctx.textAlign = "left";
    ctx.fillText(high, end + 4, 3);
  }

  return { KINDS, DASHES, theme, boundLook, scatter, parallel, curves, surface, ramp, mark, short };
})();

// Curves: a strip for each dimension with a scale of its own, so that a large one flattens no other; the action lies over
// the state of the same name. Drawn once for a view; the cursor has a canvas of its own.
import { $, clamp, colour, context, el, floats } from "./api.js";

const MOST_STRIPS = 24;
const STATE = "observation.state", ACTION = "action";

export class Plots {
  constructor(page) {
    this.page = page;
    this.box = $("#plots");
    this.cache = new Map();
    this.hidden = new Set();
    this.more = false;
    this.strips = strips(page.info.columns);
    this.build();
    new ResizeObserver(() => this.draw()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    page.scrubs(this.cursor, () => this.cursor.getBoundingClientRect());
  }

  build() {
    this.cursor = el("canvas", { class: "cursor", "aria-hidden": "true" });
    this.shown = this.more ? this.strips : this.strips.slice(0, MOST_STRIPS);
    const groups = new Map();
    for (const strip of this.shown) { if (!groups.has(strip.group)) groups.set(strip.group, []); groups.get(strip.group).push(strip); }
    const parts = [];
    for (const [group, members] of groups) {
      const two = members.some(strip => strip.lines.length > 1);
      parts.push(el("div", { class: "group" },
        el("button", { type: "button", "aria-expanded": String(!this.hidden.has(group)), onclick: () => this.fold(group) }, group),
        two ? el("span", { class: "legend" }, el("i", { class: "state" }), "state", el("i", { class: "action" }), "action") : null));
      if (this.hidden.has(group)) continue;
      for (const strip of members) {
        strip.canvas = el("canvas", { role: "img", "aria-label": `${strip.name} over the rows` });
        strip.value = el("span", { class: "value" });
        strip.range = el("span", { class: "range" });
        parts.push(el("div", { class: "strip" }, el("span", { class: "label", title: strip.name }, strip.name), strip.canvas, el("span", { class: "numbers" }, strip.value, strip.range)));
      }
    }
    if (this.strips.length > MOST_STRIPS) parts.push(el("button", { type: "button", class: "more", onclick: () => { this.more = !this.more; this.build(); this.load(); } },
      this.more ? "show fewer" : `show all ${this.strips.length} dimensions`));
    this.box.replaceChildren(...parts, this.cursor);
    if (this.page.plots) this.page.scrubs(this.cursor, () => this.cursor.getBoundingClientRect());
  }

  fold(group) { if (!this.hidden.delete(group)) this.hidden.add(group); this.build(); this.load(); }

  visible() { return this.shown.filter(strip => !this.hidden.has(strip.group)); }

  // Values of the view, from the server's least and greatest of each step; of a row, for the numbers beside.
  async load() {
    const { number, view } = this.page, [from, to] = view, steps = Math.round(clamp(this.box.clientWidth, 300, 2000));
    const columns = [...new Set(this.visible().flatMap(strip => strip.lines.map(line => line.column)))];
    const fresh = new Map();
    await Promise.all(columns.map(async column => {
      const key = `${number}/${column}/${from}/${to}/${steps}`;
      if (!this.cache.has(key)) this.cache.set(key, floats(`/api/dataset/${this.page.dataset}/curves/${number}/${column}?from=${from}&to=${to}&steps=${steps}`).then(decode));
      while (this.cache.size > 60) this.cache.delete(this.cache.keys().next().value);
      try { fresh.set(column, await this.cache.get(key)); } catch (error) { this.cache.delete(key); fresh.set(column, null); }
    }));
    if (number !== this.page.number || view !== this.page.view) return;
    this.data = fresh;
    this.draw();
    this.exact();
  }

  // The values of one row, exactly as the dataset has them.
  async exact() {
    const { number, row } = this.page;
    if (this.asking) { this.again = true; return; }
    this.asking = true;
    try {
      do {
        this.again = false;
        await this.values(this.page.number, this.page.row);
      } while (this.again || this.page.number !== number && this.page.row !== row && this.again);
    } finally { this.asking = false; }
  }

  async values(number, row) {
    const at = new Map(), columns = [...new Set(this.visible().flatMap(strip => strip.lines.map(line => line.column)))];
    await Promise.all(columns.map(async column => {
      const known = this.data?.get(column);
      if (known && !known.high) { at.set(column, dim => known.low(dim, row - known.from)); return; }
      try {
        const one = decode(await floats(`/api/dataset/${this.page.dataset}/curves/${number}/${column}?from=${row}&to=${row + 1}&steps=1`));
        at.set(column, dim => one.low(dim, 0));
      } catch { at.set(column, () => NaN); }
    }));
    if (number !== this.page.number || row !== this.page.row) { this.again = true; return; }
    for (const strip of this.visible()) strip.value.replaceChildren(...strip.lines.flatMap((line, k) => [k ? "  " : "", el("span", { class: line.role === ACTION ? "action" : "state" }, text(at.get(line.column)?.(line.dim)))]));
    this.box.dataset.row = row;
  }

  draw() {
    if (!this.data) return;
    const colours = [colour("--state"), colour("--action")], grid = colour("--grid");
    for (const strip of this.visible()) {
      const { g, width, height } = context(strip.canvas);
      let low = Infinity, high = -Infinity;
      for (const line of strip.lines) {
        const data = this.data.get(line.column);
        if (!data) continue;
        for (let i = 0; i < data.count; i++) {
          const a = data.low(line.dim, i), b = data.high ? data.high(line.dim, i) : a;
          if (a < low && Number.isFinite(a)) low = a;
          if (b > high && Number.isFinite(b)) high = b;
        }
      }
      strip.range.textContent = high >= low ? `${text(low)} .. ${text(high)}` : "no numbers";
      if (high === low) { low -= 1; high += 1; }
      g.fillStyle = grid;
      g.fillRect(0, height - 1, width, 1);
      this.shade(g, width, height);
      strip.lines.forEach((line, k) => this.line(g, this.data.get(line.column), line.dim, { width, height, low, high, stroke: colours[line.role === ACTION ? 1 : 0], wide: k === 0 }));
    }
    this.mark();
  }

  line(g, data, dim, { width, height, low, high, stroke, wide }) {
    if (!data) return;
    const [from, to] = this.page.view, X = row => (row + 0.5 - from) / (to - from) * width, Y = value => 3 + (high - value) / (high - low) * (height - 7);
    g.strokeStyle = stroke;
    g.lineWidth = wide ? 1.6 : 1.2;
    g.setLineDash(wide ? [] : [5, 3]); // so that both are seen where they are equal
    g.beginPath();
    let pen = false;
    for (let i = 0; i < data.count; i++) {
      const a = data.low(dim, i), x = X(data.row(i));
      if (!Number.isFinite(a)) { pen = false; continue; }
      if (pen) g.lineTo(x, Y(a)); else g.moveTo(x, Y(a));
      if (data.high) g.lineTo(x, Y(data.high(dim, i)));
      else if (data.count === 1) g.lineTo(x + 1, Y(a));
      pen = true;
    }
    g.stroke();
    g.setLineDash([]);
  }

  // Rows that are left out, and rows of findings, in the background.
  shade(g, width, height) {
    const [from, to] = this.page.view, X = row => (row - from) / (to - from) * width;
    for (const span of this.page.shades()) {
      g.fillStyle = colour(span.colour);
      g.globalAlpha = span.alpha;
      g.fillRect(X(span.rows[0]), 0, Math.max(1, X(span.rows[1]) - X(span.rows[0])), height);
      g.globalAlpha = 1;
    }
  }

  mark() {
    const first = this.visible()[0]?.canvas;
    if (!first) return;
    this.cursor.style.left = `${first.offsetLeft}px`;
    this.cursor.style.width = `${first.clientWidth}px`;
    const { g, width, height } = context(this.cursor), [from, to] = this.page.view;
    g.fillStyle = colour("--cursor");
    g.fillRect(Math.round((this.page.row + 0.5 - from) / (to - from) * width) - 0.5, 0, 1, height);
  }
}

function decode(data) {
  const [from, to, dims, count, two] = data, size = dims * count;
  const at = start => (dim, i) => data[start + dim * count + i];
  return { from, to, dims, count, low: at(5), high: two ? at(5 + size) : null, row: i => from + (two ? Math.floor(i * (to - from) / count) : i) };
}

// What is drawn, in order: a strip for each name of action and state together, then the other columns.
function strips(columns) {
  const found = [], byName = new Map();
  const add = (group, name, line) => { const strip = { group, name, lines: [line] }; found.push(strip); return strip; };
  const order = [...columns.keys()].sort((a, b) => rank(columns[a].key) - rank(columns[b].key));
  for (const column of order) {
    const { key, dims, names } = columns[column], main = key === STATE || key === ACTION;
    for (let dim = 0; dim < dims; dim++) {
      const name = names[dim] ?? (dims === 1 ? key : String(dim)), line = { column, dim, role: key === ACTION ? ACTION : STATE };
      const partner = main && byName.get(names[dim] ? name : `#${dim}`);
      if (partner && key === ACTION && partner.lines.length < 2) { partner.lines.push(line); continue; }
      const strip = add(main ? "state and action" : key, name, line);
      if (main) byName.set(names[dim] ? name : `#${dim}`, strip);
    }
  }
  return found;
}

const rank = key => key === STATE ? 0 : key === ACTION ? 1 : key.startsWith("action") ? 2 : 3;

export function text(value) {
  if (value === undefined) return "";
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  return Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3 && value !== 0 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

// Strips of one recording: above the samples of a stream, below the rows of the plan with the age of what they show, and
// between them a line from each row to its sample.
import { clamp, colour, context, el, many } from "./api.js";

const SAMPLES = 16, AGES = 30, MOST_LINES = 400;
export const ms = ns => `${(ns / 1e6).toFixed(Math.abs(ns) < 1e8 ? 1 : 0)} ms`;
export const seconds = ns => `${(ns / 1e9).toFixed(3)} s`;
export const steps = ns => `${Math.round(ns / 1e9)} steps`;

export class Strips {
  // plain: samples alone, of streams that no row uses.
  constructor(box, { onWindow, onCursor, plain = false }) {
    this.box = box;
    this.plain = plain;
    this.onWindow = onWindow;
    this.onCursor = onCursor;
    this.cursor = null;
    this.parts = [];
    new ResizeObserver(() => this.draw()).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  get width() { return this.parts[0]?.canvas.clientWidth || this.box.clientWidth - 270; }

  show(data) {
    this.data = data;
    const names = data.sources.map(source => `${source.key ?? ""} ${source.stream}`).join("|");
    if (names !== this.names) {
      this.names = names;
      this.parts = data.sources.map((source, k) => this.part(source, k));
      this.box.replaceChildren(...this.parts.map(part => part.row));
    }
    data.sources.forEach((source, k) => this.describe(source, this.parts[k]));
    this.draw();
  }

  part(source, k) {
    const canvas = el("canvas", { role: "img", tabindex: "0" }), facts = el("div", { class: "strip-facts" });
    canvas.addEventListener("wheel", event => { if (!event.shiftKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) { event.preventDefault(); this.zoom(event.deltaY > 0 ? 1.5 : 1 / 1.5, this.time(event, canvas)); } }, { passive: false });
    canvas.addEventListener("pointerdown", event => { canvas.setPointerCapture(event.pointerId); this.grab = { x: event.clientX, window: this.data.window, moved: false }; });
    canvas.addEventListener("pointermove", event => this.drag(event, canvas, k));
    canvas.addEventListener("pointerup", event => { if (this.grab && !this.grab.moved) this.point(this.time(event, canvas)); this.grab = null; });
    canvas.addEventListener("keydown", event => {
      const step = { ArrowLeft: -0.2, ArrowRight: 0.2 }[event.key];
      if (step) this.move(step); else if (event.key === "+") this.zoom(1 / 1.5); else if (event.key === "-") this.zoom(1.5); else return;
      event.preventDefault();
    });
    const name = el("span", { class: "quiet", title: source.stream }, source.stream), key = source.key?.replace("observation.", "");
    const names = el("div", { class: "strip-name" }, key ? el("b", {}, key) : null, name);
    return { canvas, facts, row: el("div", { class: this.plain ? "sample-strip plain" : "sample-strip", "data-key": source.key, "data-stream": source.stream }, names, canvas, facts) };
  }

  describe(source, part) {
    const count = `${many(source.samples, "sample")}${source.hz && !this.data.counts ? `, ${source.hz.toFixed(2)} Hz` : ""}`;
    const gaps = source.gaps.length ? `${source.gaps.length} gap${source.gaps.length > 1 ? "s" : ""}, up to ${(this.data.counts ? steps : seconds)(Math.max(...source.gaps.map(([a, b]) => b - a)))}` : "";
    if (this.plain) {
      part.facts.replaceChildren(el("div", {}, count), ...(gaps ? [el("div", { class: "warning" }, gaps)] : []));
      part.canvas.setAttribute("aria-label", `${source.stream}: ${count}${gaps ? `; ${gaps}` : ""}; no row uses it`);
      return;
    }
    const lines = [
      count,
      source.age_ns ? `age ${ms(source.age_ns[0])}, at most ${ms(source.age_ns[1])}` : "no ages",
      `${source.limit_ns === null ? "no limit" : `limit ${ms(source.limit_ns)}`}, ${many(source.repeated, "row")} repeat${source.repeated === 1 ? "s" : ""}`,
      `${source.unused.toLocaleString("en")} unused${source.outside ? `, ${source.outside.toLocaleString("en")} outside` : ""}`,
    ];
    const odd = [source.missing ? `${many(source.missing, "row")} without a sample` : "", gaps].filter(Boolean).join(", ");
    part.facts.replaceChildren(...lines.map(text => el("div", {}, text)), ...(odd ? [el("div", { class: source.missing ? "bad" : "warning" }, odd)] : []));
    part.facts.title = source.problem;
    part.canvas.setAttribute("aria-label", `${source.key}: ${lines.join("; ")}${odd ? `; ${odd}` : ""}`);
  }

  time(event, canvas) {
    const box = canvas.getBoundingClientRect(), [from, to] = this.data.window;
    return Math.round(from + (event.clientX - box.left) / box.width * (to - from));
  }

  point(time) { this.cursor = time; this.onCursor(time); this.draw(); }

  drag(event, canvas) {
    if (!this.grab) return;
    const far = event.clientX - this.grab.x;
    if (Math.abs(far) > 3) this.grab.moved = true;
    if (!this.grab.moved) return;
    const [from, to] = this.grab.window, by = Math.round(-far / canvas.clientWidth * (to - from));
    this.ask(from + by, to + by);
  }

  move(part) { const [from, to] = this.data.window, by = Math.round((to - from) * part); this.ask(from + by, to + by); }

  zoom(factor, at) {
    const [from, to] = this.data.window, middle = at ?? (from + to) / 2, span = clamp(Math.round((to - from) * factor), 1e5, this.data.whole[1] - this.data.whole[0]);
    const start = Math.round(middle - (middle - from) * span / (to - from));
    this.ask(start, start + span);
  }

  ask(from, to) {
    const [first, last] = this.data.whole, span = Math.min(to - from, last - first), start = clamp(from, first, last - span);
    this.onWindow([Math.round(start), Math.round(start + span)]);
  }

  draw() {
    if (!this.data) return;
    const names = { used: "--state", unused: "--drop", age: "--good", old: "--bad", grid: "--grid", line: "--quiet", warn: "--warn", cursor: "--cursor" };
    const paint = Object.fromEntries(Object.entries(names).map(([name, value]) => [name, colour(value)]));
    if (this.plain) paint.unused = paint.line;
    this.data.sources.forEach((source, k) => this.strip(source, this.parts[k].canvas, paint));
  }

  strip(source, canvas, paint) {
    const { g, width, height } = context(canvas), [from, to] = this.data.window, X = time => (time - from) / (to - from) * width;
    g.globalAlpha = 0.18;
    g.fillStyle = paint.warn;
    for (const [a, b] of source.gaps) g.fillRect(X(a), 0, Math.max(1, X(b) - X(a)), height);
    g.globalAlpha = 1;
    g.fillStyle = paint.cursor;
    for (const edge of (this.data.parts ?? []).flat()) g.fillRect(X(edge), height - 6, 1, 6);
    const ticks = this.data.ticks;
    if (!this.plain && ticks.at && ticks.at.length < width / 3) { g.fillStyle = paint.grid; for (const tick of ticks.at) g.fillRect(X(tick), SAMPLES, 1, height - SAMPLES); }
    if (source.times && source.rows && source.times.length + source.rows.length < MOST_LINES * 2) this.lines(g, source, X, height, paint);
    if (source.times) source.times.forEach((time, i) => { g.fillStyle = source.used[i] ? paint.used : paint.unused; g.fillRect(X(time) - 0.75, 0, 1.5, source.used[i] ? SAMPLES : SAMPLES - 4); });
    else this.density(g, source, width, paint);
    if (!this.plain) this.ages(g, source, X, width, height, paint);
    if (this.cursor !== null) { g.fillStyle = paint.cursor; g.fillRect(X(this.cursor), 0, 1, height); }
  }

  lines(g, source, X, height, paint) {
    g.strokeStyle = paint.line;
    g.lineWidth = 1;
    g.beginPath();
    const ticks = this.data.ticks.at ?? [];
    source.rows.forEach((sample, i) => {
      if (sample < 0 || i >= ticks.length) return;
      g.moveTo(X(source.times[sample - source.first_sample] ?? ticks[i] - source.ages[i]), SAMPLES);
      g.lineTo(X(ticks[i]), height - AGES);
    });
    g.stroke();
  }

  density(g, source, width, paint) {
    const most = Math.max(1, ...source.density), step = width / source.density.length;
    source.density.forEach((count, i) => {
      if (!count) return;
      g.fillStyle = source.density_used[i] ? paint.used : paint.unused;
      g.globalAlpha = 0.25 + 0.75 * count / most;
      g.fillRect(i * step, 0, step + 0.5, SAMPLES);
    });
    g.globalAlpha = 1;
  }

  ages(g, source, X, width, height, paint) {
    const limit = source.limit_ns, least = 1e8 / (this.data.fps ?? 30); // a tenth of a row: rounding is no age
    const most = Math.max(limit !== null && limit < 4 * (source.age_ns?.[1] ?? 0) ? limit : 0, source.age_ns?.[1] ?? 1, least);
    const tall = age => Math.max(1, Math.min(1, Math.abs(age) / most) * (AGES - 3)), ticks = this.data.ticks.at;
    const bar = (x, wide, age, bad) => { g.fillStyle = bad ? paint.old : paint.age; g.fillRect(x, height - tall(age), wide, tall(age)); };
    if (source.rows) {
      const wide = clamp(width / Math.max(source.rows.length, 1) * 0.6, 1, 14);
      source.rows.forEach((sample, i) => { const x = ticks?.[i] === undefined ? 0 : X(ticks[i]); bar(x - wide / 2, wide, sample < 0 ? most : source.ages[i], sample < 0 || (limit !== null && Math.abs(source.ages[i]) >= limit)); });
    } else source.worst.forEach((age, i) => bar(i * width / source.worst.length, width / source.worst.length, source.lost[i] ? most : age, source.lost[i] || (limit !== null && age >= limit)));
    if (limit !== null && limit <= most) { g.fillStyle = paint.old; g.fillRect(0, height - tall(limit), width, 1); }
  }
}

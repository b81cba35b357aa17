// The timeline of one episode: what stays, what is left out, findings and labels as spans, and the cursor.
import { $, clamp, colour, context, el, many } from "./api.js";

const MOST_LINES = 5;
export const rowsOf = ([from, to]) => to - from === 1 ? `row ${from}` : `rows ${from} to ${to - 1}`;

export class Timeline {
  constructor(page) {
    this.page = page;
    this.bar = $("#bar");
    page.scrubs(this.bar, () => this.bar.getBoundingClientRect());
    this.bar.addEventListener("wheel", event => this.zoom(event), { passive: false });
    this.bar.addEventListener("dblclick", () => page.look(0, page.episode.length));
    new ResizeObserver(() => this.draw()).observe(this.bar);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  zoom(event) {
    event.preventDefault();
    const page = this.page, [from, to] = page.view, length = page.episode.length, box = this.bar.getBoundingClientRect();
    const at = from + (event.clientX - box.left) / box.width * (to - from);
    const span = clamp(Math.round((to - from) * (event.deltaY > 0 ? 1.4 : 1 / 1.4)), Math.min(10, length), length);
    const start = clamp(Math.round(at - (at - from) * span / (to - from)), 0, length - span);
    page.look(start, start + span);
  }

  draw() {
    const page = this.page;
    if (!page.episode) return;
    const { g, width, height } = context(this.bar), [from, to] = page.view, X = row => (row - from) / (to - from) * width;
    const box = (rows, top, tall, name, alpha = 1) => {
      g.fillStyle = colour(name); g.globalAlpha = alpha;
      g.fillRect(X(rows[0]), top, Math.max(2, X(rows[1]) - X(rows[0]) - 0.5), tall);
      g.globalAlpha = 1;
    };
    box([from, to], 10, height - 20, "--keep");
    for (const rows of page.marks.left()) box(rows, 10, height - 20, "--drop");
    const entry = page.marks.of(page.number);
    for (const part of entry.parts ?? []) for (const row of part.rows) { g.fillStyle = colour("--text"); g.fillRect(X(row) - 0.5, 4, 1.5, height - 8); }
    for (const finding of page.spans.filter(span => span.kind === "finding" && span.rows)) box(finding.rows, 2, 5, "--warn");
    for (const label of page.spans.filter(span => span.kind === "label")) box(label.rows, height - 7, 5, "--label");
    if (page.labelStart !== null) box([Math.min(page.labelStart, page.row), Math.max(page.labelStart, page.row) + 1], height - 7, 5, "--action", 0.7);
    g.fillStyle = colour("--cursor");
    g.fillRect(X(page.row + 0.5) - 1, 0, 2, height);
    this.bar.setAttribute("aria-valuemax", page.episode.length - 1);
    this.bar.setAttribute("aria-valuenow", page.row);
    this.bar.setAttribute("aria-valuetext", `row ${page.row} of ${page.episode.length}`);
  }

  // Findings and labels as words, each a step to its rows.
  list() {
    const page = this.page, shown = page.spans.filter(span => span.kind === "finding").slice(0, MOST_LINES);
    const state = { unchecked: "unchecked: the quality checks are running", failed: `the quality checks failed: ${page.checkError}` }[page.checked];
    const texts = page.spans.filter(span => span.kind === "label").slice(0, 12);
    const line = span => el("li", { class: span.severity ?? span.kind }, el("button", { type: "button", onclick: () => page.seek(span.rows ? span.rows[0] : 0), title: span.text },
      span.kind === "finding" ? `⚠ ${span.code}` : span.text.slice(0, 60)), span.kind === "finding" ? ` ${span.rows ? `${rowsOf(span.rows)}: ` : ""}${span.text}` : "");
    const more = page.spans.filter(span => span.kind === "finding").length - shown.length;
    $("#spans").replaceChildren(...(state ? [el("li", { class: "quiet" }, state)] : []), ...shown.map(line), ...(more > 0 ? [el("li", { class: "quiet" }, `and ${many(more, "more finding")}`)] : []),
      ...(texts.length ? [el("li", { class: "texts" }, ...texts.map(span => line(span).firstChild))] : []));
  }
}

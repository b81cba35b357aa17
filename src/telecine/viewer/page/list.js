// The list of episodes: only rows in sight have nodes. Filter and sort work on plain arrays, so that 50,000 are no matter.
import { $, el } from "./api.js";

const HEIGHT = 46;

export class List {
  constructor(page) {
    this.page = page;
    this.box = $("#list");
    this.order = [];
    this.findings = new Map(); // episode -> codes
    this.box.addEventListener("scroll", () => this.draw());
    this.box.addEventListener("click", event => {
      const row = event.target.closest("[data-episode]");
      if (row) page.open(Number(row.dataset.episode), 0);
    });
    $("#filter").addEventListener("input", () => this.refresh());
    $("#filter").addEventListener("keydown", event => { if (event.key === "Enter" || event.key === "Escape") { event.target.blur(); } });
    $("#sort").addEventListener("change", () => this.refresh());
    $("#direction").addEventListener("click", event => {
      const down = event.target.getAttribute("aria-pressed") !== "true";
      event.target.setAttribute("aria-pressed", down);
      event.target.setAttribute("aria-label", down ? "Descending" : "Ascending");
      event.target.textContent = down ? "↓" : "↑";
      this.refresh();
    });
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  setEpisodes(data) { this.data = data; this.refresh(); }

  setFindings(findings) {
    this.findings = new Map();
    for (const finding of findings) {
      if (finding.episode === null || finding.episode === undefined) continue;
      if (!this.findings.has(finding.episode)) this.findings.set(finding.episode, []);
      const codes = this.findings.get(finding.episode);
      if (!codes.includes(finding.code)) codes.push(finding.code);
    }
    this.refresh();
  }

  task(n) {
    const task = this.data.task[n];
    return Array.isArray(task) ? task.map(t => this.data.tasks[t]).join(" | ") : this.data.tasks[task] ?? "";
  }

  tags(n) { return this.page.marks.tagsOf(n); }
  success(n) { return this.page.marks.successOf(n); }
  codes(n) { return this.findings.get(n) ?? []; }

  refresh() {
    if (!this.data) return;
    const test = matcher($("#filter").value, this), count = this.data.lengths.length;
    let order = [];
    for (let n = 0; n < count; n++) if (test(n)) order.push(n);
    const by = $("#sort").value, down = $("#direction").getAttribute("aria-pressed") === "true" ? -1 : 1;
    const value = {
      number: null, length: n => this.data.lengths[n], task: n => this.task(n), success: n => String(this.success(n)),
      tags: n => this.tags(n).join(), findings: n => this.codes(n).length, marks: n => this.page.marks.summary(n),
    }[by];
    if (value) {
      const keys = new Map(order.map(n => [n, value(n)]));
      order.sort((a, b) => { const x = keys.get(a), y = keys.get(b); return (x < y ? -1 : x > y ? 1 : 0) * down || a - b; });
    } else if (down < 0) order.reverse();
    this.order = order;
    $("#pad").style.height = `${order.length * HEIGHT}px`;
    $("#count").textContent = order.length === count ? "" : `${order.length} of ${count}`;
    this.draw();
  }

  draw() {
    if (!this.data) return;
    const top = Math.floor(this.box.scrollTop / HEIGHT), many = Math.ceil(this.box.clientHeight / HEIGHT) + 1;
    const rows = this.order.slice(top, top + many).map((n, k) => this.row(n, top + k));
    $("#pad").replaceChildren(...rows);
  }

  row(n, place) {
    const marks = this.page.marks, current = n === this.page.number, success = this.success(n);
    const codes = this.codes(n), tags = this.tags(n), summary = marks.summary(n);
    const outcome = success === true ? el("span", { class: "good", title: "success" }, "✓") : success === false ? el("span", { class: "bad", title: "failure" }, "✗") : null;
    const row = el("div", { role: "option", "aria-selected": String(current), "data-episode": n, class: `row ${marks.isDropped(n) ? "dropped" : ""}`,
      "aria-posinset": place + 1, "aria-setsize": this.order.length },
      el("span", { class: "number" }, String(n)),
      el("span", { class: "task" }, marks.taskOf(n) ?? this.task(n)),
      el("span", { class: "line" }, `${(this.data.lengths[n] / this.page.info.fps).toFixed(1)} s`, outcome,
        ...tags.slice(0, 3).map(tag => el("span", { class: "tag" }, tag)),
        codes.length ? el("span", { class: "finding", title: codes.join(", ") }, `⚠ ${codes.length > 1 ? codes.length : codes[0].replace("look-", "")}`) : null,
        summary ? el("span", { class: "mark" }, summary) : null));
    row.style.top = `${place * HEIGHT}px`;
    return row;
  }

  show(n) {
    const place = this.order.indexOf(n);
    if (place >= 0) {
      const y = place * HEIGHT, box = this.box;
      if (y < box.scrollTop) box.scrollTop = y;
      else if (y + HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = y + HEIGHT - box.clientHeight;
    }
    this.draw();
  }

  // The episode `by` places on in the list as it is filtered and sorted; undefined at its ends.
  neighbour(n, by) {
    const place = this.order.indexOf(n);
    return place < 0 ? this.order[by > 0 ? 0 : this.order.length - 1] : this.order[place + by];
  }
}

// What a filter's text asks of an episode: words, is:dropped, is:marked, is:success, finding:CODE, tag:WORD, rows>30, s<2.
function matcher(text, list) {
  const tests = text.trim().toLowerCase().split(/\s+/).filter(Boolean).map(word => {
    const number = /^(rows|s|episode)([<>=])(\d+(?:\.\d+)?)$/.exec(word), pair = /^(is|tag|finding|task|not):(.*)$/.exec(word);
    if (number) {
      const wanted = Number(number[3]);
      const value = { rows: n => list.data.lengths[n], s: n => list.data.lengths[n] / list.page.info.fps, episode: n => n }[number[1]];
      return n => number[2] === "<" ? value(n) < wanted : number[2] === ">" ? value(n) > wanted : value(n) === wanted;
    }
    if (pair?.[1] === "not") { const other = matcher(pair[2], list); return n => !other(n); }
    if (pair?.[1] === "tag") return n => list.tags(n).some(tag => tag.toLowerCase().includes(pair[2]));
    if (pair?.[1] === "task") return n => (list.page.marks.taskOf(n) ?? list.task(n)).toLowerCase().includes(pair[2]);
    if (pair?.[1] === "finding") return n => list.codes(n).some(code => code.includes(pair[2]));
    if (pair?.[1] === "is") {
      const is = { dropped: n => list.page.marks.isDropped(n), marked: n => Boolean(list.page.marks.summary(n)), finding: n => list.codes(n).length > 0,
        success: n => list.success(n) === true, failure: n => list.success(n) === false, unknown: n => typeof list.success(n) !== "boolean" }[pair[2]];
      if (is) return is;
    }
    return n => `${n} ${list.page.marks.taskOf(n) ?? list.task(n)} ${list.tags(n).join(" ")} ${list.codes(n).join(" ")}`.toLowerCase().includes(word);
  });
  return n => tests.every(test => test(n));
}

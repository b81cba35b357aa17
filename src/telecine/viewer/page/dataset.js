// The page of a dataset.
import { $, bytes, clamp, el, follow, get, many, say, send } from "./api.js";
import { Cameras } from "./cameras.js";
import { listen, table } from "./keys.js";
import { List } from "./list.js";
import { Marks } from "./marks.js";
import { Plots } from "./plot.js";
import { Timeline } from "./timeline.js";
import * as dialogs from "./write.js";

class Page {
  constructor(dataset) {
    this.dataset = dataset;
    this.number = -1;
    this.row = 0;
    this.view = [0, 1];
    this.spans = [];
    this.findings = [];
    this.checked = "unchecked";
    this.labelStart = null;
    this.known = new Map();
  }

  async start() {
    const listed = get(`/api/dataset/${this.dataset}/episodes`);
    listed.catch(() => {}); // told below, unless the dataset cannot be read at all
    this.info = await get(`/api/dataset/${this.dataset}`);
    const { info } = this;
    document.title = `${info.name} - telecine`;
    $("#name").textContent = info.name;
    $("#facts").textContent = `${many(info.episodes, "episode")}, ${many(info.frames, "row")} at ${info.fps} fps, ${info.version}${info.robot_type ? `, ${info.robot_type}` : ""}`;
    $("#back").hidden = !info.listed;
    this.marks = new Marks(this);
    this.list = new List(this);
    this.cameras = new Cameras(this);
    this.timeline = new Timeline(this);
    this.plots = new Plots(this);
    const [episodes] = await Promise.all([listed, this.marks.load()]);
    this.list.setEpisodes(episodes);
    document.body.dataset.listed = info.episodes;
    $("#play").addEventListener("click", () => this.cameras.toggle());
    $("#help").addEventListener("click", () => this.help());
    $("#write").addEventListener("click", () => this.write());
    $("#rerun").hidden = !info.rerun;
    $("#rerun").addEventListener("click", () => this.rerun());
    listen(this);
    const asked = new URLSearchParams(location.search), whole = name => /^\d{1,9}$/.test(asked.get(name) ?? "") ? Number(asked.get(name)) : 0;
    if (info.episodes) await this.open(clamp(whole("episode"), 0, info.episodes - 1), whole("row"));
    this.decided();
    this.check();
  }

  async episodeOf(n) {
    if (!this.known.has(n)) this.known.set(n, get(`/api/dataset/${this.dataset}/episode/${n}`));
    while (this.known.size > 20) this.known.delete(this.known.keys().next().value);
    return this.known.get(n);
  }

  async open(n, row) {
    if (n === this.number && this.episode) { this.seek(row); return; }
    this.number = n;
    this.labelStart = null;
    let episode;
    try { episode = await this.episodeOf(n); } catch (error) { this.known.delete(n); say(error.message); return; }
    if (this.number !== n) return;
    this.episode = episode;
    this.row = clamp(row, 0, episode.length - 1);
    this.view = [0, episode.length];
    this.cameras.open(episode, this.row);
    this.spread();
    this.list.show(n);
    this.draw();
    this.plots.load();
    const next = this.list.neighbour(n, 1);
    if (next !== undefined && next !== n) this.episodeOf(next).then(other => { if (this.number === n) this.cameras.prefetch(other); }, () => {});
  }

  // Findings, texts and labels of the episode at hand, as spans.
  spread() {
    const own = this.findings.filter(finding => finding.episode === this.number);
    const labels = (this.marks.edit.labels ?? []).filter(label => String(label.episode).split("/").pop() === String(this.number));
    this.spans = [
      ...own.map(finding => ({ kind: "finding", rows: finding.rows, text: `${finding.key ? `${finding.key.replace("observation.images.", "")}: ` : ""}${finding.message}`, code: finding.code, severity: finding.severity })),
      ...(this.episode?.texts ?? []).map(text => ({ kind: "label", rows: text.rows, text: `${text.key}: ${text.text}` })),
      ...labels.map(label => ({ kind: "label", rows: label.rows, text: `${label.style}: ${label.text}` })),
    ];
    this.timeline.list();
  }

  shades() {
    return [...this.marks.left().map(rows => ({ rows, colour: "--drop", alpha: 0.25 })),
      ...this.spans.filter(span => span.kind === "finding" && span.rows && span.rows[1] - span.rows[0] < this.episode.length).map(span => ({ rows: span.rows, colour: "--warn", alpha: 0.18 }))];
  }

  async check() {
    for (let wait = 500; ; wait = Math.min(wait * 1.5, 5000)) {
      let found;
      try { found = await get(`/api/dataset/${this.dataset}/findings`); } catch (error) { found = { state: "failed", findings: [], error: error.message }; }
      this.checked = found.state;
      this.checkError = found.error ?? "";
      if (found.state !== "unchecked") {
        this.findings = found.findings;
        this.list.setFindings(found.findings);
        break;
      }
      if (this.episode) this.timeline.list();
      await new Promise(resolve => setTimeout(resolve, wait));
    }
    document.body.dataset.checked = this.checked;
    if (this.episode) { this.spread(); this.draw(); this.plots.draw(); }
  }

  step(by) { if (this.cameras.playing) this.cameras.stop(); this.seek(this.row + by); }

  seek(row) {
    if (!this.episode) return;
    if (this.cameras.playing) this.cameras.stop();
    this.moved(clamp(row, 0, this.episode.length - 1));
    this.cameras.ask(this.row);
  }

  look(from, to) { this.view = [from, to]; this.timeline.draw(); this.plots.load(); }

  // The row changed, whoever moved it.
  moved(row) {
    this.row = row;
    const [from, to] = this.view;
    if (row < from || row >= to) {
      const start = clamp(row - Math.floor((to - from) / 2), 0, this.episode.length - (to - from));
      this.look(start, start + to - from);
    }
    this.draw();
    this.plots.mark();
    this.plots.exact();
  }

  draw() {
    if (!this.episode) return;
    const task = this.marks.taskOf(this.number) ?? this.episode.tasks.join(" | ");
    $("#title").textContent = `Episode ${this.number}${task ? `: ${task}` : ""}`;
    $("#title").title = task;
    $("#clock").textContent = `row ${this.row} / ${this.episode.length - 1}   ${(this.row / this.info.fps).toFixed(3)} s`;
    this.timeline.draw();
    this.marks.draw();
    clearTimeout(this.addressing);
    this.addressing = setTimeout(() => history.replaceState(null, "", `?episode=${this.number}&row=${this.row}`), this.cameras.playing ? 500 : 50);
  }

  decided() {
    const count = this.marks.count;
    $("#decided").textContent = this.info.read_only ? "read-only" : count ? `decided on ${count} of ${this.info.episodes}, in ${this.info.edit_file.split("/").pop()}` : "no decisions yet";
    $("#write").disabled = !count || this.info.read_only;
    if (this.list.data) this.list.refresh();
    if (this.episode) { this.spread(); this.draw(); this.plots.draw(); }
  }

  turn(by) {
    const next = this.list.neighbour(this.number, by);
    if (next === undefined) say(by > 0 ? "this is the last episode of the list" : "this is the first episode of the list");
    else this.open(next, 0);
  }

  nextFinding() {
    if (this.checked === "unchecked") { say("unchecked: the quality checks are running"); return; }
    const places = new Map(this.list.order.map((n, place) => [n, place]));
    const found = this.findings.filter(finding => places.has(finding.episode)).map(finding => [places.get(finding.episode), finding.rows?.[0] ?? 0, finding.episode]);
    found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const here = places.get(this.number) ?? -1;
    const next = found.find(([place, row]) => place > here || place === here && row > this.row) ?? found[0];
    if (next) this.open(next[2], next[1]); else say("no findings in these episodes");
  }

  // Whoever drags over an element moves the cursor.
  scrubs(element, box) {
    const to = event => {
      const { left, width } = box(), [from, stop] = this.view;
      this.seek(from + Math.floor((event.clientX - left) / width * (stop - from)));
    };
    element.addEventListener("pointerdown", event => { element.setPointerCapture(event.pointerId); to(event); });
    element.addEventListener("pointermove", event => { if (element.hasPointerCapture(event.pointerId)) to(event); });
  }

  focusFilter() { $("#filter").focus(); $("#filter").select(); }

  help() { dialogs.open("Keys", table(), el("p", { class: "quiet" }, "Filter: words, is:dropped is:marked is:finding is:success is:failure is:unknown, tag:WORD, task:WORD, finding:CODE, rows>30, s<2, not:is:dropped. The wheel over the timeline zooms."), el("div", { class: "buttons" }, el("button", { type: "button", class: "primary", autofocus: true, onclick: dialogs.close }, "Close"))); }

  ask(title, label, value, known, then, ...more) {
    const input = el("input", { id: "asked", type: "text", list: "known", autocomplete: "off", autofocus: true });
    input.value = value;
    const form = el("form", { method: "dialog" }, ...more, el("label", { for: "asked" }, label), input, el("datalist", { id: "known" }, ...known.slice(0, 500).map(text => el("option", { value: text }))),
      el("div", { class: "buttons" }, el("button", { type: "button", onclick: dialogs.close }, "Cancel"), el("button", { type: "submit", class: "primary" }, "Set")));
    form.addEventListener("submit", event => { event.preventDefault(); dialogs.close(); then(input.value.trim()); });
    dialogs.open(title, form);
    input.select();
  }

  // Once where the label begins, once where it ends.
  label() {
    if (this.labelStart === null) {
      this.labelStart = this.row;
      say("the label begins at this row: go to where it ends, and press l again");
      this.timeline.draw();
      return;
    }
    const rows = [Math.min(this.labelStart, this.row), Math.max(this.labelStart, this.row) + 1];
    this.labelStart = null;
    this.timeline.draw();
    const styles = Object.keys(this.info.label_styles);
    const style = el("select", { id: "style" }, ...styles.map(name => el("option", { value: name }, name)));
    const known = [...new Set((this.marks.edit.labels ?? []).map(label => label.text).filter(Boolean))];
    this.ask(`Label rows ${rows[0]} to ${rows[1] - 1}`, "Words, or a number for a style of numbers", "", known, text => {
      const words = this.info.label_styles[style.value];
      if (!words && !Number.isFinite(Number(text || "1"))) { say(`${style.value} is a number for each row`); return; }
      this.marks.label({ episode: String(this.number), rows, style: style.value, ...(words ? { text } : { value: Number(text || "1") }) });
    }, el("label", { for: "style" }, "Style"), style);
  }

  askTask() {
    const entry = this.marks.of(this.number), at = this.marks.target(entry) ?? entry;
    this.ask("Task", "What the robot does", at.task ?? entry.task ?? this.episode.tasks[0] ?? "", this.list.data.tasks, text => this.marks.task(text));
  }

  async rerun() {
    say("opening Rerun's viewer ...");
    try {
      const { job } = await send("POST", `/api/dataset/${this.dataset}/rerun`, { episode: this.number });
      const end = await follow(job, () => {});
      if (end.event !== "done") say(`Rerun's viewer could not be opened: ${end.error}`);
    } catch (error) { say(error.message); }
  }

  write() {
    dialogs.writer({
      title: "Write the curated dataset",
      out: this.info.out,
      url: `/api/dataset/${this.dataset}/write`,
      body: () => ({}),
      foresee: report => [
        el("p", {}, `${many(report.episodes, "episode")}, ${many(report.rows, "row")}; ${many(report.dropped.length, "episode")} left out.`),
        el("p", {}, `${many(report.linked_files, "video file")} linked, ${many(report.copied_frames, "frame")} copied, ${report.encoded_frames.toLocaleString("en")} re-encoded; new video files take about ${bytes(report.new_bytes)}, rows at most ${bytes(report.rows_bytes)}.`),
        el("p", { class: "quiet" }, `${this.info.path} stays as it is.`), ...dialogs.findingLines(report.findings)],
      done: report => [el("p", { class: report.ok ? "good" : "bad" }, report.ok ? `${many(report.episodes, "episode")} with ${many(report.rows, "row")} in ${report.root}, verified.` : `${report.root} is not sound.`), ...dialogs.findingLines(report.findings)],
    });
  }
}

const page = new Page(Number(location.pathname.split("/").pop()));
page.start().then(() => { document.body.dataset.ready = "yes"; }, async error => {
  document.body.dataset.failed = error.message; // of the page, only this and the way back are left
  $("#problem").textContent = error.message;
  const { entries } = await get("/api/list");
  $("#back").hidden = entries.length < 2;
  $("#title").textContent = `${entries[page.dataset]?.name ?? "This dataset"} cannot be shown`;
});
globalThis.page = page;

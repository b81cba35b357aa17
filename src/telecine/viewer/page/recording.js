// The page of a recording: when each sample was taken, which row of the plan uses it, and how old it is there.
import { $, bytes, clamp, el, follow, get, many, say, send } from "./api.js";
import { Form } from "./form.js";
import { Strips, ms, seconds, steps } from "./strips.js";
import * as dialogs from "./write.js";

class Page {
  constructor() {
    this.number = Number(location.pathname.split("/").pop());
    const asked = new URLSearchParams(location.search).get("item") ?? "";
    this.item = /^\d{1,6}$/.test(asked) ? Number(asked) : 0;
    this.part = 0;
    this.window = null;
    this.asked = 0;
    this.looked = 0;
    this.stale = true;
  }

  get url() { return `/api/recording/${this.number}/${this.item}`; }

  async start() {
    this.facts = await get(this.url);
    const look = { onWindow: window => { this.window = window; this.refresh(); }, onCursor: time => this.point(time) };
    this.strips = new Strips($("#strips"), look);
    this.others = new Strips($("#others"), { ...look, plain: true });
    this.describe();
    this.form = new Form($("#plan"), this.facts, () => this.replan());
    $("#unused").addEventListener("toggle", () => { if ($("#unused").open && !this.others.data) this.refresh(); });
    $("#item").addEventListener("change", event => { location.search = `?item=${event.target.value}`; });
    $("#part").addEventListener("change", event => { this.part = Number(event.target.value); this.replan(); });
    $("#whole").addEventListener("click", () => { this.window = this.shown.data.whole; this.refresh(); });
    for (const [id, run] of [["#closer", strips => strips.zoom(1 / 2)], ["#wider", strips => strips.zoom(2)], ["#left", strips => strips.move(-0.4)], ["#right", strips => strips.move(0.4)]]) $(id).addEventListener("click", () => { if (this.shown) run(this.shown); });
    $("#measure").addEventListener("click", () => this.measure().catch(error => this.lagged(el("p", { class: "bad" }, error.message))));
    $("#apply").addEventListener("click", () => this.refresh({ yaml: $("#yaml").value }));
    $("#save").addEventListener("click", () => this.save());
    $("#convert").addEventListener("click", () => this.convert());
    await this.refresh();
    document.body.dataset.ready = "yes";
  }

  describe() {
    const { facts } = this;
    document.title = `${facts.label.split("/").pop()} - telecine`;
    $("#name").textContent = facts.label.split("/").pop();
    $("#facts").textContent = `${facts.format}, ${facts.seconds ? `${facts.seconds.toFixed(1)} s, ` : ""}${bytes(facts.size_bytes)}${Object.entries(facts.attrs).slice(0, 6).map(([key, value]) => `; ${key}: ${value.slice(0, 60)}`).join("")}`;
    $("#back").hidden = !facts.listed;
    if (facts.items.length > 1) {
      $("#items").hidden = false;
      $("#item").replaceChildren(...facts.items.map((name, n) => el("option", { value: n, selected: n === this.item }, name)));
    }
    $("#guesses").replaceChildren(...facts.guesses.map(text => el("p", {}, `guess: ${text}`)));
    const rows = [];
    for (const stream of facts.streams) for (const clock of stream.clocks) rows.push(el("tr", {}, el("td", {}, stream.name), el("td", {}, clock.name), el("td", { class: "number" }, clock.samples.toLocaleString("en")), el("td", { class: "number" }, clock.hz ? `${clock.hz.toFixed(2)} Hz` : ""),
      el("td", {}, clock.lag_ns === undefined ? "" : `${ms(clock.lag_ns)} behind ${stream.clocks[0].name}, varies by ${ms(clock.lag_spread_ns)}`), el("td", {}, clock.backwards ? `${clock.backwards} go back` : "")));
    $("#clocks").replaceChildren(el("thead", {}, el("tr", {}, ...["stream", "clock", "samples", "rate", "offset", ""].map(text => el("th", { scope: "col" }, text)))), el("tbody", {}, ...rows));
    $("#frames").classList.toggle("some", facts.streams.some(stream => stream.kind === "image" || stream.kind === "video"));
    $("#found").replaceChildren(...(facts.findings.length ? dialogs.findingLines(facts.findings) : [el("p", { class: "quiet" }, "none")]));
    this.account({});
  }

  // used(feature) | offered | unreadable: every stream is in one of them.
  account(used) {
    const left = new Map(this.facts.left_out.map(item => [item.stream, item])), rows = [];
    const add = (name, kind, what, why, state) => rows.push(el("tr", { class: state }, el("td", {}, name), el("td", {}, kind), el("td", {}, what), el("td", {}, why)));
    for (const stream of this.facts.streams) {
      const item = left.get(stream.name), problem = stream.problems.join("; ");
      left.delete(stream.name);
      if (used[stream.name]) add(stream.name, stream.label, `used: ${used[stream.name]}`, problem, "used");
      else if (problem) add(stream.name, stream.label, "unreadable", problem, "unreadable");
      else add(stream.name, stream.label, item?.what ?? "offered", item?.why ?? this.facts.reasons[stream.name] ?? "not in the plan", "offered");
    }
    for (const item of left.values()) add(item.stream, "", item.what, `${item.why}${item.fix ? `: ${item.fix}` : ""}`, item.what);
    $("#accounting").replaceChildren(el("thead", {}, el("tr", {}, ...["stream", "holds", "is", "why"].map(text => el("th", { scope: "col" }, text)))), el("tbody", {}, ...rows));
  }

  // Another plan: all of it is shown, and the frames are those of its rows.
  replan() { this.window = null; this.stale = true; this.refresh(); }

  // Rows and ages by the form's plan, or by a text. One question at a time; the newest one is asked next.
  async refresh(given) {
    const mine = ++this.asked;
    this.next = { given, mine };
    if (this.asking) return;
    this.asking = true;
    while (this.next) {
      const ask = this.next;
      this.next = null;
      await this.answer(ask.given).catch(error => say(error.message));
      document.body.dataset.asked = ask.mine;
    }
    this.asking = false;
  }

  async answer(given) {
    const px = Math.round(clamp(this.strips.width || 800, 200, 3000));
    try {
      const data = await send("POST", `${this.url}/rows`, { ...(given ?? { plan: this.form.body }), part: this.part, px, window: given ? null : this.window, others: $("#unused").open });
      if (this.next) return;
      this.plan = data.plan;
      this.part = data.part;
      if (given) { this.form.take(data.plan); this.window = null; this.stale = true; }
      if (data.parts.length > 1 && !this.window) { // the episode, not the hours around it
        this.window = data.parts[this.part].map(Math.round);
        this.next = { mine: this.asked };
        return;
      }
      $("#yaml").value = data.yaml;
      const odd = data.sources.filter(source => source.problem).map(source => source.problem);
      $("#problem").replaceChildren(...odd.map(text => el("p", { class: "bad" }, text)));
      this.ready(data.lacks_task ? "to convert, say what the robot does: task" : "");
      if (data.lacks_task) $("#problem").append(el("p", { class: "bad" }, "to convert, say what the robot does: task"));
      $("#planned").textContent = `${many(data.rows, "row")} at ${data.fps} fps, ${(data.rows / data.fps).toFixed(2)} s${data.parts.length ? `; ${many(data.parts.length, "episode")}` : ""}`;
      this.choices(data);
      this.shown = this.strips;
      this.strips.show(data);
      if ($("#unused").open) this.others.show({ ...data, sources: data.others });
      this.placed(data);
      this.account(data.used);
      document.body.dataset.rows = data.rows;
      if (this.stale) { this.stale = false; this.point(clamp(this.strips.cursor ?? 0, ...data.whole)); }
    } catch (error) {
      if (this.next) return;
      $("#problem").replaceChildren(...error.message.split("\n").map(text => el("p", { class: "bad" }, text)));
      $("#planned").textContent = "this plan makes no rows";
      this.ready(error.message);
      document.body.dataset.rows = "";
      await this.bare(px);
    }
  }

  // Where the plan makes no rows, the samples of all streams.
  async bare(px) {
    this.strips.show({ sources: [], ticks: { at: null, first: 0 }, window: [0, 1], whole: [0, 1] });
    this.looked++;
    $("#frames").replaceChildren();
    this.account({});
    const clock = this.form.body.clock?.timeline ?? "", window = this.window ? `&from=${Math.max(0, this.window[0])}&to=${this.window[1]}` : "";
    try {
      const data = await get(`${this.url}/samples?clock=${encodeURIComponent(clock)}&px=${px}${window}`);
      if (this.next) return;
      $("#unused").open = true;
      this.shown = this.others;
      this.others.show({ ...data, sources: data.others, ticks: { at: null, first: 0 } });
      this.placed(data);
    } catch (error) { this.others.show({ sources: [], ticks: { at: null, first: 0 }, window: [0, 1], whole: [0, 1] }); $("#window").textContent = error.message; }
  }

  placed(data) { const text = data.counts ? steps : seconds; $("#window").textContent = `${text(data.window[0])} to ${text(data.window[1])}`; }

  // Save and convert need a whole plan.
  ready(missing) {
    for (const id of ["#save", "#convert"]) { $(id).disabled = Boolean(missing) || this.facts.read_only; $(id).title = missing; }
  }

  lagged(...lines) { $("#lag").replaceChildren(...lines); $("#measure").disabled = false; }

  // How late the cameras are; one that certainly is gets a button for the offset.
  async measure() {
    $("#measure").disabled = true;
    $("#lag").replaceChildren(el("p", { class: "quiet" }, "measuring ..."));
    const end = await follow((await send("POST", `${this.url}/lag`, {})).job, () => {});
    if (end.event !== "done") { this.lagged(el("p", { class: "bad" }, end.error ?? "given up")); return; }
    this.lagged(...end.report.map(row => {
      const sure = row.key !== "action" && row.interval_ms !== null && (row.interval_ms[0] > 0 || row.interval_ms[1] < 0), offset = `${Math.round(-row.ms)}ms`;
      const use = () => { if (this.form.offset(row.stream, offset)) this.replan(); else say(`the plan does not take ${row.stream}`); };
      return el("p", { "data-lag": row.key }, el("b", {}, row.stream), " ", row.text, " ", sure ? el("button", { type: "button", onclick: use }, `offset ${offset}`) : null);
    }), ...(end.report.length ? [] : [el("p", {}, "the plan has no camera")]));
  }

  choices(data) {
    $("#parts").hidden = data.parts.length < 2;
    if ($("#part").childElementCount !== data.parts.length) $("#part").replaceChildren(...data.parts.map(([from, to], n) => el("option", { value: n, selected: n === this.part }, `${n}: ${seconds(to - from)}`)));
  }

  point(time) {
    for (const strips of [this.strips, this.others]) { strips.cursor = time; strips.draw(); }
    if (this.shown === this.strips) this.frames(time).catch(error => say(error.message));
  }

  // Single rows around a moment, where the window has too many of them.
  async around(time) {
    const { data } = this.strips, [from, to] = data.window;
    if (data.ticks.at && time >= from && time < to) return data;
    const half = Math.ceil(2e9 / data.fps), window = [Math.round(time) - half, Math.round(time) + half];
    return send("POST", `${this.url}/rows`, { plan: this.plan, part: this.part, px: 200, window });
  }

  // The frame that each camera's row shows at a moment.
  async frames(time) {
    const mine = ++this.looked, data = await this.around(time);
    const cameras = data.sources.filter(source => source.kind === "image" || source.kind === "video");
    const figures = await Promise.all(cameras.map(async source => {
      const at = data.ticks.at?.findLastIndex(tick => tick <= time) ?? -1;
      if (at < 0 || !source.rows || source.rows[at] < 0) return el("figure", {}, el("figcaption", {}, `${source.key}: no row shows a frame here`));
      const sample = source.rows[at], row = data.ticks.first + at;
      const response = await fetch(`${this.url}/frame?stream=${encodeURIComponent(source.stream)}&clock=${encodeURIComponent(source.clock)}&sample=${sample}`);
      if (!response.ok) return el("figure", {}, el("figcaption", { class: "bad" }, (await response.json()).error));
      const image = el("img", { alt: `${source.key}: sample ${sample}` });
      image.src = URL.createObjectURL(await response.blob());
      return el("figure", { "data-sample": sample, "data-row": row }, image, el("figcaption", {}, `${source.key.replace("observation.images.", "")}: row ${row}, sample ${sample}, ${ms(source.ages[at])} old`));
    }));
    if (mine !== this.looked) return;
    for (const image of document.querySelectorAll("#frames img")) URL.revokeObjectURL(image.src);
    $("#frames").replaceChildren(...figures);
  }

  save() {
    const name = el("input", { id: "file", type: "text", value: this.facts.stored ? "plan.yaml" : `${this.facts.path.replace(/\/[^/]*\/?$/, "")}/plan.yaml`, spellcheck: "false" });
    dialogs.open("Save the plan", el("label", { for: "file" }, "New file"), name, el("div", { class: "buttons" }, el("button", { type: "button", onclick: dialogs.close }, "Cancel"),
      el("button", { type: "button", class: "primary", onclick: async () => {
        try { const { file } = await send("POST", `${this.url}/save`, { plan: this.form.body, file: name.value }); dialogs.close(); say(`saved: ${file}`); } catch (error) { say(error.message); }
      } }, "Save")));
  }

  convert() {
    const all = el("input", { id: "all", type: "checkbox" });
    dialogs.writer({
      title: "Convert",
      out: `${(this.facts.stored ? this.facts.opened.split("/").pop() : this.facts.opened).replace(/\/+$/, "").replace(/\.[^./]*$/, "")}-dataset`,
      url: `${this.url}/convert`,
      body: () => ({ plan: this.form.body, all: all.checked }),
      foresee: report => [
        el("p", {}, `${many(report.recordings.length, "episode")} of ${many(report.recordings.reduce((sum, entry) => sum + entry.rows, 0), "row")}, about ${bytes(report.size_bytes)} and ${Math.ceil(report.seconds)} s.`),
        ...report.recordings.slice(0, 1).flatMap(entry => entry.cameras.map(camera => el("p", {}, `${camera.key}: ${camera.action}, ${camera.why}`))),
        ...report.rejected.slice(0, 8).map(entry => el("p", { class: "bad" }, `${entry.recording}: ${entry.reason.message}`)), ...dialogs.findingLines(report.findings)],
      done: report => [el("p", { class: report.ok ? "good" : "bad" }, `${many(report.episodes.length, "episode")} in ${report.root}${report.ok ? ", verified" : ""}.`),
        ...report.rejected.slice(0, 8).map(entry => el("p", { class: "bad" }, `${entry.recording}: ${entry.reason.message}`)), ...dialogs.findingLines(report.findings)],
    });
    if (this.facts.listed) $("#out").after(el("label", {}, all, " all recordings of this folder"));
  }
}

const page = new Page();
page.start().catch(async error => {
  $("#name").textContent = "cannot be read";
  $("#facts").replaceChildren(el("span", { class: "bad" }, error.message));
  document.body.dataset.failed = error.message; // of the page, only this and the way back are left
  const { entries } = await get("/api/list");
  $("#back").hidden = entries.length < 2;
  $("#name").textContent = `${entries[page.number]?.name ?? "This recording"} cannot be read`;
});
globalThis.page = page;

// The plan as a form. What the form does not show stays in the plan as it is.
import { el } from "./api.js";

const PAUSE_MS = 200; // in typing, before what is typed is used
const HOW = ["hold", "nearest", "linear", "slerp"];

export class Form {
  constructor(box, facts, changed) {
    this.box = box;
    this.facts = facts;
    this.changed = changed;
    this.take(facts.proposal);
    box.addEventListener("submit", event => event.preventDefault());
  }

  take(body) { this.body = structuredClone(body); this.body.features ??= {}; this.off ??= {}; this.draw(); }

  // A field whose change becomes a change of the plan; the rows are asked for anew.
  field(label, value, set, attributes = {}) {
    const input = el("input", { type: "text", autocomplete: "off", spellcheck: "false", value: value ?? "", "aria-label": label, ...attributes });
    const use = () => {
      clearTimeout(timer);
      if (input.value === used) return;
      used = input.value;
      set(used.trim());
      this.changed();
    };
    let used = input.value, timer = 0;
    input.addEventListener("change", use);
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(use, PAUSE_MS); });
    return input;
  }

  line(label, ...inputs) { return el("div", { class: "field" }, el("span", { class: "name" }, label), ...inputs); }

  // The long form of a feature: {from: [{stream, ...}], ...}.
  feature(key) {
    let entry = this.body.features[key];
    if (typeof entry === "string" || Array.isArray(entry)) entry = { from: entry };
    entry.from = (Array.isArray(entry.from) ? entry.from : [entry.from]).map(take => typeof take === "string" ? { stream: take } : take);
    this.body.features[key] = entry;
    return entry;
  }

  set(target, name, value, fallback) { if (value === "" || value === fallback) delete target[name]; else target[name] = value; }

  draw() {
    const body = this.body, clock = body.clock ??= {};
    const kinds = new Map(this.facts.streams.map(stream => [stream.name, stream.kind]));
    const clocks = new Map(this.facts.streams.flatMap(stream => stream.clocks.map(entry => [entry.name, entry.kind])));
    if (clock.timeline && !clocks.has(clock.timeline)) clocks.set(clock.timeline, "");
    const timeline = el("select", { id: "clock-name", "aria-label": "clock" }, ...[...clocks.keys()].map(name => el("option", { value: name, selected: name === clock.timeline }, name)));
    timeline.addEventListener("change", () => { clock.timeline = timeline.value; if (clocks.get(timeline.value) !== "sequence") delete clock.rate; this.draw(); this.changed(); });
    const task = typeof body.task === "string" ? body.task : body.task?.constant ?? "";
    const parts = [
      this.line("fps", this.field("fps", body.fps, value => { body.fps = Number(value) || value; }, { inputmode: "numeric", class: "short", id: "fps" })),
      this.line("clock", timeline),
      clocks.get(clock.timeline) === "sequence" ? this.line("rate", this.field("steps a second", clock.rate, value => this.set(clock, "rate", value, ""), { class: "short", id: "rate" }), el("span", { class: "quiet" }, "steps a second")) : null,
      this.line("phase", this.field("phase of the grid", clock.phase ?? "auto", value => this.set(clock, "phase", value, "auto"), { class: "short" }), el("span", { class: "quiet" }, "auto, or 5ms")),
      body.task?.from ? this.line("task", el("span", {}, body.task.from)) : this.line("task", this.field("task", task, value => { body.task = value; }, { id: "task" })),
    ];
    for (const key of [...Object.keys(body.features), ...Object.keys(this.off)]) parts.push(this.featureBox(key, kinds));
    const free = this.facts.streams.filter(stream => !this.taken().has(stream.name) && !stream.problems.length);
    if (free.length) parts.push(this.adding(free));
    parts.push(this.spans());
    this.box.replaceChildren(...parts.filter(Boolean));
  }

  taken() { return new Set([this.body.task?.from].concat(Object.keys(this.body.features).flatMap(key => this.feature(key).from.map(take => take.stream)))); }

  // The offset of a stream, wherever a feature takes it; false where none does.
  offset(stream, value) {
    const taken = Object.keys(this.body.features).flatMap(key => this.feature(key).from).filter(take => take.stream === stream);
    for (const take of taken) take.offset = value;
    this.draw();
    return taken.length > 0;
  }

  featureBox(key, kinds) {
    const on = key in this.body.features;
    const check = el("input", { type: "checkbox", checked: on, "aria-label": `take ${key}` });
    check.addEventListener("change", () => {
      if (check.checked) { this.body.features[key] = this.off[key]; delete this.off[key]; } else { this.off[key] = this.body.features[key]; delete this.body.features[key]; }
      this.draw();
      this.changed();
    });
    const head = el("label", { class: "feature-name" }, check, " ", key);
    if (!on) return el("fieldset", { class: "off" }, head);
    const entry = this.feature(key), camera = entry.from.some(take => ["image", "video"].includes(kinds.get(take.stream)));
    const how = el("select", { "aria-label": `how ${key} is resampled` }, ...HOW.filter(word => !camera || HOW.indexOf(word) < 2).map(word => el("option", { value: word, selected: word === (entry.how ?? "hold") }, word)));
    how.addEventListener("change", () => { this.set(entry, "how", how.value, "hold"); this.changed(); });
    return el("fieldset", {}, head,
      this.line("how", how, el("span", { class: "name" }, "limit"), this.field(`limit of ${key}`, entry.limit ?? "auto", value => this.set(entry, "limit", value, "auto"), { class: "short" })),
      ...entry.from.map(take => this.line("offset", this.field(`offset of ${take.stream}`, take.offset ?? "0ms", value => this.set(take, "offset", value, "0ms"), { class: "short" }), el("span", { class: "quiet stream", title: take.stream }, take.stream))));
  }

  adding(free) {
    const choice = el("select", { "aria-label": "a stream that is not used" }, ...free.map(stream => el("option", { value: stream.name }, `${stream.name} (${stream.label})`)));
    const add = el("button", { type: "button" }, "Take it");
    add.addEventListener("click", () => {
      const stream = free.find(entry => entry.name === choice.value), word = stream.name.split(":")[0].split("/").filter(Boolean).pop().replace(/[^\w.]+/g, "_") || "stream";
      const key = ["image", "video"].includes(stream.kind) ? `observation.images.${word}` : stream.kind === "text" ? word : `observation.${word}`;
      this.body.features[key in this.body.features ? `${key}_2` : key] = { from: stream.name };
      this.draw();
      this.changed();
    });
    return this.line("more", choice, add);
  }

  // Episodes by hand: spans in seconds from the start of the recording.
  spans() {
    const spans = this.body.split?.spans ?? [];
    const rows = spans.map((span, k) => this.line(`episode ${k}`, this.field(`start of episode ${k}`, span.start, value => { span.start = value; }, { class: "short" }), "to", this.field(`stop of episode ${k}`, span.stop, value => { span.stop = value; }, { class: "short" }),
      el("button", { type: "button", "aria-label": `remove episode ${k}`, onclick: () => { spans.splice(k, 1); if (!spans.length) delete this.body.split; this.draw(); this.changed(); } }, "×")));
    const add = el("button", { type: "button" }, "Add an episode by its span");
    add.addEventListener("click", () => {
      const last = spans.at(-1), from = last ? last.stop : "0s";
      this.body.split = { spans: [...spans, { start: from, stop: `${this.facts.seconds.toFixed(3)}s` }] };
      this.draw();
      this.changed();
    });
    const rule = this.body.split && !this.body.split.spans ? el("p", { class: "quiet" }, `episodes: ${JSON.stringify(this.body.split)}`) : null;
    return el("fieldset", {}, el("legend", {}, "Episodes"), ...(rule ? [rule] : rows), add);
  }
}

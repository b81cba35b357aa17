// Decisions: an Edit file beside the dataset. Each one is sent at once, with the revision that this page saw; where another
// window was faster, its decisions are taken over and this one can be made again.
import { $, el, get, many, say, send } from "./api.js";

const EMPTY = () => ({ edit: 1, revision: 0, episodes: {} });

export class Marks {
  constructor(page) {
    this.page = page;
    this.edit = EMPTY();
    this.past = [];
    this.queue = Promise.resolve();
    this.broken = "";
  }

  async load() {
    try {
      this.take((await get(`/api/dataset/${this.page.dataset}/edit`)).edit);
      this.broken = "";
    } catch (error) { this.broken = error.message; say(`decisions cannot be read: ${error.message}`); }
  }

  take(edit) {
    const episodes = {};
    for (const [key, entry] of Object.entries(edit.episodes ?? {})) episodes[key.split("/").pop()] = entry;
    this.edit = { revision: 0, ...edit, episodes };
  }

  of(n) { return this.edit.episodes[n] ?? {}; }
  isDropped(n) { const entry = this.of(n); return Boolean(entry.drop) || (entry.parts?.length > 0 && entry.parts.every(part => part.drop)); }
  taskOf(n) { return this.of(n).task; }
  tagsOf(n) { return this.of(n).tags ?? this.page.list.data?.tags[n] ?? []; }
  successOf(n) { const own = this.of(n).success; return own === undefined ? this.page.list.data?.success[n] ?? null : own === "unknown" ? null : own; }

  summary(n) {
    const entry = this.of(n), words = [];
    if (entry.drop) return "deleted";
    if (entry.parts?.length === 1) words.push("trimmed");
    if (entry.parts?.length > 1) words.push(many(entry.parts.filter(part => !part.drop).length, "part"));
    if (entry.task) words.push("task");
    if (entry.success !== undefined) words.push("outcome");
    if (entry.tags) words.push("tags");
    return words.join(", ");
  }

  get count() { return new Set([...Object.keys(this.edit.episodes), ...(this.edit.labels ?? []).map(label => String(label.episode).split("/").pop())]).size; }

  // Send the new entry of an episode, null for none; what it was before can be undone.
  set(n, entry, { undo = true } = {}) {
    if (this.page.info.read_only) { say("opened with --read-only: nothing can be decided"); return; }
    if (this.broken) { say(`decisions cannot be read: ${this.broken}`); return; }
    const before = this.edit.episodes[n] ?? null;
    const value = entry && Object.keys(entry).length ? entry : null;
    if (value) this.edit.episodes[n] = value; else delete this.edit.episodes[n];
    if (undo) this.past.push({ n, before });
    this.page.decided();
    this.queue = this.queue.then(() => this.put(n, value));
    return this.queue;
  }

  // The labels of the edit with one more; they are one list, sent whole.
  label(entry) {
    if (this.page.info.read_only) { say("opened with --read-only: nothing can be decided"); return; }
    const before = this.edit.labels ?? [];
    this.past.push({ labels: before });
    this.setLabels([...before, entry]);
  }

  setLabels(labels) {
    this.edit.labels = labels;
    this.page.decided();
    this.queue = this.queue.then(() => this.put(this.n, undefined, labels));
  }

  async put(n, value, labels) {
    try {
      const change = labels ? { labels } : { episodes: { [n]: value } };
      const { edit } = await send("PUT", `/api/dataset/${this.page.dataset}/edit`, { revision: this.edit.revision, ...change });
      this.edit.revision = edit.revision;
      $("#decided").dataset.revision = edit.revision;
    } catch (error) {
      if (error.status === 409) {
        this.take(error.body.edit);
        this.past = [];
        say(`Another window decided meanwhile; your last decision, on episode ${n}, was not saved.`, labels ? undefined : { name: "Decide it again", run: () => this.set(n, value) });
      } else {
        await this.load();
        say(`not saved: ${error.message}`);
      }
    }
    this.page.decided();
  }

  undo() {
    const last = this.past.pop();
    if (!last) { say("nothing to undo"); return; }
    if (last.labels) { this.setLabels(last.labels); return; }
    this.set(last.n, last.before, { undo: false });
    if (last.n !== this.page.number) this.page.open(last.n, 0);
  }

  get n() { return this.page.number; }
  get entry() { return structuredClone(this.of(this.n)); }
  get length() { return this.page.episode.length; }

  parts(entry) { return entry.parts?.length ? entry.parts : [{ rows: [0, this.length] }]; }

  // The part at the cursor; the entry itself where there are no several parts.
  target(entry) {
    if (!(entry.parts?.length > 1)) return entry;
    return entry.parts.find(part => part.rows[0] <= this.page.row && this.page.row < part.rows[1]);
  }

  change(how) {
    const entry = this.entry, at = this.target(entry);
    if (!at) { say("this row is in no part: move the cursor into one"); return; }
    how(at, entry);
    this.set(this.n, tidy(entry, this.length));
  }

  drop() {
    const entry = this.entry;
    if (entry.parts?.length > 1) { this.change(part => { if (!(part.drop = !part.drop)) delete part.drop; }); return; }
    if (entry.drop) delete entry.drop; else { entry.drop = true; delete entry.parts; }
    this.set(this.n, tidy(entry, this.length));
  }

  dropAll() { const entry = this.entry; delete entry.parts; entry.drop = true; this.set(this.n, entry); }

  good() {
    const own = this.page.list.data?.tags[this.n] ?? [];
    this.change(at => {
      const tags = at.tags ?? own, next = tags.includes("good") ? tags.filter(tag => tag !== "good") : [...tags, "good"];
      if (next.join() === own.join()) delete at.tags; else at.tags = next;
    });
  }

  success() {
    const next = new Map([[undefined, true], [true, false], [false, undefined], ["unknown", undefined]]);
    this.change(at => { const value = next.get(at.success); if (value === undefined) delete at.success; else at.success = value; });
  }

  task(text) { this.change(at => { if (text && text !== this.page.list.task(this.n)) at.task = text; else delete at.task; }); }

  trimStart() { this.trim(this.page.row, 0); }
  trimStop() { this.trim(this.page.row + 1, 1); }

  // Move the side of the part at the cursor, or of the next part where the cursor is in none.
  trim(row, side) {
    const entry = this.entry;
    delete entry.drop;
    const parts = structuredClone(this.parts(entry)), at = this.page.row;
    let part = parts.find(p => p.rows[0] <= at && at < p.rows[1]);
    part ??= side ? parts.findLast(p => p.rows[1] <= at) : parts.find(p => at < p.rows[0]);
    if (!part) { say(side ? "no part begins before this row" : "no part ends behind this row"); return; }
    part.rows[side] = row;
    entry.parts = parts;
    this.set(this.n, tidy(entry, this.length));
  }

  split() {
    const entry = this.entry, row = this.page.row;
    delete entry.drop;
    const parts = structuredClone(this.parts(entry));
    const joint = parts.findIndex((part, k) => k > 0 && part.rows[0] === row && parts[k - 1].rows[1] === row);
    if (joint > 0) {
      parts[joint - 1].rows[1] = parts[joint].rows[1];
      parts.splice(joint, 1);
    } else {
      const at = parts.findIndex(part => part.rows[0] < row && row < part.rows[1]);
      if (at < 0) { say("a part needs a row on both sides: move the cursor"); return; }
      parts.splice(at + 1, 0, { ...structuredClone(parts[at]), rows: [row, parts[at].rows[1]] });
      parts[at].rows[1] = row;
    }
    entry.parts = parts;
    this.set(this.n, tidy(entry, this.length));
  }

  // Rows of the episode at hand that the new dataset will not have.
  left() {
    const entry = this.of(this.n), length = this.length;
    if (entry.drop) return [[0, length]];
    if (!entry.parts?.length) return [];
    const gaps = [];
    let from = 0;
    for (const part of entry.parts) {
      if (part.rows[0] > from) gaps.push([from, part.rows[0]]);
      if (part.drop) gaps.push(part.rows);
      from = part.rows[1];
    }
    if (from < length) gaps.push([from, length]);
    return gaps;
  }

  // What is decided of the episode at hand, in words.
  draw() {
    const entry = this.of(this.n), words = [];
    const facts = marks => [
      marks.drop ? el("span", { class: "bad" }, "deleted") : null,
      marks.task ? el("span", {}, `task: ${marks.task}`) : null,
      marks.success !== undefined ? el("span", { class: marks.success === true ? "good" : "bad" }, marks.success === true ? "success" : marks.success === false ? "failure" : "unknown outcome") : null,
      ...(marks.tags ?? []).map(tag => el("span", { class: "tag" }, tag)),
      marks.comment ? el("span", { class: "quiet" }, marks.comment) : null,
    ].filter(Boolean);
    words.push(...facts(entry));
    (entry.parts ?? []).forEach((part, k) => words.push(el("button", { type: "button", class: part.drop ? "part dropped" : "part", onclick: () => this.page.seek(part.rows[0]) },
      `part ${k}: rows ${part.rows[0]} to ${part.rows[1] - 1}`, ...facts(part).flatMap(fact => [" ", fact]))));
    if (entry.parts?.length > 1) words.push(el("button", { type: "button", onclick: () => this.dropAll() }, "delete all"));
    if (words.length) words.push(el("button", { type: "button", onclick: () => this.set(this.n, null) }, "as it was"));
    $("#marks").replaceChildren(...(words.length ? words : [el("span", { class: "quiet" }, "no decision yet: d deletes, g tags good, i and o trim, s splits, ? shows all keys")]));
  }
}

// Without what says nothing: one part that is the whole episode.
function tidy(entry, length) {
  if (entry.parts?.length === 1 && entry.parts[0].rows[0] === 0 && entry.parts[0].rows[1] === length) {
    const { rows, ...marks } = entry.parts[0];
    delete entry.parts;
    Object.assign(entry, marks);
  }
  return entry;
}

// The list of a folder: datasets and recordings with kinds, sizes, counts and when they last changed.
import { $, bytes, el, get, many, say } from "./api.js";

const MOST_COUNTED = 500;
const held = entry => entry.kind === "dataset" ? entry.episodes === null ? "" : many(entry.episodes, "episode") : entry.recordings === undefined ? "" : many(entry.recordings, "recording");

// Recordings are counted one file after the other, those in the list first, because each file is opened for it.
async function count(entries, shown) {
  for (const n of shown) {
    const entry = entries[n];
    if (entry.kind !== "recording" || entry.problem || entry.recordings !== undefined) continue;
    let problem;
    try { ({ recordings: entry.recordings, problem } = await get(`/api/list/${n}`)); } catch (error) { problem = error.message; }
    const cell = document.querySelector(`[data-entry="${n}"]`);
    cell?.replaceChildren(problem ? el("span", { class: "bad", title: problem }, "cannot be read") : held(entry));
  }
  document.body.dataset.counted = "yes";
}

function row(entry, number) {
  const name = entry.path.startsWith(prefix) ? entry.path.slice(prefix.length).replace(/^\//, "") || entry.name : entry.path;
  const changed = entry.changed === null ? "" : new Date(entry.changed * 1000).toLocaleString("sv").slice(0, 16);
  const title = entry.problem ? el("span", {}, name) : el("a", { href: `/${entry.kind}/${number}` }, name);
  return el("tr", { class: entry.problem ? "broken" : "" },
    el("td", {}, title, entry.problem ? el("p", { class: "bad" }, entry.problem) : null), el("td", {}, `${entry.kind}, ${entry.form}`),
    el("td", { class: "number", "data-entry": number }, held(entry)), el("td", { class: "number" }, entry.size_bytes === null ? "" : bytes(entry.size_bytes)), el("td", {}, changed));
}

let prefix = "";

async function start() {
  const { path, entries } = await get("/api/list");
  prefix = path;
  $("#path").textContent = path;
  document.title = `${path.split("/").filter(Boolean).pop() ?? path} - telecine`;
  const draw = () => {
    const wanted = $("#filter").value.toLowerCase();
    const shown = [...entries.keys()].filter(n => `${entries[n].path} ${entries[n].kind} ${entries[n].form}`.toLowerCase().includes(wanted));
    $("#entries").replaceChildren(...shown.slice(0, 2000).map(n => row(entries[n], n)));
    const files = kind => entries.filter(entry => entry.kind === kind).length;
    $("#facts").textContent = `${many(files("dataset"), "dataset")}, ${many(files("recording"), "recording file")}${shown.length < entries.length ? `; ${shown.length} shown` : ""}${shown.length > 2000 ? ", the first 2000 listed: filter for others" : ""}`;
  };
  $("#filter").addEventListener("input", draw);
  draw();
  document.body.dataset.ready = "yes";
  count(entries, [...entries.keys()].slice(0, MOST_COUNTED));
}

start().catch(error => say(error.message));

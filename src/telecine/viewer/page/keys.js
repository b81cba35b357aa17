// The table of keys: what handles them and what the help shows are one list.
import { el } from "./api.js";

export const KEYS = [
  { keys: [" "], shown: "Space", does: "play, pause", run: page => page.cameras.toggle() },
  { keys: ["ArrowRight"], shown: "→", does: "next row", run: page => page.step(1) },
  { keys: ["ArrowLeft"], shown: "←", does: "previous row", run: page => page.step(-1) },
  { keys: ["ArrowRight"], shift: true, shown: "Shift →", does: "10 rows on", run: page => page.step(10) },
  { keys: ["ArrowLeft"], shift: true, shown: "Shift ←", does: "10 rows back", run: page => page.step(-10) },
  { keys: ["Home"], shown: "Home", does: "first row", run: page => page.seek(0) },
  { keys: ["End"], shown: "End", does: "last row", run: page => page.seek(Infinity) },
  { keys: ["j"], shown: "j", does: "next episode", run: page => page.turn(1) },
  { keys: ["k"], shown: "k", does: "previous episode", run: page => page.turn(-1) },
  { keys: ["n"], shown: "n", does: "next finding", run: page => page.nextFinding() },
  { keys: ["d"], shown: "d", does: "delete the episode, or the part at the cursor", run: page => page.marks.drop() },
  { keys: ["g"], shown: "g", does: "tag it good", run: page => page.marks.good() },
  { keys: ["i"], shown: "i", does: "trim: begin at this row", run: page => page.marks.trimStart() },
  { keys: ["o"], shown: "o", does: "trim: end with this row", run: page => page.marks.trimStop() },
  { keys: ["s"], shown: "s", does: "split before this row, or join again", run: page => page.marks.split() },
  { keys: ["t"], shown: "t", does: "set the task", run: page => page.askTask() },
  { keys: ["l"], shown: "l", does: "label a span: once where it begins, once where it ends", run: page => page.label() },
  { keys: ["f"], shown: "f", does: "success, failure, as it was", run: page => page.marks.success() },
  { keys: ["u"], shown: "u", does: "undo the last decision", run: page => page.marks.undo() },
  { keys: ["/"], shown: "/", does: "filter the list", run: page => page.focusFilter() },
  { keys: ["?"], shown: "?", does: "show these keys", run: page => page.help() },
];

const typing = target => target.isContentEditable || (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export function listen(page) {
  addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === " " && event.target.tagName === "BUTTON") return; // presses it
    const found = KEYS.find(entry => entry.keys.includes(event.key) && (!event.key.startsWith("Arrow") || Boolean(entry.shift) === event.shiftKey));
    if (!found) return;
    event.preventDefault();
    found.run(page);
  });
}

export function table() {
  const rows = KEYS.map(entry => el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, entry.shown)), el("td", {}, entry.does)));
  return el("table", { class: "keys" }, el("tbody", {}, ...rows));
}

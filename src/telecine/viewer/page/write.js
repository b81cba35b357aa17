// Long work in a dialog: the command, what it would do, its progress, how it ended, and the new dataset.
import { $, bytes, el, follow, send } from "./api.js";

export const quoted = words => words.map(word => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`).join(" ");

export function open(title, ...content) {
  const dialog = $("#dialog");
  dialog.replaceChildren(el("h2", { id: "dialog-title" }, title), ...content);
  if (!dialog.open) dialog.showModal();
  return dialog;
}

export const close = () => $("#dialog").close();

// ask: {title, out, url, body, foresee(report) -> lines, done(report) -> lines}
export function writer({ title, out, url, body, foresee, done }) {
  const name = el("input", { id: "out", type: "text", value: out, spellcheck: "false", autocomplete: "off" });
  const command = el("pre", { class: "command", tabindex: "0", "aria-label": "The command that does the same" });
  const facts = el("div", { id: "forecast", role: "status" });
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Progress", hidden: true });
  const start = el("button", { type: "button", class: "primary", disabled: true }, "Write");
  const stop = el("button", { type: "button", hidden: true }, "Cancel");
  const away = el("button", { type: "button", onclick: close }, "Close");
  open(title, el("label", { for: "out" }, "Folder of the new dataset"), name, command, facts, bar, el("div", { class: "buttons" }, away, stop, start));
  let asked = 0, running = null;

  async function forecast() {
    const mine = ++asked;
    start.disabled = true;
    facts.replaceChildren(el("p", { class: "quiet" }, "finding out what it would do ..."));
    try {
      const begun = await send("POST", url, { ...body(), out: name.value, dry_run: true });
      command.textContent = quoted(begun.command);
      const end = await follow(begun.job, () => {});
      if (mine !== asked) return;
      if (end.event !== "done") { show(failure(end)); return; }
      show(foresee(end.report));
      start.disabled = false;
    } catch (error) { if (mine === asked) show([el("p", { class: "bad" }, error.message)]); }
  }

  const show = lines => facts.replaceChildren(...lines);
  const failure = end => [el("p", { class: "bad" }, end.error ?? "cancelled; nothing was written"), ...(end.notes ?? []).slice(0, 20).map(note => el("p", {}, note))];

  start.addEventListener("click", async () => {
    start.disabled = name.disabled = true;
    away.hidden = true;
    stop.hidden = bar.hidden = false;
    bar.removeAttribute("value");
    show([el("p", { class: "quiet" }, "writing ...")]);
    try {
      const begun = await send("POST", url, { ...body(), out: name.value, dry_run: false });
      running = begun.job;
      const end = await follow(begun.job, event => {
        if (event.event !== "progress") return;
        bar.max = Math.max(event.total, 1);
        bar.value = Math.min(event.done, event.total);
        show([el("p", { class: "quiet" }, `${bytes(event.done)} of about ${bytes(event.total)} ${event.label ?? ""}`)]);
      });
      if (end.event !== "done") show(failure(end));
      else {
        show(done(end.report));
        if (end.report.ok !== false) {
          start.hidden = true;
          const link = el("button", { type: "button", class: "primary", id: "open-result", onclick: async () => {
            const { dataset } = await send("POST", `/api/jobs/${running}/open`, {});
            location.href = `/dataset/${dataset}`;
          } }, "Open the new dataset");
          start.after(link);
        }
      }
    } catch (error) { show([el("p", { class: "bad" }, error.message)]); }
    bar.hidden = stop.hidden = true;
    away.hidden = false;
    name.disabled = start.disabled = false;
  });
  stop.addEventListener("click", () => { if (running !== null) send("POST", `/api/jobs/${running}/cancel`, {}).catch(() => {}); });
  let timer = 0;
  name.addEventListener("input", () => { start.disabled = true; clearTimeout(timer); timer = setTimeout(forecast, 400); });
  forecast();
}

export const findingLines = findings => {
  const order = { error: 0, warning: 1, info: 2 };
  return [...findings].sort((a, b) => order[a.severity] - order[b.severity]).slice(0, 12)
    .map(finding => el("p", { class: finding.severity }, `${finding.severity}: ${finding.stream ?? finding.key ? `${finding.stream ?? finding.key}: ` : ""}${finding.message}${finding.fix ? ` (${finding.fix})` : ""}`));
};

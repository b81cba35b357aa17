// Asks the server; what it refuses is an Error with its words.

export class Refused extends Error {
  constructor(status, body) { super(body.error || `the server answers ${status}`); this.status = status; this.body = body; }
}

async function answered(response) {
  if (response.ok) return response;
  let body = {};
  try { body = await response.json(); } catch { body = { error: response.statusText }; }
  throw new Refused(response.status, body);
}

export async function get(path) { return (await answered(await fetch(path))).json(); }

export async function floats(path) { return new Float64Array(await (await answered(await fetch(path))).arrayBuffer()); }

export async function send(method, path, body) {
  const headers = { "content-type": "application/json" };
  return (await answered(await fetch(path, { method, headers, body: JSON.stringify(body) }))).json();
}

// The events of a job, one call each, until the last; resolves with that.
export function follow(job, onEvent) {
  return new Promise(resolve => {
    const source = new EventSource(`/api/jobs/${job}/events`);
    source.onmessage = message => {
      const event = JSON.parse(message.data);
      onEvent(event);
      if (["done", "failed", "cancelled"].includes(event.event)) { source.close(); resolve(event); }
    };
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return; // it connects again by itself
      resolve({ event: "failed", error: "the server is gone" });
    };
  });
}

export const $ = selector => document.querySelector(selector);

// An element with attributes and children; texts are texts, never HTML.
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

let fading = 0;
export function say(text, action) {
  const box = $("#message");
  clearTimeout(fading);
  box.replaceChildren(text, ...(action ? [" ", el("button", { type: "button", onclick: () => { say(""); action.run(); } }, action.name)] : []));
  box.classList.toggle("shown", Boolean(text));
  if (text && !action) fading = setTimeout(() => say(""), 5000);
}

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  for (; count >= 1000 && power < 4; power++) count /= 1000;
  return `${power && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[power]}`;
}

export const many = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

export const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A canvas of its element's size in device pixels, its context scaled to CSS pixels.
export function context(canvas) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  return { g, width, height };
}

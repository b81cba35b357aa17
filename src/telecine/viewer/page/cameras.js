// Cameras that show exactly the frame of a row. The row is the truth; a video element is asked for the middle of a frame's
// period, and believed only when its frame callback says which frame it shows.
import { $, clamp, el, get, say } from "./api.js";

const HALF = 0.5; // of a period: at k / fps every third seek shows the frame before
const NUDGE = -0.2; // of a period, when a seek shows nothing new
const WAIT_MS = 350;
const TRIES = 4;
const PART = 0.42; // of the window's height, for all cameras together
const MOST_PX = 420, LEAST_PX = 100, LEAST_WIDE_PX = 176, GAP_PX = 8, CAPTION_PX = 20;

// One video element on one file. `frame`: the number in the file of the frame that it shows, -1 for none yet.
class Player {
  constructor(camera) {
    this.camera = camera;
    this.video = el("video", { muted: true, playsinline: true, preload: "auto", disablepictureinpicture: true, tabindex: "-1", "aria-hidden": "true" });
    this.video.muted = true;
    this.clear();
    this.video.addEventListener("loadedmetadata", () => this.go());
    this.video.addEventListener("error", () => { if (this.url) camera.useStills("this browser cannot play its codec"); });
    this.watch = (_, meta) => { this.shows(Math.round(meta.mediaTime * camera.page.info.fps)); this.video.requestVideoFrameCallback(this.watch); };
    this.video.requestVideoFrameCallback(this.watch);
  }

  clear() { this.url = ""; this.episode = -1; this.frame = -1; this.target = -1; this.busy = false; this.tries = 0; }

  get exact() { return this.target >= 0 && this.frame === this.target; }
  get row() { return this.frame - this.first; }

  load(place, row) {
    this.episode = place.number;
    this.first = place.first;
    this.length = place.length;
    if (this.url !== place.url) {
      this.frame = -1;
      this.busy = false;
      clearTimeout(this.timer);
      this.url = place.url;
      this.video.src = place.url;
    }
    this.ask(row);
  }

  ask(row) { this.target = this.first + row; this.tries = 0; if (!this.busy) this.go(); }

  // One seek at a time, always to the newest target.
  go() {
    if (this.video.readyState < 1 || this.target < 0) return;
    if (this.exact) { this.busy = false; this.camera.settled(this); return; }
    this.busy = true;
    this.asked = this.target;
    const time = (this.target + HALF + (this.tries % 2 ? NUDGE : 0)) / this.camera.page.info.fps;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.late(), WAIT_MS * (1 + this.tries));
    this.video.currentTime = time;
  }

  // The frame callback: what is on the screen now.
  shows(frame) {
    this.frame = frame;
    this.camera.presented(this);
    if (!this.busy) { // a frame that was on its way when playing ended
      if (!this.camera.page.cameras.playing && this.target >= 0 && frame !== this.target) this.go();
      return;
    }
    if (frame === this.asked || this.asked !== this.target) { clearTimeout(this.timer); this.busy = false; this.go(); }
  }

  late() {
    this.busy = false;
    if (this.asked === this.target && !this.video.seeking && ++this.tries >= TRIES) this.camera.useStills("its video cannot be sought exactly");
    else this.go();
  }
}

// A camera of the dataset: two players, of which the one behind has the next episode, or stills from the server.
class Camera {
  constructor(page, number) {
    this.page = page;
    this.number = number;
    this.info = page.info.cameras[number];
    this.stills = this.info.kind === "image" || this.info.depth;
    this.box = el("div", { class: "frame" });
    this.caption = el("figcaption", {}, el("b", {}, this.info.key.replace("observation.images.", "")), " ", el("span", { class: "quiet" }));
    this.figure = el("figure", { "data-camera": this.info.key }, this.box, this.caption);
    this.box.style.aspectRatio = `${this.info.width || 4} / ${this.info.height || 3}`;
    this.ratio = (this.info.width || 4) / (this.info.height || 3);
    this.front = null;
    this.back = null;
    if (!this.stills) {
      [this.front, this.back] = [new Player(this), new Player(this)];
      this.box.append(this.back.video, this.front.video);
    } else this.makeImage();
    this.row = -1; // that is on the screen
    this.want = 0;
  }

  note(text) { this.caption.lastChild.textContent = this.caption.title = text; }

  makeImage() {
    this.image = el("img", { alt: `${this.info.key}: the frame of the row`, draggable: "false" });
    this.box.replaceChildren(this.image);
    this.fetching = false;
    this.ready = new Map();
    if (this.info.depth) {
      this.image.addEventListener("pointermove", event => this.measure(event));
      this.image.addEventListener("pointerleave", () => this.note(this.range ?? ""));
    } else this.note("stills from the server");
  }

  useStills(why) {
    if (this.stills) return;
    this.stills = true;
    for (const player of [this.front, this.back]) { player.url = ""; clearTimeout(player.timer); player.video.removeAttribute("src"); player.video.load(); }
    this.row = -1;
    this.makeImage();
    this.page.cameras.leadLost(this);
    say(`${this.info.key}: ${why}; stills from the server`);
    this.ask(this.page.row);
  }

  place(episode) {
    const video = episode.videos.find(v => v.camera === this.number);
    return video && { number: episode.number, length: episode.length, first: video.first, url: `/video/${this.page.dataset}/${this.number}/${video.file[0]}/${video.file[1]}` };
  }

  open(episode, row) {
    this.episode = episode;
    this.want = row;
    this.hide();
    if (this.stills) { this.ask(row); return; }
    const place = this.place(episode);
    if (!place) { this.note("no video of this episode"); return; }
    this.note("");
    if (this.back.episode === episode.number && this.back.url === place.url) {
      [this.front, this.back] = [this.back, this.front];
      this.back.clear();
    }
    this.front.load(place, row);
  }

  // What is on the screen is of another episode: it is covered until the right frame is there.
  hide() { this.row = -1; delete this.box.dataset.error; this.box.classList.add("waiting"); this.figure.dataset.shown = ""; }

  reveal(row, source) {
    this.row = row;
    this.box.classList.remove("waiting");
    delete this.box.dataset.error;
    Object.assign(this.figure.dataset, { shown: row, episode: this.episode.number, source });
  }

  prefetch(episode) {
    if (this.stills) { this.still(episode.number, 0).catch(() => {}); return; }
    const place = this.place(episode);
    if (place && this.back.episode !== episode.number) this.back.load(place, 0);
  }

  ask(row) {
    this.want = row;
    if (this.stills) this.fetchStill();
    else if (this.front.episode === this.episode?.number) this.front.ask(row);
  }

  presented(player) {
    if (player !== this.front || this.stills) return;
    const inside = player.row >= 0 && player.row < player.length;
    if (this.row >= 0 && inside) this.reveal(player.row, "video");
    else if (this.row >= 0) this.hide();
    this.page.cameras.presented(this, player);
  }

  settled(player) {
    if (player !== this.front || this.stills) return;
    for (const other of [this.front, this.back]) other.video.classList.toggle("front", other === player);
    this.reveal(player.row, "video");
    this.page.cameras.settled(this);
  }

  async still(number, row) {
    const key = `${number}/${row}`;
    if (!this.ready.has(key)) {
      const width = Math.max(160, Math.round(this.box.clientWidth * devicePixelRatio) || 640);
      this.ready.set(key, (async () => {
        const response = await fetch(`/api/dataset/${this.page.dataset}/still/${number}/${this.number}/${row}?width=${width}`);
        if (!response.ok) throw new Error((await response.json()).error);
        const image = el("img", { alt: this.image.alt, draggable: "false" });
        image.src = URL.createObjectURL(await response.blob());
        await image.decode();
        return { image, range: response.headers.get("x-depth-mm") };
      })());
      while (this.ready.size > 24) this.forget(this.ready.keys().next().value);
    }
    return this.ready.get(key);
  }

  forget(key) { this.ready.get(key)?.then(entry => { if (entry.image !== this.image) URL.revokeObjectURL(entry.image.src); }, () => {}); this.ready.delete(key); }

  async fetchStill() {
    if (this.fetching) return;
    this.fetching = true;
    try {
      for (;;) {
        const number = this.episode.number, row = this.want;
        try {
          const { image, range } = await this.still(number, row);
          if (number !== this.episode.number) continue;
          if (range) { const [near, far] = range.split(",").map(Number); this.range = `${(near / 1000).toFixed(2)} to ${(far / 1000).toFixed(2)} m`; this.note(this.range); }
          if (this.info.depth) { image.onpointermove = event => this.measure(event); image.onpointerleave = () => this.note(this.range ?? ""); }
          this.image = image;
          this.box.replaceChildren(image);
          this.reveal(row, "still");
          this.page.cameras.settled(this);
        } catch (error) {
          this.forget(`${number}/${row}`);
          if (number === this.episode.number) { this.note(error.message); this.box.dataset.error = error.message; }
        }
        if (this.want === row && this.episode.number === number) break;
      }
    } finally { this.fetching = false; }
  }

  async measure(event) {
    if (this.measuring || this.row < 0) return;
    this.measuring = true;
    const box = this.image.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * this.info.width), y = Math.floor((event.clientY - box.top) / box.height * this.info.height);
    try {
      const { mm } = await get(`/api/dataset/${this.page.dataset}/depth/${this.episode.number}/${this.number}/${this.row}?x=${clamp(x, 0, this.info.width - 1)}&y=${clamp(y, 0, this.info.height - 1)}`);
      this.note(`${(mm / 1000).toFixed(3)} m at ${x}, ${y}`);
    } catch (error) { this.note(error.message); } finally { this.measuring = false; }
  }
}

export class Cameras {
  constructor(page) {
    this.page = page;
    this.playing = false;
    this.rate = 1;
    this.all = page.info.cameras.map((_, number) => new Camera(page, number));
    $("#cameras").replaceChildren(...this.all.map(camera => camera.figure));
    this.fit();
    addEventListener("resize", () => this.fit());
    $("#speed").addEventListener("change", event => { this.rate = Number(event.target.value); for (const camera of this.all) if (camera.front) camera.front.video.playbackRate = this.rate; event.target.blur(); });
  }

  // One height for all, the greatest at which they fit; by the window alone, so that nothing moves later.
  fit() {
    const wide = $("#cameras").clientWidth, room = innerHeight * PART, ratios = this.all.map(camera => camera.ratio);
    const least = Math.max(LEAST_PX, ...ratios.map(ratio => LEAST_WIDE_PX / ratio));
    const lines = tall => {
      let count = 1, filled = 0;
      for (const ratio of ratios) {
        if (filled && filled + ratio * tall > wide) { count++; filled = 0; }
        filled += ratio * tall + GAP_PX;
      }
      return count;
    };
    let tall = Math.min(MOST_PX, room - CAPTION_PX);
    while (tall > least && lines(tall) * (tall + CAPTION_PX + GAP_PX) > room + GAP_PX) tall -= 2;
    for (const camera of this.all) camera.figure.style.width = `${Math.floor(camera.ratio * Math.max(tall, least))}px`;
  }

  get lead() { return this.all.find(camera => !camera.stills && camera.front.url); }

  open(episode, row) { this.stop(); for (const camera of this.all) camera.open(episode, row); }
  prefetch(episode) { for (const camera of this.all) camera.prefetch(episode); }
  ask(row) { for (const camera of this.all) camera.ask(row); }
  settled() {}

  toggle() { if (this.playing) this.pause(); else this.play(); }

  play() {
    const page = this.page;
    if (page.row >= page.episode.length - 1) page.seek(0);
    this.playing = true;
    $("#play").textContent = "❚❚";
    $("#play").setAttribute("aria-label", "Pause");
    const lead = this.lead;
    for (const camera of this.all) {
      if (camera.stills || !camera.front.url) continue;
      camera.front.busy = false;
      clearTimeout(camera.front.timer);
      camera.front.video.playbackRate = this.rate;
      camera.front.video.play().catch(() => {});
    }
    if (!lead) this.tick(performance.now(), page.row);
  }

  // Without a video: the clock of the screen.
  tick(began, from) {
    requestAnimationFrame(now => {
      if (!this.playing || this.lead) return;
      const row = Math.min(from + Math.floor((now - began) / 1000 * this.page.info.fps * this.rate), this.page.episode.length - 1);
      this.page.moved(row);
      this.ask(row);
      if (row >= this.page.episode.length - 1) this.pause();
      else this.tick(began, from);
    });
  }

  stop() {
    // A fast video may stay at a frame behind the last that it told of: after playing each is sought again.
    if (this.playing) for (const camera of this.all) if (!camera.stills) camera.front.frame = -1;
    this.playing = false;
    $("#play").textContent = "▶";
    $("#play").setAttribute("aria-label", "Play");
    for (const camera of this.all) if (!camera.stills) camera.front.video.pause();
  }

  pause() { if (this.playing) { this.stop(); this.page.seek(this.page.row); } }

  leadLost() { if (this.playing && !this.lead) this.tick(performance.now(), this.page.row); }

  // While playing the first camera is the clock; others are kept within a row of it.
  presented(camera, player) {
    if (!this.playing) return;
    const lead = this.lead, fps = this.page.info.fps;
    if (camera === lead) {
      const last = player.length - 1;
      if (player.row >= last - (this.rate > 1 ? Math.ceil(this.rate) : 0)) { this.page.moved(last); this.pause(); return; }
      this.page.moved(clamp(player.row, 0, last));
      for (const other of this.all) if (other.stills) other.ask(this.page.row);
      return;
    }
    const ahead = player.video.currentTime - player.first / fps - (lead.front.video.currentTime - lead.front.first / fps);
    if (Math.abs(ahead) > 1.5 / fps) player.video.currentTime = lead.front.video.currentTime + (player.first - lead.front.first) / fps;
    else player.video.playbackRate = this.rate * (1 - clamp(ahead * 2, -0.15, 0.15));
  }
}

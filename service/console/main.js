// The frame: which page is shown, when it is asked again, what is said when the API does not answer.

import { askAgain, forgetKey, hasKey, Problem, setKeyPrompt } from "./api.js";
import { askKey } from "./ask.js";
import { h, morphChildren, prose } from "./dom.js";
import { pageOf } from "./words.js";
import * as batches from "./batches.js";
import * as job from "./job.js";
import * as jobs from "./jobs.js";
import * as letters from "./letters.js";
import * as overview from "./overview.js";
import * as queues from "./queues.js";

const PAGES = { "": overview, jobs, batches, "dead-letters": letters, queues };
const main = document.getElementById("main");
const trouble = document.getElementById("trouble");
const freshness = document.getElementById("freshness");
const find = document.getElementById("find");
const keyButton = document.getElementById("forget");
let visit = null;

setKeyPrompt(askKey);

// Tell those who listen to the page, and those who look at it, what became of an act.
function say(text) {
  document.getElementById("said").textContent = text;
}

function complain(error) {
  const text = error instanceof Problem ? [error.message, error.nextStep, error.requestId && `(request ${error.requestId})`].filter(Boolean).join(" ")
    : `The console has a fault: ${error.message}`;
  trouble.replaceChildren(...prose(text));
  trouble.hidden = false;
}

class Visit {
  constructor(name, args, query) {
    const page = name === "jobs" && args.length ? job : PAGES[name] ?? overview;
    this.live = true;
    this.timer = 0;
    this.data = null;
    this.acting = false;
    this.view = page.open({
      args, query, say,
      redraw: () => this.draw(),
      refresh: () => this.load(),
      act: (work) => this.act(work),
      go: (hash) => { location.hash = hash; },
      replaceQuery: (chosen) => history.replaceState(null, "", `#/${[name, ...args].filter(Boolean).map(encodeURIComponent).join("/")}${chosen ? `?${chosen}` : ""}`),
    });
    document.title = `${this.view.title} · reportq`;
    for (const link of document.querySelectorAll("nav a")) {
      const here = link.dataset.page === (name || "overview");
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    main.replaceChildren(h("p", { class: "empty" }, "Loading…"));
  }

  async load() {
    clearTimeout(this.timer);
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      const data = await this.view.load();
      if (!this.live || turn !== this.turn) return;
      if (this.failing) trouble.hidden = true;
      this.failing = this.locked = false;
      this.data = data;
      this.draw();
      // The server's own moment where it tells one: an answer that came just now may have been seen before.
      freshness.textContent = `As of ${new Date(data.at ?? Date.now()).toLocaleTimeString("en-GB")}`;
    } catch (error) {
      if (!this.live || turn !== this.turn) return;
      this.failing = true;
      this.locked = error.status === 401;
      if (this.data === null) main.replaceChildren();
      else this.draw();
      complain(error);
      freshness.textContent = this.data === null ? "Nothing loaded" : `${freshness.textContent.replace(/ \(stale\)$/, "")} (stale)`;
    }
    keyButton.hidden = !hasKey() && !this.locked;
    keyButton.textContent = hasKey() ? "Forget the key" : "Use a key";
    if (this.live && !this.locked) this.timer = setTimeout(() => (document.hidden ? undefined : this.load()), this.failing ? 5000 : this.view.every(this.data));
  }

  draw() {
    if (this.live && this.data !== null) morphChildren(main, this.view.draw(this.data, this.failing).flat(Infinity).filter(Boolean));
  }

  // Do something once: its problem is shown, and the page is asked again whatever came of it.
  async act(work) {
    if (this.acting) return;
    this.acting = true;
    trouble.hidden = true;
    askAgain();
    try {
      await work();
    } catch (error) {
      complain(error);
    } finally {
      this.acting = false;
      if (this.live) await this.load();
    }
  }

  end() {
    this.live = false;
    clearTimeout(this.timer);
  }
}

function route() {
  const first = visit === null;
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  let parts;
  try {
    parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    parts = [];
  }
  visit?.end();
  trouble.hidden = true;
  askAgain();
  visit = new Visit(parts[0] ?? "", parts.slice(1), new URLSearchParams(search));
  visit.load();
  if (!first) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

document.getElementById("search").onsubmit = (event) => {
  event.preventDefault();
  const text = find.value.trim();
  if (!text) return;
  const known = /^(pdf|bat)_[0-9A-Z]{26}$/i.test(text);
  location.hash = known ? pageOf(text.slice(0, 4).toLowerCase() + text.slice(4).toUpperCase()) : `#/jobs?${new URLSearchParams({ code: text })}`;
};
document.getElementById("skip").onclick = (event) => {
  event.preventDefault();
  main.focus();
};
keyButton.onclick = () => {
  if (!hasKey()) {
    askAgain();
    visit.load();
    return;
  }
  forgetKey();
  location.reload();
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, dialog");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    find.focus();
    find.select();
  }
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) visit?.load(); });
addEventListener("hashchange", route);
route();

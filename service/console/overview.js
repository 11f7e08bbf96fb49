// Are reports in time? Waits, throughput, who works, and what holds anything back.

import { get, setRole } from "./api.js";
import { bars, trends } from "./chart.js";
import { h } from "./dom.js";
import { count, plural, span, when, word } from "./words.js";

const KEPT = 400;
const seen = []; // what waited at each look, for as long as the page is open

export function open() {
  return {
    title: "Overview",
    every: () => 2500,
    async load() {
      const data = await get("/api/overview");
      setRole(data.role);
      seen.push({ at: Date.now(), ...Object.fromEntries(data.lines.map((line) => [line.priority, line.queued])) });
      if (seen.length > KEPT) seen.shift();
      return data;
    },
    draw: (data, failing) => [h("h1", {}, "Overview"), failing ? unknown() : verdict(data), tiles(data), charts(data), lines(data), held(data), workers(data)],
  };
}

const sum = (items, name) => items.reduce((total, item) => total + item[name], 0);

// What was seen before is still shown, but not as how things stand.
const unknown = () => h("div", { class: "note bad" }, h("p", {}, "The state is unknown at the moment. The data below is older."));

const STATES = { bad: ["down", "Not working"], warn: ["paused", "Working, with trouble"], good: ["running", "Working"] };

// The verdict as the API gives it: the same facts stand in `ops/reportq status`, `doctor` and /readyz.
function verdict({ verdict: { state, facts, age } }) {
  const told = facts.filter((fact) => fact.severity !== "info" || fact.key === "store_limited");
  return h("div", { class: `note ${{ bad: "bad", warn: "wait", good: "good" }[state]}` },
    h("p", {}, word(...STATES[state]), told.length ? null : " Jobs are accepted and worked on. Nothing is paused, and no part is known to be down."),
    told.map((fact) => h("p", { "data-key": `${fact.key} ${fact.subject ?? ""}` }, fact.means, fact.since ? [" Since ", when(fact.since), "."] : null,
      " ", h("span", { class: "quiet" }, `${fact.to_do} (${fact.runbook})`))),
    age > 10 ? h("p", {}, `These facts were read ${span(age)} ago.`) : null);
}

function tiles(data) {
  const waiting = sum(data.lines, "queued");
  const oldest = Math.max(...data.lines.map((line) => line.oldest ?? 0));
  const ended = sum(data.minutes, "completed") + sum(data.minutes, "failed");
  const share = ended ? (100 * sum(data.minutes, "completed")) / ended : null;
  const letters = Object.values(data.dead_letters).reduce((a, b) => a + b, 0);
  const lately = data.minutes.slice(-6, -1);
  const tile = (value, text, href) => h("li", {}, h("b", {}, value), h("span", {}, href ? h("a", { href }, text) : text));
  return h("ul", { class: "tiles" },
    tile(count(waiting), waiting ? `waiting, oldest ${span(oldest)}` : "waiting", "#/jobs?status=queued"),
    tile(count(sum(data.lines, "processing")), "being worked on", "#/jobs?status=processing"),
    tile((sum(lately, "completed") / lately.length).toFixed(1), "completed a minute (last 5)", "#/jobs?status=completed"),
    tile(share === null ? "–" : `${share.toFixed(share === 100 ? 0 : 1)} %`, "of the last hour succeeded", "#/jobs?status=failed"),
    tile(count(letters), "open dead letters", "#/dead-letters"),
    tile(count(data.callbacks_owed), data.callbacks_owed ? `callbacks owed, oldest ${span(data.oldest_callback)}` : "callbacks owed", "#/queues"));
}

function charts(data) {
  return h("div", { class: "columns" },
    h("section", {}, h("h2", {}, "Throughput"), bars(data.minutes)),
    h("section", {}, h("h2", {}, "Waiting"), trends(seen, ["high", "normal", "low"])));
}

function lines(data) {
  return h("section", {}, h("h2", {}, "Waits by priority"), h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Priority"), h("th", { scope: "col", class: "number" }, "Waiting"), h("th", { scope: "col", class: "number" }, "Working"), h("th", { scope: "col", class: "number" }, "Oldest waits"))),
    h("tbody", {}, data.lines.map((line) => h("tr", { "data-key": line.priority }, h("th", { scope: "row" }, line.priority),
      h("td", { class: "number" }, count(line.queued)), h("td", { class: "number" }, count(line.processing)), h("td", { class: "number" }, span(line.oldest)))))));
}

function held(data) {
  if (!data.pauses.length) return null;
  return h("section", {}, h("h2", {}, "Paused or down"), h("table", { class: "cards" },
    h("thead", {}, h("tr", {}, ["What", "State", "Why", "Since", "Asked again"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, data.pauses.map((pause) => h("tr", { "data-key": pause.scope },
      h("td", { "data-label": "What" }, h("code", {}, pause.scope)), h("td", { "data-label": "State" }, pause.outage ? word("down", "down") : word("paused", `paused by ${pause.by}`)),
      h("td", { class: "long", "data-label": "Why" }, h("span", {}, pause.reason)), h("td", { "data-label": "Since" }, when(pause.since, { ago: true })),
      h("td", { "data-label": "Asked again" }, pause.until ? when(pause.until, { ago: true }) : h("span", {}, "when resumed")))))));
}

function workers(data) {
  const busy = sum(data.workers, "busy");
  return h("section", {}, h("h2", {}, `Workers: ${plural(data.workers.length, "process", "processes")}, ${busy} of ${plural(sum(data.workers, "threads"), "thread")} busy`),
    data.workers.length ? h("table", { class: "cards" },
      h("thead", {}, h("tr", {}, ["Worker", "Queue"].map((name) => h("th", { scope: "col" }, name)), ["Busy", "Memory"].map((name) => h("th", { scope: "col", class: "number" }, name)), ["Started", "Last heard", "Version"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, data.workers.map((worker) => h("tr", { "data-key": worker.worker_id },
        h("td", { "data-label": "Worker" }, h("code", {}, worker.worker_id)), h("td", { "data-label": "Queue" }, h("span", {}, worker.queue)),
        h("td", { class: "number", "data-label": "Busy" }, h("span", {}, `${worker.busy} of ${worker.threads}`)), h("td", { class: "number", "data-label": "Memory" }, h("span", {}, `${count(worker.memory_mb)} MB`)),
        h("td", { "data-label": "Started" }, when(worker.started_at, { ago: true })), h("td", { "data-label": "Last heard" }, when(worker.seen_at, { ago: true })),
        h("td", { "data-label": "Version" }, h("span", {}, worker.version))))))
      : h("p", { class: "empty" }, "No worker has reported. Look at the supervisor: a worker that crashes at its start writes the reason into its log."));
}

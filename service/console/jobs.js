// The list of jobs, newest first, by state, report and product.

import { get } from "./api.js";
import { pager } from "./ask.js";
import { h } from "./dom.js";
import { bar, between, count, jobLink, span, when, word } from "./words.js";

const STATES = ["queued", "processing", "completed", "failed", "cancelled"];

export function open(frame) {
  const chosen = Object.fromEntries(["status", "code", "product_id", "since"].map((name) => [name, frame.query.get(name) ?? ""]));
  if (!STATES.includes(chosen.status)) chosen.status = "";
  const pages = pager(frame.refresh);

  const narrow = (name, value) => {
    chosen[name] = value;
    pages.first();
    frame.replaceQuery(String(new URLSearchParams(Object.entries(chosen).filter(([, given]) => given))));
    frame.refresh();
  };

  return {
    title: "Jobs",
    every: () => 3000,
    load: () => get("/api/jobs", { ...chosen, since: since(chosen.since), cursor: pages.cursor(), limit: 50 }),
    draw: (data) => [
      h("h1", {}, "Jobs"),
      h("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
        h("label", {}, "State", h("select", { onchange: (event) => narrow("status", event.target.value) },
          h("option", { value: "" }, "any"), STATES.map((state) => h("option", { value: state, selected: state === chosen.status }, state)))),
        text("Code", "code", chosen, narrow), text("Product", "product_id", chosen, narrow),
        h("label", {}, "Submitted", h("select", { onchange: (event) => narrow("since", event.target.value) },
          [["", "any time"], ["15m", "last 15 minutes"], ["1h", "last hour"], ["24h", "last 24 hours"]].map(([value, name]) => h("option", { value, selected: value === chosen.since }, name))))),
      h("section", {}, data.jobs.length ? table(data.jobs) : h("p", { class: "empty" }, nothing(chosen)),
        h("div", { class: "row" },
          pages.buttons(data.next_cursor),
          data.jobs.length ? h("span", { class: "quiet" }, `${count(data.jobs.length)} shown`) : null)),
    ],
  };
}

const AGO = { "15m": 15, "1h": 60, "24h": 1440 };
const since = (chosen) => (AGO[chosen] ? new Date(Date.now() - AGO[chosen] * 60_000).toISOString() : "");

const text = (label, name, chosen, narrow) => h("label", {}, label,
  h("input", { value: chosen[name], maxlength: 255, autocomplete: "off", spellcheck: "false", onchange: (event) => narrow(name, event.target.value.trim()) }));

function nothing(chosen) {
  return chosen.code || chosen.product_id || chosen.status || chosen.since
    ? "No job fits. Codes are compared exactly, capitals included. Rows of ended jobs are removed after a while; then only their code or job id finds them."
    : "No jobs yet.";
}

function table(jobs) {
  return h("table", { class: "cards" },
    h("thead", {}, h("tr", {}, ["Job", "State", "Code", "Product", "Priority", "Submitted"].map((name) => h("th", { scope: "col" }, name)), h("th", { scope: "col", class: "number" }, "Took"))),
    h("tbody", {}, jobs.map((job) => h("tr", { "data-key": job.job_id },
      h("td", { "data-label": "Job" }, jobLink(job.job_id)),
      h("td", { "data-label": "State" }, h("span", {}, word(job.status), job.status === "processing" ? [" ", bar(job.progress, `${job.progress} %`)] : null,
        job.error_code ? [" ", h("code", {}, job.error_code)] : null, job.round > 1 ? h("span", { class: "quiet" }, ` round ${job.round}`) : null)),
      h("td", { class: "free", "data-label": "Code" }, h("span", {}, job.code)), h("td", { class: "free", "data-label": "Product" }, h("span", {}, job.product_id)),
      h("td", { "data-label": "Priority" }, h("span", {}, job.priority ?? "–")), h("td", { "data-label": "Submitted" }, when(job.created_at, { ago: true })),
      h("td", { class: "number", "data-label": "Took" }, h("span", {}, job.completed_at ? span(between(job.created_at, job.completed_at)) : "–"))))));
}

// Batches: the list; and one of them, with its jobs and what can be done with all of them at once.

import { answered, get, may, post, setRole, whyNot } from "./api.js";
import { action, ask, pager, WHY } from "./ask.js";
import { h, prose, save } from "./dom.js";
import { bar, between, count, jobLink, plural, span, told, when, word } from "./words.js";

export const open = (frame) => (frame.args.length ? one(frame, frame.args[0]) : all(frame));

const path = (id, act = "") => `/api/batches/${encodeURIComponent(id)}${act}`;
const columns = (...names) => h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name))));
const standing = (batch, open) => [word(open ? "processing" : batch.counts.failed || batch.counts.cancelled ? "failed" : "completed", open ? "open" : "ended"), batch.round > 1 ? ` in round ${batch.round}` : ""];
const share = ({ total }, open) => bar(total ? Math.floor((100 * (total - open)) / total) : 0, `${count(total - open)} of ${count(total)} jobs have ended`);

function all(frame) {
  const pages = pager(frame.refresh);
  return {
    title: "Batches",
    every: () => 3000,
    load: () => get("/api/batches", { cursor: pages.cursor() }),
    draw: ({ batches, next_cursor }) => [
      h("h1", {}, "Batches"),
      h("section", {}, batches.length ? h("table", { class: "cards" }, columns("Batch", "State", "Jobs", "Failed", "Cancelled", "Submitted", "Took"),
        h("tbody", {}, batches.map((batch) => h("tr", { "data-key": batch.batch_id },
          h("td", { "data-label": "Batch" }, jobLink(batch.batch_id)),
          h("td", { "data-label": "State" }, h("span", {}, standing({ ...batch, counts: batch }, batch.open), batch.open ? [" ", share(batch, batch.open)] : null)),
          ["total", "failed", "cancelled"].map((name, place) => h("td", { "data-label": ["Jobs", "Failed", "Cancelled"][place] }, h("span", {}, count(batch[name])))),
          h("td", { "data-label": "Submitted" }, when(batch.created_at, { ago: true })),
          h("td", { "data-label": "Took" }, h("span", {}, batch.ended_at ? span(between(batch.created_at, batch.ended_at)) : "–"))))))
        : h("p", { class: "empty" }, "No batches yet. POST /api/reports/batch makes one; the n8n node does so for its items."),
        h("div", { class: "row" }, pages.buttons(next_cursor))),
    ],
  };
}

function one(frame, id) {
  const pages = pager(frame.refresh);
  let role; // asked for once a visit
  return {
    title: id,
    every: (batch) => (batch?.status === "open" ? 1500 : 5000),
    async load() {
      if (role === undefined) setRole((role = (await get("/api/overview")).role));
      return get(path(id), { cursor: pages.cursor() });
    },
    draw: (batch) => {
      const { counts, webhook } = batch;
      const open = counts.queued + counts.processing;
      return [
        h("div", {}, h("p", { class: "quiet" }, h("a", { href: "#/batches" }, "Batches")), h("h1", { class: "mono" }, id),
          h("p", {}, standing(batch, open), batch.ended_at ? [" · ended ", when(batch.ended_at, { ago: true })] : null)),
        webhook?.hint ? h("div", { class: `note ${webhook.state === "dead" ? "bad" : "wait"}` }, h("p", {}, prose(webhook.hint))) : null,
        open ? h("section", { class: "sheet", "data-key": "progress" }, share(counts, open), ` ${count(counts.total - open)} of ${plural(counts.total, "job")}`,
          batch.estimated_completion ? [", likely done ", when(batch.estimated_completion, { ago: true })] : null) : null,
        h("p", { class: "row" }, acts(batch, open, frame)),
        h("section", {}, h("dl", { class: "facts" },
          [["Jobs", ["queued", "processing", "completed", "failed", "cancelled"].filter((name) => counts[name]).map((name) => `${count(counts[name])} ${name}`).join(", ")],
            ["Submitted", when(batch.created_at)], ["Took", span(between(batch.created_at, batch.ended_at))], ["Callback", told(webhook, null, "the batch")]].map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))),
        h("section", {}, h("h2", {}, "Its jobs, in the order of submission"), h("table", { class: "cards" }, columns("Job", "State", "Code", "Product"),
          h("tbody", {}, batch.results.map((job) => h("tr", { "data-key": job.job_id },
            h("td", { "data-label": "Job" }, jobLink(job.job_id)), h("td", { "data-label": "State" }, h("span", {}, word(job.status), job.error ? [" ", h("code", {}, job.error.code)] : null)),
            h("td", { class: "free", "data-label": "Code" }, h("span", {}, job.code)), h("td", { class: "free", "data-label": "Product" }, h("span", {}, job.product_id)))))),
        h("div", { class: "row" }, pages.buttons(batch.next_cursor, "Before", "After"))),
      ];
    },
  };
}

function acts({ batch_id, counts, status, round }, open, frame) {
  const submit = { allowed: may("submit"), reason: whyNot("submit") };
  const failed = plural(counts.failed, "failed job");
  return [
    status === "ended" && counts.completed ? action("Download all PDFs", () => frame.act(async () => save(await answered("GET", path(batch_id, "/download")), `${batch_id}.zip`)), { kind: "main", allowed: may("read"), reason: whyNot("read") }) : null,
    counts.failed ? action(`Replay ${failed}`, async () => {
      const text = `${failed} of this batch ${counts.failed === 1 ? "starts" : "start"} again with a fresh budget. The end of the batch is reported again${status === "ended" ? `, as round ${round + 1}` : ""}.`;
      const given = await ask({ title: "Replay the failed jobs?", text, yes: "Replay", fields: [WHY] });
      if (given) await frame.act(async () => frame.say(`${plural((await post(path(batch_id, "/replay"), given.why ? given : {})).replayed, "job")} waits again.`));
    }, submit) : null,
    open ? action("Cancel the rest", async () => {
      const given = await ask({ title: "Cancel the jobs that have not ended?", text: `${plural(open, "job")} of this batch. Jobs that are already being stored go on. The callers of cancelled jobs are told.`, yes: "Cancel the rest", grave: true });
      if (given) await frame.act(async () => frame.say(`${plural((await post(path(batch_id, "/cancel"))).cancelled, "job")} cancelled.`));
    }, { kind: "grave", ...submit }) : null,
  ];
}

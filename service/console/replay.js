// A replay or discard of many letters: dry run, confirmation, and its progress until the jobs have ended.

import { get, jobPath, post, Problem } from "./api.js";
import { ask, WHY } from "./ask.js";
import { h, prose } from "./dom.js";
import { bar, count, jobLink, plural, word } from "./words.js";

const WATCHED = 20; // jobs followed one by one
const ROUNDS = 500; // requests until a run that goes nowhere is given up
const ENDED = ["completed", "failed", "cancelled"];
const MEANS = {
  replayed: "replayed", discarded: "discarded", newer_completed: "left: a newer job of the same report completed", completed: "left: the job has completed since then",
  not_ended: "left: the job has not ended", unknown: "left: the job's row is gone", resolved: "left: somebody else was first",
  not_whole: "left: only the head of the message was kept",
};

const LEFT = { failing_again: "the first ones failed again", undecided: "the first ones have not ended yet; replay once more when they have" };

const added = (sums, more) => {
  for (const [name, value] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + value;
};
const told = (outcomes) => Object.entries(outcomes).map(([name, value]) => `${count(value)} ${MEANS[name] ?? name}`).join(", ");

export class Run {
  static async prepare(act, requests, sample, frame) {
    const dry = { matched: 0, outcomes: {}, newer: 0 };
    for (const request of requests) {
      const summary = await post(`/api/dead-letters/${act}`, { ...request, dry_run: true });
      dry.matched += summary.matched;
      added(dry.outcomes, summary.outcomes);
      dry.newer += Object.keys(summary.newer_completed ?? {}).length;
    }
    const replaying = act === "replay";
    const given = await ask({
      title: `${replaying ? "Replay" : "Discard"} ${plural(dry.matched, "letter")}?`,
      text: [`Dry run: ${told(dry.outcomes) || "nothing to do"}. Nothing was changed.`,
        dry.newer ? `${plural(dry.newer, "report was", "reports were")} completed by a newer job: replaying may be pointless.` : "",
        replaying ? "A few letters of each group go first. If all of them fail again, the rest of the group is left alone." : "Discarded letters are never tried again."].filter(Boolean),
      yes: replaying ? "Replay now" : "Discard them", grave: !replaying,
      fields: [WHY, ...(replaying ? [{ name: "rate", label: "Letters a second (optional)", mode: "decimal", max: 6 }] : []),
        ...(replaying && dry.newer ? [{ name: "skip_newer", type: "checkbox", label: "Leave those with a newer completed job" }] : [])],
    });
    return given && dry.matched ? new Run(act, requests, sample, given, dry.matched, frame) : null;
  }

  constructor(act, requests, sample, given, matched, frame) {
    this.act = act;
    this.matched = matched;
    this.outcomes = {};
    this.stopped = [];
    this.working = false;
    this.trouble = "";
    this.frame = frame;
    this.options = { ...(given.why ? { why: given.why } : {}), ...(Number(given.rate) > 0 ? { rate: Number(given.rate) } : {}), ...(given.skip_newer ? { skip_newer: true } : {}) };
    this.requests = requests.map((request) => ({ ...request, ...this.options, ...(matched <= 5 ? { trial: 0 } : {}) }));
    const rounds = new Map(sample.filter((letter) => letter.kind === "job" && letter.job_id).map((letter) => [letter.job_id, letter.round + 1]));
    this.jobs = act === "replay" ? [...rounds].slice(0, WATCHED).map(([id, round]) => ({ id, round, status: null, progress: 0 })) : [];
  }

  get done() {
    return Object.values(this.outcomes).reduce((a, b) => a + b, 0);
  }

  get busy() {
    return this.working || this.jobs.some((job) => !ENDED.includes(job.status));
  }

  // Starts the run and returns at once: each request works for some seconds, and is repeated until nothing remains.
  async go(frame) {
    this.working = true;
    frame.redraw();
    this.work().catch((error) => {
      this.trouble = error instanceof Problem ? `${error.message} ${error.nextStep}` : String(error);
    }).finally(() => {
      this.working = false;
      frame.say(`${this.act === "replay" ? "Replay" : "Discard"}: ${told(this.outcomes) || "nothing was done"}.`);
      frame.refresh();
    });
  }

  async work() {
    for (const request of this.requests) {
      for (let turn = 0; turn < ROUNDS; turn += 1) {
        const summary = await post(`/api/dead-letters/${this.act}`, request);
        added(this.outcomes, summary.outcomes);
        this.stopped.push(...(Array.isArray(summary.stopped) ? summary.stopped : []));
        this.frame.refresh();
        if (!summary.interrupted || !Object.keys(summary.outcomes).length) break;
      }
    }
  }

  // How the watched jobs stand, asked together with the page.
  async look() {
    const open = this.jobs.filter((job) => !ENDED.includes(job.status) || this.working);
    await Promise.all(open.map(async (job) => {
      try {
        const now = await get(jobPath(job.id));
        if (now.round < job.round && this.working) return; // the new round has not begun
        Object.assign(job, { status: now.status, progress: now.progress, code: now.code });
      } catch (error) {
        if (!(error instanceof Problem) || error.status !== 404) throw error;
        job.status = "cancelled";
      }
    }));
  }
}

export function runSheet(run, close) {
  const ended = run.jobs.filter((job) => job.status === "completed").length;
  return h("section", { "data-key": "run", "aria-label": "Progress" },
    h("h2", {}, run.working ? `${run.act === "replay" ? "Replaying" : "Discarding"}…` : run.busy ? "Replayed; the jobs are being worked on" : "Done"),
    h("p", {}, h("progress", { class: "wide", max: run.matched, value: Math.min(run.done, run.matched), "aria-label": "Letters done" })),
    h("p", {}, `${count(run.done)} of ${plural(run.matched, "letter")}: ${told(run.outcomes) || "the first ones are being tried"}.`),
    run.trouble ? h("div", { class: "note bad" }, h("p", {}, prose(run.trouble))) : null,
    run.stopped.map((group, index) => h("div", { class: "note wait", "data-key": `stopped${index}` }, h("p", {}, `${group.error_code}: ${LEFT[group.reason] ?? group.reason} (${group.tried} tried). The rest of this group was left alone.`))),
    run.jobs.length ? h("table", { class: "cards" }, h("thead", {}, h("tr", {}, ["Job", "State", "Progress"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, run.jobs.map((job) => h("tr", { "data-key": job.id }, h("td", { "data-label": "Job" }, jobLink(job.id)), h("td", { "data-label": "State" }, job.status ? word(job.status) : word("queued", "waits")),
        h("td", { "data-label": "Progress" }, bar(job.status === "completed" ? 100 : job.progress, `Progress of ${job.id}`)))))) : null,
    run.jobs.length ? h("p", { class: "quiet" }, `${count(ended)} of ${count(run.jobs.length)} followed jobs completed.`) : null,
    run.busy ? null : h("button", { type: "button", onclick: close }, "Close"));
}

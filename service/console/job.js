// One job: how it stands, what can be done, and its whole story.

import { answered, at, get, jobPath, may, post, setRole, whyNot } from "./api.js";
import { action, ask, WHY } from "./ask.js";
import { h, prose, save } from "./dom.js";
import { story } from "./story.js";
import { bar, between, jobLink, span, told, when, word } from "./words.js";

const STAGES = ["loading", "rendering", "storing", "uploading", "recording"];
const SAYS = { loading: "Load the report", rendering: "Draw the PDF", storing: "Wait for the store", uploading: "Store it", recording: "Write it down" };

const TOLD = { pending: "The callback has not arrived yet.", dead: "The callback did not arrive.", not_sent: "The callback was not sent.", delivered: "The callback was delivered." };

export function open(frame) {
  const id = frame.args[0];
  let letters = { key: "", found: [], acts: [] };
  let role; // asked for once a visit

  async function load() {
    if (role === undefined) {
      role = (await get("/api/overview")).role;
      setRole(role);
    }
    const job = await get(jobPath(id));
    const log = job.priority === null ? { deliveries: [] } : await get(jobPath(id, "deliveries"));
    const key = [job.status, job.round, job.webhook?.state].join();
    if (key !== letters.key) letters = { key, ...(await deadLetters(job)) };
    return { job, deliveries: log.deliveries, ...letters };
  }

  return {
    title: id,
    every: (data) => (data && ["queued", "processing"].includes(data.job.status) ? 1000 : data?.job.webhook?.state === "pending" ? 2000 : 5000),
    load,
    draw: (data) => [heading(data.job), verdict(data), progress(data.job), acts(data, frame), facts(data),
      h("section", {}, h("h2", {}, "What happened"), story(data))],
  };
}

async function deadLetters(job) {
  if (job.status !== "failed" && job.round === 1 && job.webhook?.state !== "dead") return { found: [], acts: [] };
  const pages = await Promise.all(["open", "replayed", "discarded"].map((status) => get("/api/dead-letters", { view: "letters", job_id: job.job_id, status })));
  const found = pages.flatMap((page) => page.letters);
  const details = await Promise.all(found.slice(0, 3).map((letter) => get(`/api/dead-letters/${encodeURIComponent(letter.dead_letter_id)}`)));
  const told = new Map(details.flatMap((detail) => detail.acts).map((act) => [JSON.stringify(act), act]));
  return { found, acts: [...told.values()], newer: details[0]?.newer_completed_job ?? null };
}

const heading = (job) => h("div", {},
  h("p", { class: "quiet" }, h("a", { href: "#/jobs" }, "Jobs"), " / ", h("a", { href: `#/jobs?${new URLSearchParams({ code: job.code })}` }, job.code)),
  h("h1", { class: "mono" }, job.job_id),
  h("p", {}, word(job.status), job.round > 1 ? ` in round ${job.round}` : "", job.completed_at ? [" · ended ", when(job.completed_at, { ago: true })] : null));

function verdict({ job, deliveries, newer }) {
  const notes = [];
  if (job.error) {
    notes.push(h("div", { class: "note bad", "data-key": "error" },
      h("p", {}, h("strong", {}, prose(job.error.message ?? "The job failed.")), " ", h("a", { href: at(`/docs/problems#${encodeURIComponent(job.error.code)}`) }, h("code", {}, job.error.code))),
      h("p", {}, "What to do: ", prose(job.error.next_step)),
      newer && job.status === "failed" ? h("p", {}, "A newer job of the same report completed: ", h("a", { href: `#/jobs/${encodeURIComponent(newer)}` }, newer), ".") : null));
  }
  const last = deliveries[0];
  if (last?.hint && TOLD[last.state]) {
    const unrecorded = last.state === "pending" ? "The job's end is not recorded for good yet." : "The job's end could not be recorded for good.";
    const advice = last.url ? last.next_step : last.state === "dead" ? "Look at the overview to see whether MongoDB answers. Nobody asked for a callback, so nobody waits for one." : null;
    notes.push(h("div", { class: `note ${last.state === "pending" || last.state === "delivered" ? "wait" : "bad"}`, "data-key": "hint" },
      h("p", {}, h("strong", {}, last.url ? TOLD[last.state] : unrecorded)), h("p", {}, prose(last.hint)),
      advice ? h("p", {}, "What to do: ", prose(advice)) : null));
  }
  return notes;
}

function progress(job) {
  if (job.status === "queued") {
    return h("div", { class: "note wait", "data-key": "waits" }, h("p", {}, job.position_in_queue ? `Number ${job.position_in_queue} in the queue` : "Waits for its turn",
      job.estimated_completion ? [", likely done ", when(job.estimated_completion, { ago: true })] : null, "."));
  }
  if (job.status !== "processing") return null;
  const now = STAGES.indexOf(job.stage);
  return h("section", { "data-key": "progress", class: "sheet" },
    h("div", {}, bar(job.progress, "Progress"), ` ${job.progress} %`, job.estimated_completion ? [", likely done ", when(job.estimated_completion, { ago: true })] : null),
    h("ol", { class: "steps" }, STAGES.map((stage, index) => h("li", { class: index < now ? "past" : index === now ? "now" : "" , "aria-current": index === now ? "step" : null },
      `${index < now ? "✓ " : index === now ? "▸ " : ""}${SAYS[stage]}`))));
}

function acts({ job, deliveries }, frame) {
  const submit = { allowed: may("submit"), reason: whyNot("submit") };
  const buttons = [];
  if (job.status === "completed") buttons.push(action("Download PDF", () => frame.act(() => download(job)), { kind: "main", allowed: may("read"), reason: whyNot("read") }));
  if (["failed", "cancelled"].includes(job.status) && job.priority) buttons.push(action("Replay", () => replay(job, frame), { kind: "main", ...submit }));
  if (["queued", "processing"].includes(job.status)) buttons.push(action("Cancel job", () => cancel(job, frame), { kind: "grave", ...submit }));
  const last = deliveries[0];
  if (last?.url && ["pending", "delivered", "dead"].includes(last.state)) {
    buttons.push(action(last.state === "pending" ? "Send callback now" : "Send callback again", () => resend(last, job.job_id, frame), { allowed: may("operate"), reason: whyNot("operate") }));
  }
  return buttons.length ? h("p", { class: "row" }, buttons) : null;
}

function facts({ job, deliveries }) {
  const fact = (name, value) => (value === null || value === undefined ? null : [h("dt", {}, name), h("dd", {}, value)]);
  const link = job.google_drive_link;
  const web = /^https?:\/\//.test(link ?? "");
  return h("section", {}, h("dl", { class: "facts" },
    fact("Code", job.code), fact("Product", job.product_id), fact("Batch", job.batch_id && jobLink(job.batch_id)), fact("Priority", job.priority), fact("Submitted", when(job.created_at)),
    fact("First started", job.started_at && when(job.started_at)), fact("Took", job.completed_at && span(between(job.created_at, job.completed_at))),
    fact("Retries", job.retry_count ? String(job.retry_count) : null),
    fact("Stored at", link && (web ? h("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, link) : link)),
    fact("Callback", told(job.webhook, deliveries[0]))));
}

async function download(job) {
  const answer = await answered("GET", jobPath(job.job_id, "download"), undefined, { redirect: "manual" });
  if (answer.type === "opaqueredirect") h("a", { href: job.google_drive_link, target: "_blank", rel: "noopener noreferrer" }).click();
  else await save(answer, `${job.job_id}.pdf`);
}

async function cancel(job, frame) {
  if (!(await ask({ title: "Cancel this job?", text: "It stops at its next checkpoint, unless the PDF is being stored already. The caller is told that it was cancelled.", yes: "Cancel the job", grave: true }))) return;
  await frame.act(async () => {
    const answer = await post(jobPath(job.job_id, "cancel"));
    frame.say(answer.status === "cancelled" ? "Cancelled." : "It stops at its next checkpoint.");
  });
}

async function replay(job, frame) {
  const given = await ask({
    title: "Replay this job?", text: `It starts round ${job.round + 1} with a fresh budget, and its caller is told about the new end.`, yes: "Replay",
    fields: [WHY, { name: "callback", label: "Another callback URL (optional; a resume URL works once)", max: 2048, mode: "url" }],
  });
  if (!given) return;
  await frame.act(async () => {
    await post(jobPath(job.job_id, "replay"), Object.fromEntries(Object.entries(given).filter(([, value]) => value)));
    frame.say("A new round waits.");
  });
}

export async function resend(delivery, jobId, frame) {
  const told = delivery.state === "delivered";
  const given = await ask({
    title: "Send the callback again?", text: told ? ["The receiver took it already. It will be told a second time, with the same webhook-id."] : ["The callback is tried at once, with a fresh budget."],
    yes: "Send", grave: told, fields: [WHY, ...(told ? [{ name: "force", type: "checkbox", label: "Yes, tell the receiver twice", required: true }] : [])],
  });
  if (!given) return;
  await frame.act(async () => {
    await post(jobPath(jobId, "deliveries", delivery.delivery_id, "resend"), { force: told, ...(given.why ? { why: given.why } : {}) });
    frame.say("The callback is on its way.");
  });
}

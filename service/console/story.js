// A job's story in order of time: submitted, attempts, the end, callbacks with their answers, dead letters, operators.

import { at } from "./api.js";
import { h, prose } from "./dom.js";
import { between, jobLink, plural, span, when } from "./words.js";

const SECONDS = 1000;
const ENDED = { completed: "completed", failed: "failed", timeout: "ran out of time", returned: "gave the job back", crashed: "died", cancelled: "was cancelled" };
const ACTS = { replay: "Replayed", redeliver: "Callback sent again", discard: "Dead letter discarded", cancel: "Cancelled", resend: "Callback sent again" };

export function story(data) {
  const events = [submitted(data.job), ...data.job.attempts.flatMap(attempt(data.job)), ...data.deliveries.flatMap(callback), ...data.found.map(buried(data.deliveries.some((one) => one.url))), ...data.acts.map(done)]
    .filter((event) => event.at);
  if (data.job.completed_at) events.push(ended(data.job));
  events.sort((a, b) => a.at - b.at || a.rank - b.rank);
  events.push(...next(data));
  return h("ol", { class: "story" }, events.map((event, index) => h("li", { class: event.kind, "data-key": `${event.key}` },
    event.moment ? when(event.moment) : h("time", {}, event.label ?? ""), h("span", { class: "dot", "aria-hidden": "true" }),
    h("div", { class: "told" }, h("strong", {}, event.title), event.after ? h("span", { class: "quiet" }, ` ${event.after}`) : gap(events, index), event.more))));
}

function event(moment, rank, kind, title, more, extra = {}) {
  return { at: moment ? Date.parse(moment) : 0, moment, rank, kind, title, more, key: `${moment}-${rank}-${title}`, ...extra };
}

// How long nothing happened, where that is worth knowing.
function gap(events, index) {
  const before = events[index - 1];
  const seconds = before?.at && events[index].at ? (events[index].at - before.at) / SECONDS : 0;
  return seconds >= 1 ? h("span", { class: "quiet" }, ` after ${span(seconds)}`) : null;
}

const line = (text) => (text ? h("p", {}, Array.isArray(text) ? text : prose(text)) : null);

const submitted = (job) => event(job.created_at, 0, "", "Submitted", [
  line([job.priority ? `Priority ${job.priority}` : "", `report ${job.code}, product ${job.product_id}`].filter(Boolean).join("; ")),
  job.batch_id ? line(["in batch ", jobLink(job.batch_id)]) : null,
]);

const attempt = (job) => (one) => {
  const name = `Attempt ${one.number}${job.round > 1 ? ` (round ${one.round})` : ""}`;
  if (!one.ended_at) return [event(one.started_at, 2, "busy", `${name} started`, line("It runs now."), { key: `a${one.number}` })];
  const took = `took ${span(between(one.started_at, one.ended_at))}`;
  const good = one.outcome === "completed";
  return [event(one.ended_at, 3, good ? "good" : one.outcome === "returned" || one.outcome === "cancelled" ? "wait" : "bad", `${name} ${ENDED[one.outcome] ?? one.outcome}`,
    [line(["started ", when(one.started_at), `, ${took}`]), one.error_code ? h("p", {}, h("a", { href: at(`/docs/problems#${encodeURIComponent(one.error_code)}`) }, one.error_code)) : null], { key: `a${one.number}` })];
};

function ended(job) {
  // The attempt's own row is closed a moment later: the story tells the cause first.
  const at = Math.max(Date.parse(job.completed_at), ...job.attempts.filter((one) => one.round === job.round && one.ended_at).map((one) => Date.parse(one.ended_at)));
  const titles = { completed: "PDF stored", failed: "Job failed", cancelled: "Job cancelled" };
  const more = job.status === "completed" ? line(job.google_drive_link) : job.error ? [line(job.error.message), line(`What to do: ${job.error.next_step}`)] : null;
  return event(job.completed_at, 4, job.status === "completed" ? "good" : job.status === "failed" ? "bad" : "wait", titles[job.status] ?? `Ended: ${job.status}`, more, { key: `end${job.round}`, at });
}

function callback(delivery) {
  const posts = delivery.attempts.map((post) => {
    const answer = post.status ? `answered ${post.status}` : post.failure ? post.failure.replaceAll("_", " ") : post.outcome;
    const kind = post.outcome === "delivered" ? "good" : post.outcome === "sending" ? "busy" : "bad";
    return event(post.started_at, 6, kind, `Callback ${post.outcome === "sending" ? "being sent" : answer}`, [
      line([`try ${post.number}`, post.kind === "scheduled" ? "" : post.kind, post.outcome, post.duration_ms === null ? "" : span(post.duration_ms / SECONDS), delivery.url].filter(Boolean).join(" · ")),
      post.body_head ? h("details", { "data-key": `body${post.number}` }, h("summary", {}, "The answer's body"), h("pre", { tabindex: 0 }, post.body_head)) : null,
    ], { key: `${delivery.delivery_id}-${post.number}` });
  });
  if (delivery.state === "not_sent") posts.push(event(delivery.ended_at, 7, "wait", "Callback not sent", line(delivery.hint ?? "The resume URL was used before."), { key: `${delivery.delivery_id}-not` }));
  if (delivery.state === "recorded") posts.push(event(delivery.ended_at, 7, "good", "Recorded for good; no callback was asked for", null, { key: `${delivery.delivery_id}-rec` }));
  if (delivery.state === "superseded") posts.push(event(delivery.ended_at, 7, "wait", "Callback superseded by a newer round", null, { key: `${delivery.delivery_id}-sup` }));
  return posts;
}

const buried = (asked) => (letter) => event(letter.last_failed_at, 8, "bad", letter.kind !== "delivery" ? "Dead letter" : asked ? "Callback given up" : "Recording given up",
  [line(letter.error), line([letter.error_code, plural(letter.attempts, "attempt"), letter.status === "open" ? "open" : `${letter.status} by ${letter.resolved_by ?? "somebody"}`].join(" · "))], { key: letter.dead_letter_id });

const done = (act) => event(act.at, 1, "busy", `${ACTS[act.act] ?? act.act} by ${act.who}`, line(act.why), { key: `act${act.at}${act.act}` });

// What comes next has no moment of its own yet, or one in the future.
function next({ job, deliveries }) {
  const last = deliveries[0];
  const events = [];
  if (job.status === "queued") events.push({ key: "next", kind: "wait", label: "next", title: job.attempts.some((one) => one.round === job.round) ? "Tried again when its turn comes" : "Waits for a worker", at: 0 });
  if (last?.state === "pending") {
    events.push({ key: "next-post", kind: "wait", label: "next", at: 0, title: !last.url ? "Recorded for good; no callback was asked for" : last.tries ? "Callback is tried again" : "Callback is sent",
      after: last.next_try_at && Date.parse(last.next_try_at) > Date.now() ? `in ${span((Date.parse(last.next_try_at) - Date.now()) / SECONDS)}` : "any moment", more: line(last.hint) });
  }
  return events;
}

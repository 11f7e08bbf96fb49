// Numbers, times and states as people read them.

import { h } from "./dom.js";

const COUNT = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

export const count = (number) => COUNT.format(number ?? 0);
export const plural = (number, one, many = one + "s") => `${count(number)} ${number === 1 ? one : many}`;

export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

export const between = (from, to) => (from && to ? (Date.parse(to) - Date.parse(from)) / 1000 : null);

export function when(moment, { ago = false } = {}) {
  if (!moment) return "–";
  const date = new Date(moment);
  const today = date.toDateString() === new Date().toDateString();
  const seconds = (Date.now() - date) / 1000;
  const far = Math.abs(seconds) >= 3600;
  const text = ago && !far ? (seconds >= 0 ? `${span(Math.floor(seconds) || 1)} ago` : `in ${span(Math.ceil(-seconds))}`)
    : today ? CLOCK.format(date) : DAY.format(date);
  return h("time", { datetime: moment, title: FULL.format(date) }, text);
}

const KINDS = {
  completed: "good", delivered: "good", running: "good", replayed: "good", recorded: "good",
  failed: "bad", dead: "bad", open: "bad", timeout: "bad", crashed: "bad", down: "bad",
  processing: "busy", sending: "busy", pausing: "wait", paused: "wait", queued: "wait", pending: "wait", returned: "wait",
};
const SIGNS = { good: "✓", bad: "✕", busy: "▸", wait: "◦" };

export function word(state, text = state) {
  const kind = KINDS[state] ?? "";
  return h("span", { class: `word ${kind}` }, h("span", { "aria-hidden": "true" }, SIGNS[kind] ? `${SIGNS[kind]} ` : ""), text);
}

export function bar(percent, label) {
  return h("progress", { max: 100, value: percent, "aria-label": label });
}

export const short = (id) => (id && id.length > 18 ? `${id.slice(0, 4)}…${id.slice(-8)}` : id);
export const place = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");
// The page of a job, or of a batch: its callback may be a dead letter, too.
export const pageOf = (id) => place(id.startsWith("bat_") ? "batches" : "jobs", id);
export const jobLink = (id, text = id) => h("a", { href: pageOf(id), class: "mono" }, text);

// What became of a callback; a job that asked for none is only recorded.
export function told(webhook, last, whose = "the job") {
  if (!webhook) return "no callback asked";
  if (webhook.state === "recorded") return word("recorded", "no callback asked; recorded");
  if (last && !last.url) return ["no callback asked; ", webhook.state === "pending" ? "being recorded" : "not recorded"];
  const words = { not_due: `due when ${whose} has ended`, not_sent: "not sent", dead: "given up" };
  return [word(webhook.state, words[webhook.state] ?? webhook.state), webhook.tries ? ` after ${plural(webhook.tries, "try", "tries")}` : ""];
}

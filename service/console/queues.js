// The two queues: how much waits, who works, pause and resume.

import { get, may, post, setRole, whyNot } from "./api.js";
import { action, ask, WHY } from "./ask.js";
import { h } from "./dom.js";
import { count, plural, span, when, word } from "./words.js";

const NAMES = { pdf: "Rendering", webhooks: "Callbacks" };

export function open(frame) {
  const turn = async (queue, act) => {
    const pausing = act === "pause";
    const given = await ask({
      title: `${pausing ? "Pause" : "Resume"} ${queue.name}?`,
      text: pausing ? ["No further job of this queue starts until somebody resumes it, even after restarts. Running jobs are finished. New jobs are accepted and wait."]
        : [`${plural(queue.depth, "row")} ${queue.depth === 1 ? "waits" : "wait"} and will be worked on.`],
      yes: pausing ? "Pause" : "Resume", grave: pausing, fields: [WHY],
    });
    if (!given) return;
    await frame.act(async () => {
      await post(`/api/queues/${encodeURIComponent(queue.name)}/${act}`, given.why ? { why: given.why } : {});
      frame.say(`${queue.name}: ${pausing ? "paused" : "resumed"}.`);
    });
  };
  return {
    title: "Queues",
    every: () => 2500,
    async load() {
      const [states, overview] = await Promise.all([get("/api/queues"), get("/api/overview")]);
      setRole(overview.role);
      return states;
    },
    draw: (data) => [h("h1", {}, "Queues"), data.queues.map((queue) => sheet(queue, turn))],
  };
}

function sheet(queue, turn) {
  const reason = whyNot("operate");
  const allowed = may("operate");
  const fact = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
  return h("section", { "data-key": queue.name },
    h("div", { class: "row" }, h("h2", {}, `${NAMES[queue.name] ?? ""} (${queue.name})`), word(queue.state)),
    queue.paused ? h("div", { class: "note wait" }, h("p", {}, `Paused by ${queue.paused.by} `, when(queue.paused.since, { ago: true }), `: ${queue.paused.reason}`)) : null,
    queue.outages.map((outage) => h("div", { class: "note bad", "data-key": outage.scope },
      h("p", {}, h("code", {}, outage.scope), ` ${outage.reason} Since `, when(outage.since, { ago: true }), outage.until ? ["; asked again ", when(outage.until, { ago: true })] : null, "."))),
    h("dl", { class: "facts" },
      fact("Waiting", `${count(queue.depth)}${queue.depth ? `, oldest ${span(queue.oldest_age)}` : ""}`),
      fact("Due now", `${count(queue.due)}, of which ${count(queue.published)} in the broker`),
      fact("Being worked on", count(queue.processing)),
      fact("Workers", `${plural(queue.workers, "process", "processes")}, ${plural(queue.consumers, "thread")}`),
      fact("Dead letters", queue.dead_letters ? h("a", { href: `#/dead-letters?queue=${queue.name}` }, count(queue.dead_letters)) : "none")),
    queue.paused ? action("Resume", () => turn(queue, "resume"), { allowed, reason, kind: "main" }) : action("Pause", () => turn(queue, "pause"), { allowed, reason, kind: "grave" }));
}

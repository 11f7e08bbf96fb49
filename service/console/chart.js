// Small charts in SVG: bars of the last hour, and lines of what was seen since the page was opened.

import { h, svg } from "./dom.js";
import { count } from "./words.js";

const WIDTH = 600;
const HEIGHT = 100;

export function bars(minutes) {
  const most = Math.max(4, ...minutes.map((m) => Math.max(m.submitted, m.completed + m.failed + m.cancelled)));
  const step = WIDTH / minutes.length;
  const y = (value) => (value / most) * (HEIGHT - 4);
  const shapes = minutes.flatMap((minute, index) => {
    let base = HEIGHT;
    return ["completed", "failed", "cancelled"].filter((kind) => minute[kind]).map((kind) => {
      const tall = Math.max(1.5, y(minute[kind]));
      base -= tall;
      return svg("rect", { class: kind, x: (index * step + 1).toFixed(1), y: base.toFixed(1), width: (step - 2).toFixed(1), height: tall.toFixed(1) });
    });
  });
  const came = minutes.map((minute, index) => `${((index + 0.5) * step).toFixed(1)},${(HEIGHT - 1 - y(minute.submitted)).toFixed(1)}`);
  const total = (kind) => minutes.reduce((sum, minute) => sum + minute[kind], 0);
  const told = `Last 60 minutes: ${count(total("submitted"))} submitted, ${count(total("completed"))} completed, ${count(total("failed"))} failed, ${count(total("cancelled"))} cancelled; at most ${count(most)} a minute.`;
  return [
    svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": told },
      svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }), shapes,
      svg("polyline", { class: "came", points: came.join(" ") })),
    h("div", { class: "legend" }, h("span", {}, "60 min ago"), h("span", {}, `scale: ${count(most)} a minute`), h("span", {}, "now")),
    h("div", { class: "legend" },
      h("span", { class: "swatch came" }, `${count(total("submitted"))} submitted`), h("span", { class: "swatch completed" }, `${count(total("completed"))} completed`),
      h("span", { class: "swatch failed" }, `${count(total("failed"))} failed`), h("span", { class: "swatch cancelled" }, `${count(total("cancelled"))} cancelled`)),
  ];
}

// `seen` is [{at, high, normal, low}], milliseconds and jobs.
export function trends(seen, kinds) {
  const most = Math.max(4, ...seen.flatMap((point) => kinds.map((kind) => point[kind])));
  const first = seen[0]?.at ?? 0;
  const wide = Math.max(60_000, (seen.at(-1)?.at ?? 0) - first);
  const points = (kind) => seen.map((p) => `${(((p.at - first) / wide) * WIDTH).toFixed(1)},${(HEIGHT - 3 - (p[kind] / most) * (HEIGHT - 8)).toFixed(1)}`);
  const last = seen.at(-1) ?? {};
  return [
    svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
      "aria-label": `Waiting now: ${kinds.map((kind) => `${kind} ${count(last[kind])}`).join(", ")}.` },
    svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
    kinds.map((kind) => svg("polyline", { class: `trend ${kind}`, points: points(kind).join(" ") }))),
    h("div", { class: "legend" }, h("span", {}, "since you opened this page"), h("span", {}, `scale: ${count(most)} waiting`)),
    h("div", { class: "legend" }, kinds.map((kind) => h("span", { class: `swatch ${kind}` }, `${kind} ${count(last[kind])}`))),
  ];
}

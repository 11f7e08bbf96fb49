// Dead letters: grouped by what they died of, or one by one; chosen, tried dry, replayed or discarded.

import { get, may, post, setRole, whyNot } from "./api.js";
import { action, pager } from "./ask.js";
import { h, prose } from "./dom.js";
import { Run, runSheet } from "./replay.js";
import { count, jobLink, plural, when, word } from "./words.js";

const FILTERS = ["status", "queue", "error", "code", "product_id", "job_id", "fingerprint", "since"];

export function open(frame) {
  const chosen = Object.fromEntries(FILTERS.map((name) => [name, frame.query.get(name) ?? ""]));
  let single = frame.query.get("view") === "letters" || Boolean(chosen.fingerprint || chosen.job_id);
  const picked = new Map(); // fingerprint or letter id → what was shown of it
  const pages = pager(() => {
    picked.clear();
    frame.refresh();
  });
  let run = null;

  const remember = () => frame.replaceQuery(String(new URLSearchParams([...Object.entries(chosen), ["view", single ? "letters" : ""]].filter(([, value]) => value))));
  const show = (changes = {}) => {
    Object.assign(chosen, changes);
    pages.first();
    picked.clear();
    remember();
    frame.refresh();
  };
  const view = (letters, changes) => {
    single = letters;
    show(changes);
  };

  // What is meant by "selected" or "all that match", as bodies for the API.
  function requests(onlyPicked) {
    const { status: _, product_id: productId, job_id: jobId, ...rest } = chosen;
    const filter = Object.fromEntries(Object.entries({ ...rest, productId, job_ids: jobId ? [jobId] : "" }).filter(([, value]) => value));
    if (!onlyPicked) return [{ filter }];
    if (single) return [{ ids: [...picked.keys()] }];
    return [...picked.keys()].map((fingerprint) => ({ filter: { ...filter, fingerprint } }));
  }

  async function begin(act, onlyPicked) {
    const meant = requests(onlyPicked);
    const query = { ...chosen, status: "open", view: "letters" };
    const sample = single && onlyPicked ? [...picked.values()]
      : (await Promise.all(meant.slice(0, 4).map((one) => get("/api/dead-letters", { ...query, fingerprint: one.filter.fingerprint ?? chosen.fingerprint })))).flatMap((page) => page.letters);
    const made = await Run.prepare(act, meant, sample, frame);
    if (!made) return;
    run = made;
    picked.clear();
    await run.go(frame);
  }

  return {
    title: "Dead letters",
    every: () => (run?.busy ? 1000 : 5000),
    async load() {
      const query = { ...chosen, since: chosen.since, view: single ? "letters" : "groups", cursor: single ? pages.cursor() : "" };
      const [found, overview] = await Promise.all([get("/api/dead-letters", query), get("/api/overview"), run?.look()]);
      setRole(overview.role);
      return found;
    },
    draw(found) {
      const allowed = { allowed: may("operate"), reason: whyNot("operate") };
      const open = (chosen.status || "open") === "open";
      const items = single ? found.letters : found.groups;
      const pick = (key, item, on) => {
        if (on) picked.set(key, item);
        else picked.delete(key);
        frame.redraw();
      };
      const meant = [...picked.values()].reduce((sum, item) => sum + (item.count ?? 1), 0);
      const button = (text, act, onlyPicked, kind) => action(text, () => frame.act(() => begin(act, onlyPicked)), { ...allowed, kind, disabled: run?.working });
      return [
        h("h1", {}, "Dead letters"), filters(chosen, single, show, view),
        run ? runSheet(run, () => { run = null; frame.redraw(); }) : null,
        h("section", { "data-key": single ? "letters" : "groups" },
          h("h2", {}, single ? `${count(items.length)}${found.next_cursor ? "+" : ""} ${items.length === 1 ? "letter" : "letters"}` : `${plural(found.total, "letter")} in ${plural(items.length, "group")}`),
          items.length ? (single ? lettersTable : groupsTable)(items, picked, pick, (fingerprint) => view(true, { fingerprint }), open)
            : h("p", { class: "empty" }, open ? "There are no open dead letters." : "None."),
          h("div", { class: "row" }, pages.buttons(single && found.next_cursor)),
          open && items.length ? h("div", { class: "bar row" },
            picked.size ? [button(`Replay ${plural(meant, "letter")}…`, "replay", true, "main"), button("Discard…", "discard", true, "grave"), h("span", { class: "quiet" }, "selected")]
              : [button("Replay all that match…", "replay", false, ""), h("span", { class: "quiet" }, "or select some. A dry run comes first.")]) : null),
      ];
    },
  };
}

function filters(chosen, single, show, view) {
  const choice = (label, name, options) => h("label", {}, label, h("select", { onchange: (event) => show({ [name]: event.target.value }) },
    options.map(([value, text]) => h("option", { value, selected: value === chosen[name] }, text))));
  const text = (label, name) => h("label", {}, label, h("input", { value: chosen[name], maxlength: 255, autocomplete: "off", spellcheck: "false", onchange: (event) => show({ [name]: event.target.value.trim() }) }));
  return h("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
    choice("State", "status", [["", "open"], ["replayed", "replayed"], ["discarded", "discarded"]]),
    choice("Queue", "queue", [["", "any"], ["pdf", "pdf"], ["webhooks", "webhooks"]]),
    choice("Since", "since", [["", "ever"], ["15m", "15 minutes"], ["1h", "an hour"], ["24h", "a day"], ["7d", "a week"]]),
    text("Error code", "error"), text("Report code", "code"),
    h("button", { type: "button", onclick: () => view(!single, { fingerprint: "", job_id: "" }) }, single ? "Show groups" : "Show letters"));
}

function groupsTable(groups, picked, pick, look, open) {
  return h("table", { class: "cards" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "hidden" }, "Select")), ["Letters", "Died of", "Newest example", "What to do", "Last", "First seen"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, groups.map((group) => h("tr", { "data-key": group.fingerprint },
      h("td", {}, open ? tick(`Select the group ${group.error_code}`, picked.has(group.fingerprint), (on) => pick(group.fingerprint, group, on)) : null),
      h("td", { "data-label": "Letters" }, h("button", { type: "button", class: "plain", onclick: () => look(group.fingerprint) }, count(group.count))),
      h("td", { "data-label": "Died of" }, h("code", {}, group.error_code)),
      h("td", { class: "long", "data-label": "Newest example" }, h("span", {}, prose(group.example.error), group.example.job_id ? h("span", { class: "quiet" }, " ", jobLink(group.example.job_id, group.example.code ?? group.example.job_id)) : null)),
      h("td", { class: "long", "data-label": "What to do" }, h("span", {}, prose(group.next_step))),
      h("td", { "data-label": "Last" }, when(group.last_at, { ago: true })),
      h("td", { "data-label": "First seen" }, h("span", {}, when(group.appeared_at, { ago: true }), group.appeared_in_version ? h("span", { class: "quiet" }, ` in ${group.appeared_in_version}`) : null))))));
}

function lettersTable(letters, picked, pick, _look, open) {
  const all = letters.every((letter) => picked.has(letter.dead_letter_id));
  return h("table", { class: "cards" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, open ? tick("Select all shown", all, (on) => letters.forEach((letter) => pick(letter.dead_letter_id, letter, on))) : null),
      ["Job", "State", "Died of", "Report", "Died"].map((name) => h("th", { scope: "col" }, name)), h("th", { scope: "col", class: "number" }, "Attempts"))),
    h("tbody", {}, letters.map((letter) => h("tr", { "data-key": letter.dead_letter_id },
      h("td", {}, open ? tick(`Select ${letter.job_id ?? letter.dead_letter_id}`, picked.has(letter.dead_letter_id), (on) => pick(letter.dead_letter_id, letter, on)) : null),
      h("td", { "data-label": "Job" }, letter.job_id ? jobLink(letter.job_id) : h("code", {}, letter.dead_letter_id)),
      h("td", { "data-label": "State" }, h("span", {}, word(letter.status), letter.resolved_by ? ` by ${letter.resolved_by}` : "")),
      h("td", { class: "long", "data-label": "Died of" }, h("span", {}, h("code", {}, letter.error_code), " ", prose(letter.error))),
      h("td", { class: "free", "data-label": "Report" }, h("span", {}, [letter.code, letter.product_id].filter(Boolean).join(" · ") || "–")),
      h("td", { "data-label": "Died" }, when(letter.last_failed_at, { ago: true })),
      h("td", { class: "number", "data-label": "Attempts" }, h("span", {}, count(letter.attempts)))))));
}

const tick = (label, on, change) => h("input", { type: "checkbox", "aria-label": label, checked: on, onchange: (event) => change(event.target.checked) });

// One dialog for everything that asks: what will happen, an optional reason for the audit, yes or no.

import { h } from "./dom.js";

const dialog = document.getElementById("dialog");

// Resolves to the values of `fields`, or null when the person thinks better of it.
export function ask({ title, text, yes, grave = false, fields = [], no = "Back" }) {
  return new Promise((resolve) => {
    const inputs = fields.map((field) => ({
      field,
      input: h("input", { type: field.type ?? "text", maxlength: field.max ?? 500, placeholder: field.hint, autocomplete: "off",
        required: field.required, spellcheck: "false", inputmode: field.mode }),
    }));
    let result = null;
    const form = h("form", { method: "dialog", onsubmit: (event) => {
      event.preventDefault();
      result = Object.fromEntries(inputs.map(({ field, input }) => [field.name, field.type === "checkbox" ? input.checked : input.value.trim()]));
      dialog.close();
    } },
    h("h2", { id: "dialog-title" }, title),
    [text].flat().map((line) => h("p", {}, line)),
    inputs.map(({ field, input }) => field.type === "checkbox" ? h("label", { class: "tick" }, input, field.label) : h("label", {}, field.label, input)),
    h("div", { class: "row" },
      h("button", { type: "button", onclick: () => dialog.close() }, no),
      h("button", { type: "submit", class: grave ? "grave" : "main" }, yes)));
    dialog.replaceChildren(form);
    dialog.onclose = () => resolve(result);
    if (dialog.open) dialog.close();
    dialog.showModal();
    (inputs[0]?.input ?? form.querySelector("button[type=submit]")).focus();
  });
}

// Pages of a list, by the cursors of those before.
export function pager(refresh) {
  const past = [];
  let here = "";
  const turn = (to) => {
    here = to;
    refresh();
  };
  return {
    cursor: () => here,
    first: () => { past.length = 0; here = ""; },
    buttons: (next, newer = "Newer", older = "Older") => [
      past.length ? h("button", { type: "button", onclick: () => turn(past.pop()) }, newer) : null,
      next ? h("button", { type: "button", onclick: () => { past.push(here); turn(next); } }, older) : null,
    ],
  };
}

export const WHY = { name: "why", label: "Why? (optional, kept in the audit)", max: 500 };

export async function askKey(again) {
  const given = await ask({
    title: again ? "That key is not accepted" : "A key is needed",
    text: "Paste an API key. It stays in this tab and is forgotten when the tab is closed.",
    yes: "Use this key", no: "Not now", fields: [{ name: "key", label: "API key", type: "password", required: true }],
  });
  return given?.key || null;
}

// A button that is disabled, with the reason, for those who may not.
export function action(text, onclick, { allowed = true, reason = "", kind = "", disabled = false } = {}) {
  return h("button", { type: "button", class: kind, onclick: allowed ? onclick : undefined, disabled: disabled || !allowed,
    title: allowed ? undefined : reason }, text, allowed ? null : h("span", { class: "hidden" }, `: ${reason}`));
}

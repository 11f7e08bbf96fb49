// Elements are made from text alone: nothing that a person typed is ever read as markup.

const HANDLERS = ["onclick", "onchange", "oninput", "onsubmit", "ontoggle"];
const SVG = "http://www.w3.org/2000/svg";

function made(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (HANDLERS.includes(name)) element[name] = value;
    else if (name === "class") element.setAttribute("class", value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export const h = (tag, props, ...children) => made(document.createElement(tag), props, children);
export const svg = (tag, props, ...children) => made(document.createElementNS(SVG, tag), props, children);

// A sentence in which `code` stands between backticks, as text and elements; whoever wrote it, it is never markup.
export const prose = (text) => String(text ?? "").split(/`([^`]+)`/).map((part, index) => (index % 2 ? h("code", {}, part) : part));

// Hand a file that the API has answered to the browser.
export async function save(answer, name) {
  const link = h("a", { href: URL.createObjectURL(await answer.blob()), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Make `old` look like `fresh` by changing only what differs: focus, scroll and open details stay where they are.
export function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || key(old) !== key(fresh)) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  const keepsOpen = old.nodeName === "DETAILS";
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(keepsOpen && name === "open")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const name of HANDLERS) old[name] = fresh[name];
  if (old.nodeName === "INPUT" && old.type === "checkbox") old.checked = fresh.hasAttribute("checked");
  if (old.nodeName === "SELECT") return;
  morphChildren(old, [...fresh.childNodes]);
}

export function morphChildren(parent, fresh) {
  const keyed = new Map([...parent.childNodes].filter(key).map((node) => [key(node), node]));
  fresh.forEach((node, index) => {
    const same = key(node) && keyed.get(key(node));
    let place = parent.childNodes[index];
    if (same && same !== place) {
      parent.insertBefore(same, place ?? null);
      place = same;
    }
    if (!place) parent.append(node);
    else morph(place, node);
  });
  while (parent.childNodes.length > fresh.length) parent.lastChild.remove();
}

const key = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);

// Calls of the API. Where keys are needed one is asked for once and kept until the tab closes.

const STORE = "reportq-key";
const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, ""); // where this service is shown, perhaps below another's root
let asking = null;
let declined = false; // "Not now" holds until the person does something: the pages ask the API every few seconds
let askForKey = async () => null;

export const at = (path) => ROOT + path;
export const setKeyPrompt = (prompt) => { askForKey = prompt; };
export const forgetKey = () => sessionStorage.removeItem(STORE);
export const askAgain = () => { declined = false; };
export const hasKey = () => sessionStorage.getItem(STORE) !== null;

export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || (status ? `The API answered ${status}.` : "The API does not answer."));
    this.status = status;
    this.code = body?.code ?? (status ? "internal_error" : "unreachable");
    this.nextStep = body?.next_step ?? "";
    this.requestId = body?.request_id ?? "";
  }
}

export async function call(method, path, body) {
  return (await answered(method, path, body)).json();
}

export async function answered(method, path, body, options = {}) {
  for (;;) {
    const key = sessionStorage.getItem(STORE);
    const headers = key ? { "X-API-Key": key } : {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(at(path), {
        method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store", credentials: "omit", ...options,
      });
    } catch {
      throw new Problem(0, null);
    }
    if (answer.ok || answer.type === "opaqueredirect") return answer;
    const problem = new Problem(answer.status, await answer.json().catch(() => null));
    if (answer.status !== 401) throw problem;
    if (sessionStorage.getItem(STORE) !== key) continue; // another call was given one meanwhile
    if (declined) throw problem;
    asking ??= askForKey(key !== null).finally(() => { asking = null; });
    const given = await asking;
    if (!given) {
      declined = true;
      throw problem;
    }
    sessionStorage.setItem(STORE, given);
  }
}

export const get = (path, query = {}) => {
  const chosen = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== null));
  return call("GET", chosen.size ? `${path}?${chosen}` : path);
};
export const post = (path, body = {}) => call("POST", path, body);
export const jobPath = (id, ...more) => ["/api/jobs", id, ...more].map((part, i) => (i ? encodeURIComponent(part) : part)).join("/");

// What the key may do. Without keys everything.
const ROLES = ["read", "submit", "operate"];
let role = null;
export const setRole = (given) => { role = given; };
export const may = (needed) => role === null || ROLES.indexOf(role) >= ROLES.indexOf(needed);
export const whyNot = (needed) => `Needs a key with the role ${needed}; yours has ${role}.`;

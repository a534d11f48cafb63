// The API beside these pages: where it is, and one request to it.

// The parent of the pages is the API's mount, or the API itself where they are below /v1/.
const pages = new URL("..", import.meta.url);
export const mount = pages.pathname.endsWith("/v1/ui/") ? new URL("../../", pages) : new URL("../", pages);
const api = new URL("v1/", mount);

// A key is known to this tab alone, and to no page of another mount.
const place = `postern.key:${mount.pathname}`;
let key = sessionStorage.getItem(place) ?? "";

export const hasKey = () => key !== "";
// Not a token, whose subject is no key's name.
export const isKey = () => key !== "" && key.split(".").length !== 3;
export function setKey(text) {
  key = text;
  if (text) sessionStorage.setItem(place, text);
  else sessionStorage.removeItem(place);
}

// A request that was refused, or that nobody answered: `away`.
export class ApiError extends Error {
  constructor(message, { status = 0, reason = "", field = "" } = {}) {
    super(message);
    Object.assign(this, { status, reason, field });
  }
  get away() {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

let onRefusedKey = () => {};
// Calls `listener` with the error when the credential is refused.
export function whenKeyIsRefused(listener) {
  onRefusedKey = listener;
}

// `path` is below /v1/, as a list of its segments. Answers with the body's JSON; null: it has none.
export async function ask(method, path, { query = {}, body, signal, as = key } = {}) {
  const url = new URL(path.map(encodeURIComponent).join("/"), api);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const headers = { "Postern-Dialect": "native" };  // tasks of other dialects, too, come in the native form
  if (as) headers.Authorization = `Bearer ${as}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let reply;
  try {
    reply = await fetch(url, {
      method, headers, signal, cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new ApiError("The API does not answer. Is nginx running, and is this machine on the network?");
  }
  const text = await reply.text();
  const another = () => new ApiError(`Something else than the API answers at ${url.pathname}.`, { status: reply.ok ? 0 : reply.status });
  let answer = null;
  try {
    answer = text === "" ? null : JSON.parse(text);
  } catch {
    throw another();
  }
  if (reply.ok && answer === null && method === "GET") throw another();
  if (reply.ok) return answer;
  const { message, details } = answer?.error ?? {};
  const error = new ApiError(message ?? `The API answered ${reply.status}.`,
    { status: reply.status, reason: details?.reason, field: details?.field });
  if (reply.status === 401) onRefusedKey(error);
  throw error;
}

export const get = (path, options) => ask("GET", path, options);
export const post = (path, body, options) => ask("POST", path, { body, ...options });

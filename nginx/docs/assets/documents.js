// The documents for both pages: those of documents.json that this server has, since a vhost may speak one dialect only.
// Paths are relative to the parent of /docs or /v1/docs, wherever that is mounted. A site may answer paths that it does not
// have with a page of its own, so what is no JSON is no document.
const mount = new URL(new URL(import.meta.url).pathname.endsWith("/v1/docs/documents.js") ? "../../" : "../", import.meta.url);
const answer = await fetch(new URL("documents.json", import.meta.url));
const listed = (await answer.json()).map((each) => ({ ...each, url: new URL(each.path, mount).href }));
const found = await Promise.all(listed.map((each) => fetch(each.url, { method: "HEAD" })));

const isJson = (reply) => (reply.headers.get("Content-Type") ?? "").startsWith("application/json");

export const documents = listed.filter((_, at) => found[at].ok && isJson(found[at]));

// The document that `?dialect=` names, else the first.
const dialect = new URLSearchParams(location.search).get("dialect");
export const chosen = documents.find((each) => each.dialect === dialect) ?? documents[0];

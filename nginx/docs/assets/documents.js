// The documents for both pages: those of documents.json that this server has, since a vhost may speak one dialect only.
// Paths are relative to the parent of /docs, wherever that is mounted.
const answer = await fetch(new URL("documents.json", import.meta.url));
const listed = (await answer.json()).map((each) => ({ ...each, url: new URL(`../${each.path}`, import.meta.url).href }));
const found = await Promise.all(listed.map((each) => fetch(each.url, { method: "HEAD" })));

export const documents = listed.filter((_, at) => found[at].ok);

// The document that `?dialect=` names, else the first.
const dialect = new URLSearchParams(location.search).get("dialect");
export const chosen = documents.find((each) => each.dialect === dialect) ?? documents[0];

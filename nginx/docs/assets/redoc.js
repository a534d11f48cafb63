// ReDoc with a link to each document. Its search is off, because it needs a worker from a blob: URL, which the
// Content-Security-Policy forbids.
import { chosen, documents } from "./documents.js";

const nav = document.getElementById("documents");
for (const each of documents) {
  const link = document.createElement("a");
  link.href = `?dialect=${each.dialect}`;
  link.textContent = each.name;
  if (each === chosen) link.setAttribute("aria-current", "page");
  nav.append(link);
}

Redoc.init(chosen.url, { disableSearch: true, scrollYOffset: "nav" }, document.getElementById("page"));

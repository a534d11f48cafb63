// The bar at the top of both pages, the same as the dashboard's: it leads there, to the other page, and to each document.
import { chosen, documents } from "./documents.js";

function link(text, href, isCurrent) {
  const made = document.createElement("a");
  made.href = href;
  made.textContent = text;
  if (isCurrent) made.setAttribute("aria-current", "page");
  return made;
}

function list(label, ...links) {
  const made = document.createElement("nav");
  made.setAttribute("aria-label", label);
  made.append(...links);
  return made;
}

// `page`: "docs" or "redoc". Addresses are relative, so they are right wherever the pages are.
export function addFrame(page) {
  const of = chosen ? `?dialect=${chosen.dialect}` : "";
  const bar = document.createElement("header");
  bar.className = "bar";
  const brand = link("", "ui/");
  brand.className = "brand";
  const icon = document.createElement("img");
  icon.src = "docs/icon.svg";
  icon.alt = "";
  brand.append(icon, "Postern");
  const end = list("APIs", ...documents.map((each) => link(each.name, `?dialect=${each.dialect}`, each === chosen)));
  end.classList.add("end");
  bar.append(brand, list("Pages", link("Dashboard", "ui/"), link("Try it", `docs${of}`, page === "docs"), link("Read it", `redoc${of}`, page === "redoc")), end);
  document.body.prepend(bar);
}

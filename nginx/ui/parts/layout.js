// The parts that all screens are made of.
import { html, useEffect, useRef } from "../js/html.js";
import { dateTime, relative } from "../js/format.js";

// The screen's title, which takes the focus when the screen is opened, so that it is read out.
export function Head({ title, what, mono, children }) {
  const heading = useRef(null);
  useEffect(() => {
    document.title = `${title} · Postern`;
    heading.current.focus({ preventScroll: true });
  }, [title]);
  return html`<div class="head">
    <div class="title"><h1 tabindex="-1" ref=${heading} class=${mono ? "mono" : ""}>${title}</h1>${what && html`<p class="what">${what}</p>`}</div>
    <div class="end">${children}</div>
  </div>`;
}

export const Sheet = ({ title, end, plain, children }) => html`
  <section class="sheet">
    <header><h2>${title}</h2><div class="end">${end}</div></header>
    ${plain ? children : html`<div class="inside">${children}</div>`}
  </section>`;

// `columns`: {title, number?, long?, cell(row)}; the one at `heads`, the first, is what the row is about.
export const Table = ({ caption, columns, rows, id, heads = 0 }) => html`
  <div class="table" tabindex="0" role="region" aria-label=${caption}>
    <table>
      <caption class="hidden-text">${caption}</caption>
      <thead><tr>${columns.map((each) => html`
        <th scope="col" class=${each.number ? "number" : each.actions ? "actions" : ""}>${each.title || html`<span class="hidden-text">Actions</span>`}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${id(row)}>${columns.map((each, at) => {
        const kind = [each.number && "number", each.long && "long", each.actions && "actions"].filter(Boolean).join(" ");
        return at === heads ? html`<th scope="row" class=${kind}>${each.cell(row)}</th>` : html`<td class=${kind}>${each.cell(row)}</td>`;
      })}</tr>`)}</tbody>
    </table>
  </div>`;

export const Figures = ({ of }) => html`
  <dl class="figures">${of.map(({ name, value, unit, mood }) => html`
    <div class=${mood ?? ""}><dt>${name}</dt><dd>${value}${unit && html` <small>${unit}</small>`}</dd></div>`)}</dl>`;

// Pairs whose value is undefined are left out.
export const Pairs = ({ of }) => html`
  <dl class="pairs">${of.filter(([, value]) => value !== undefined && value !== null && value !== false)
    .map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;

export const When = ({ at }) => (at ? html`<time dateTime=${at} title=${dateTime(at)} class="nowrap">${relative(at)}</time>` : html`<span>–</span>`);
export const Exactly = ({ at }) => (at ? html`<time dateTime=${at}>${dateTime(at)}</time> <span class="quiet nowrap">(${relative(at)})</span>` : html`<span>–</span>`);

// A URL that breaks between its parts before it breaks within one.
export const Address = ({ text }) => text.split(/(?<=[/?&=])/).map((part) => html`${part}<wbr />`);

// Text whose `commands` stand between backticks.
export const Prose = ({ text }) => (text ?? "").split("`").map((part, at) => (at % 2 === 1 ? html`<code>${part}</code>` : part));

const moods = {
  completed: "good", success: "good", ok: "good", closed: "good", up: "good", active: "busy", failed: "bad", wrong: "bad",
  open: "bad", down: "bad", lost: "warn", warning: "warn", throttled: "warn", half_open: "warn", paused: "warn",
  revoked: "bad", expired: "warn",
};
export const Pill = ({ children, mood }) => html`<span class=${`pill ${mood ?? moods[children] ?? ""}`}>${String(children).replaceAll("_", " ")}</span>`;

export const Field = ({ label, hint, wrong, children }) => html`
  <label class="field"><span>${label}</span>${children}${(wrong || hint) && html`<small class=${wrong ? "wrong" : ""}>${wrong || hint}</small>`}</label>`;

// What a screen says while it has nothing to show.
import { html } from "../js/html.js";
import { clockTime } from "../js/format.js";
import { Head } from "./layout.js";

export const Loading = () => html`
  <div class="state" role="status"><span class="waiting"></span><span class="hidden-text">Loading</span></div>`;

export const Empty = ({ title, children }) => html`<div class="state"><h2>${title}</h2>${children}</div>`;

export const NoPermission = ({ role, needs }) => html`
  <${Head} title="Not with this role" />
  <div class="sheet"><div class="state">
    <p>You are signed in with the role <b>${role}</b>; this screen is for ${needs}.</p>
  </div></div>`;

// Why what is shown is not newer, or why there is nothing. `at`: when it was.
export function Trouble({ error, at, onRetry }) {
  if (!error) return null;
  return html`<div class=${`note ${error.away ? "warn" : "bad"}`} role="alert">
    <p>${error.message} ${at ? `Below is what was known at ${clockTime(at)}.` : ""}</p>
    ${onRetry && html`<button class="small end" onClick=${onRetry}>Try again</button>`}
  </div>`;
}

// `children` is a function of the polled data: called once there are any. `head`: the screen's title while there are none and
// none are to be had, where it is `children` that has it.
export function Loaded({ of, head, children }) {
  return html`
    ${of.data === null && of.error && head}
    <${Trouble} error=${of.error} at=${of.at} onRetry=${of.reload} />
    ${of.data === null ? !of.error && html`<div class="sheet"><${Loading} /></div>` : children(of.data)}`;
}

// Copies a text; where the browser allows none (plain http to another machine), it is shown to be selected.
import { html, useState } from "../js/html.js";
import { Dialog } from "./dialog.js";
import { tell } from "./toasts.js";

export function Copy({ label = "Copy", text, small }) {
  const [shown, setShown] = useState(null);
  async function copy() {
    const wanted = typeof text === "function" ? text() : text;
    try {
      await navigator.clipboard.writeText(wanted);
      tell("Copied.");
    } catch {
      setShown(wanted);
    }
  }
  return html`<button type="button" class=${small ? "small" : ""} onClick=${copy}>${label}</button>
    ${shown !== null && html`<${Dialog} title=${label} onClose=${() => setShown(null)}><pre tabindex="0">${shown}</pre><//>`}`;
}

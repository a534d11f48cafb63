// Questions before something is done. The browser's own dialog keeps the focus inside, and Escape closes it.
import { html, useEffect, useId, useRef, useState } from "../js/html.js";
import { tell } from "./toasts.js";

// `act` does it when the answer is yes: what it throws is shown, and the dialog stays. `yes` is the button's text.
// `canAct` false: only closing is possible.
export function Dialog({ title, yes, danger, act, canAct = true, onClose, children }) {
  const dialog = useRef(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const heading = useId();
  useEffect(() => {
    dialog.current.showModal();
  }, []);

  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await act();
      dialog.current?.close();
    } catch (fault) {
      setError(fault);
    }
    setBusy(false);
  }

  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby=${heading}>
    <form onSubmit=${submit}>
      <h2 id=${heading}>${title}</h2>
      ${children}
      ${error && html`<div class="note bad" role="alert"><p>${error.message}</p></div>`}
      <div class="answers">
        <button type="button" onClick=${() => dialog.current.close()}>${act ? "Back" : "Close"}</button>
        ${act && html`<button class=${`main ${danger ? "danger" : ""}`} disabled=${busy || !canAct}>${busy ? "Working …" : yes}</button>`}
      </div>
    </form>
  </dialog>`;
}

// A button that opens a dialog: `dialog(close)` is its element.
export function Asking({ label, small, danger, main, disabled, dialog }) {
  const [open, setOpen] = useState(false);
  const kind = [small && "small", danger && "danger", main && "main"].filter(Boolean).join(" ");
  return html`<button class=${kind} disabled=${disabled} onClick=${() => setOpen(true)}>${label}</button>
    ${open && dialog(() => setOpen(false))}`;
}

// A button that acts at once; `done` is what is told then.
export function Acting({ label, small, danger, act, done, after }) {
  const [busy, setBusy] = useState(false);
  async function click() {
    setBusy(true);
    try {
      const answer = await act();
      tell(typeof done === "function" ? done(answer) : done);
      after?.(answer);
    } catch (error) {
      tell(error.message, "bad");
    }
    setBusy(false);
  }
  const kind = [small && "small", danger && "danger"].filter(Boolean).join(" ");
  return html`<button class=${kind} disabled=${busy} onClick=${click}>${label}</button>`;
}

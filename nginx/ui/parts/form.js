// Dialogs with fields. What the API refuses is said at the field that it names.
import { html, useState } from "../js/html.js";
import { Dialog } from "./dialog.js";
import { Field } from "./layout.js";
import { tell } from "./toasts.js";

// `fields`: {name, label, hint?, kind?: "text" (default) | "number" | "check" | "choice" | "area" | "time", choices?, required?, value},
// or {kind: "shown", show(values)}: what is shown between them.
// `send(values, changed)` does it: all values as texts or booleans, and the names of those that differ from what was there.
export function FormDialog({ title, yes, fields, send, done, onClose, after, children }) {
  // What was there when the dialog was opened, whatever is polled meanwhile.
  const [initial] = useState(() => Object.fromEntries(fields.filter(({ kind }) => kind !== "shown")
    .map(({ name, value, kind }) => [name, value ?? (kind === "check" ? false : "")])));
  const [values, setValues] = useState(initial);
  const [wrong, setWrong] = useState({});
  const set = (name, value) => setValues((before) => ({ ...before, [name]: value }));
  async function act() {
    setWrong({});
    try {
      const answer = await send(values, Object.keys(values).filter((name) => values[name] !== initial[name]));
      if (done) tell(done);
      after?.(answer);
    } catch (error) {
      const field = fields.find(({ name }) => name && (error.field === name || error.field?.startsWith(`${name}.`)));
      if (field) setWrong({ [field.name]: error.message });
      throw error;
    }
  }
  return html`<${Dialog} title=${title} yes=${yes} act=${act} onClose=${onClose}>
    <div class="form">${fields.map((each) => (each.kind === "shown" ? each.show(values) : each.kind === "check"
      ? html`<label class="check"><input type="checkbox" checked=${values[each.name]} onChange=${(event) => set(each.name, event.target.checked)} />${each.label}</label>`
      : html`<${Field} label=${each.label} hint=${each.hint} wrong=${wrong[each.name]}><${Input} of=${each} value=${values[each.name]} onValue=${(value) => set(each.name, value)} /><//>`))}
      ${children}
    </div>
  <//>`;
}

function Input({ of: { name, kind = "text", choices, required }, value, onValue }) {
  const changed = (event) => onValue(event.target.value);
  if (kind === "choice") {
    return html`<select name=${name} value=${value} onChange=${changed}>${choices.map((each) => html`<option value=${each} selected=${each === value}>${each}</option>`)}</select>`;
  }
  if (kind === "area") return html`<textarea name=${name} value=${value} onInput=${changed} spellcheck="false"></textarea>`;
  const type = { number: "number", time: "datetime-local" }[kind] ?? "text";
  return html`<input name=${name} type=${type} step=${kind === "time" ? 1 : undefined} required=${required} value=${value} autocomplete="off" onInput=${changed} />`;
}

// What a field's text stands for: a number, and null for nothing.
export const numberOrNull = (text) => (text === "" ? null : Number(text));
export const textOrNull = (text) => (text === "" ? null : text);
// A time of the viewer's own zone, as the API takes it.
export const timeOrNull = (text) => (text === "" ? null : new Date(text).toISOString());

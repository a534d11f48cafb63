// Short messages about what was done; they are read out, and go by themselves, but for what went wrong.
import { html, useEffect, useState } from "../js/html.js";

const kSeconds = 6;
let show = () => {};
let last = 0;

export const tell = (text, mood = "good") => show({ text, mood });

export function Toasts() {
  const [all, setAll] = useState([]);
  const remove = (id) => setAll((shown) => shown.filter((each) => each.id !== id));
  useEffect(() => {
    show = (toast) => {
      const id = ++last;
      setAll((shown) => [...shown.slice(-3), { ...toast, id }]);
      if (toast.mood === "good") setTimeout(() => remove(id), 1000 * kSeconds);
    };
    return () => { show = () => {}; };
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${all.map(({ id, text, mood }) => html`<div key=${id} class=${`note ${mood}`}><p>${text}</p>${mood !== "good" && html`<button class="small end" onClick=${() => remove(id)}>Close</button>`}</div>`)}
  </div>`;
}

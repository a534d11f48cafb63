// Short messages about what was done; they are read out, and go by themselves.
import { html, useEffect, useState } from "../js/html.js";

const kSeconds = 6;
let show = () => {};
let last = 0;

export const tell = (text, mood = "good") => show({ text, mood });

export function Toasts() {
  const [all, setAll] = useState([]);
  useEffect(() => {
    show = (toast) => {
      const id = ++last;
      setAll((shown) => [...shown.slice(-3), { ...toast, id }]);
      setTimeout(() => setAll((shown) => shown.filter((each) => each.id !== id)), 1000 * kSeconds);
    };
    return () => { show = () => {}; };
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${all.map(({ id, text, mood }) => html`<div key=${id} class=${`note ${mood}`}><p>${text}</p></div>`)}
  </div>`;
}

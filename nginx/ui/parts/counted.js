// A question whose answer changes many tasks: how many is counted first, by the server.
import { post } from "../js/api.js";
import { plural } from "../js/format.js";
import { html } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { Dialog } from "./dialog.js";
import { tell } from "./toasts.js";

// `verb`: "cancel" or "retry", of the tasks that match `filter`. `act`: another way of doing it.
export function Counted({ title, verb, filter, yes, danger = verb === "cancel", act, done, onClose, after, children }) {
  const counted = usePolled((signal) => post(["tasks", verb], { filter, dry_run: true }, { signal }), 0, [verb, JSON.stringify(filter)]);
  const { data, error } = counted;
  async function carryOut() {
    if (act) {
      await act();
      tell(done);
    } else {
      let changed = 0;
      for (let more = true; more;) {
        const answer = await post(["tasks", verb], { filter });
        changed += answer.count;
        more = answer.more === true && answer.count > 0;
      }
      tell(`${plural(changed, "task")} ${verb === "cancel" ? "cancelled" : "retried"}.`);
    }
    after?.();
  }
  return html`<${Dialog} title=${title} yes=${yes} danger=${danger} canAct=${data !== null && data.count > 0} act=${carryOut} onClose=${onClose}>
    ${children}
    <p role="status">${error
      ? html`<span class="wrong">${error.message}</span>`
      : data === null ? "Counting …"
        : html`<b>${data.estimated ? "At least " : ""}${plural(data.count, "task")}</b> ${data.count === 1 ? "matches" : "match"} now${data.estimated ? `; not all were counted` : ""}.`}</p>
  <//>`;
}

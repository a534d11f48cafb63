// A question whose answer changes many tasks: how many is counted first, by the server.
import { post } from "../js/api.js";
import { plural } from "../js/format.js";
import { html, useEffect, useRef, useState } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { Dialog } from "./dialog.js";
import { tell } from "./toasts.js";

const kRounds = 40;  // of 15 s each at most

// `verb`: "cancel" or "retry", of the tasks that match `filter`. `act`: another way of doing it.
export function Counted({ title, verb, filter, yes, danger = verb === "cancel", act, done, onClose, after, children }) {
  const counted = usePolled((signal) => post(["tasks", verb], { filter, dry_run: true }, { signal }), 0, [verb, JSON.stringify(filter)]);
  const { data, error } = counted;
  const [changed, setChanged] = useState(0);
  const closed = useRef(false);
  useEffect(() => () => { closed.current = true; }, []);
  async function carryOut() {
    if (act) {
      await act();
      tell(done);
    } else {
      // A task that fails again matches again, so "until there are none" might never come: as many as were counted.
      let sum = 0, more = true;
      for (let round = 0; more && !closed.current && round < kRounds && (data.estimated || sum < data.count); ++round) {
        const answer = await post(["tasks", verb], { filter });
        sum += answer.count;
        more = answer.more === true && answer.count > 0;
        setChanged(sum);
      }
      tell(`${plural(sum, "task")} ${verb === "cancel" ? "cancelled" : "retried"}${more ? "; there are more" : ""}.`);
    }
    after?.();
  }
  return html`<${Dialog} title=${title} yes=${yes} danger=${danger} canAct=${data !== null && data.count > 0} act=${carryOut} onClose=${onClose}>
    ${children}
    <p role="status">${error
      ? html`<span class="wrong">${error.message}</span>`
      : data === null ? "Counting …"
        : html`<b>${data.estimated ? "At least " : ""}${plural(data.count, "task")}</b> ${data.count === 1 ? "matches" : "match"} now${data.estimated ? `; not all were counted` : ""}.`}${changed > 0 && ` ${plural(changed, "task")} done so far.`}</p>
  <//>`;
}

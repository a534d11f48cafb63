// The dialog that changes a queue's limits.
import { ask } from "../js/api.js";
import { html } from "../js/html.js";
import { FormDialog, numberOrNull, textOrNull } from "../parts/form.js";

const number = (value) => (value === -1 || value === null || value === undefined ? "" : String(value));
const duration = (nanoseconds) => (nanoseconds ? `${nanoseconds / 1e9}s` : "");

export function QueueSettings({ queue, onClose, after }) {
  const fields = [
    { name: "max_concurrent", label: "Deliveries at the same time", hint: "1 to 10,000; empty: any number", kind: "number", value: number(queue.max_concurrent) },
    { name: "rate_limit.count", label: "Attempts in a period", hint: "empty: no rate limit", kind: "number", value: number(queue.rate_limit?.count) },
    { name: "rate_limit.period_seconds", label: "That period, in seconds", kind: "number", value: number(queue.rate_limit?.period_seconds) },
    { name: "max_entries", label: "Live tasks at most", hint: "empty: any number", kind: "number", value: number(queue.max_entries) },
    { name: "discard_old", label: "When it is full, cancel the oldest instead of refusing the new one", kind: "check", value: queue.discard_old },
    { name: "max_age", label: "A task may wait at most", hint: "as 1h30m; empty: for ever", value: duration(queue.max_age) },
    { name: "max_runtime", label: "An attempt may take at most", hint: "as 90s; empty: as long as its timeout", value: duration(queue.max_runtime) },
    { name: "timeout_seconds", label: "Timeout of tasks that name none, in seconds", kind: "number", value: number(queue.timeout_seconds) },
    { name: "max_retries", label: "Retries of tasks that name no number", kind: "number", value: number(queue.max_retries) },
    { name: "endpoint", label: "Endpoint of tasks that name no target", hint: "empty: none", value: queue.endpoint ?? "" },
  ];
  async function send(values, changed) {
    const body = {};
    for (const name of changed) {
      const value = values[name];
      if (name.startsWith("rate_limit.")) {
        const limit = numberOrNull(values["rate_limit.count"]);
        const burst = queue.rate_limit?.burst;
        body.rate_limit = limit === null ? null
          : { count: limit, period_seconds: numberOrNull(values["rate_limit.period_seconds"]), ...(burst && { burst }) };
      } else if (name === "discard_old") {
        body[name] = value;
      } else {
        body[name] = ["max_age", "max_runtime", "endpoint"].includes(name) ? textOrNull(value) : numberOrNull(value);
      }
    }
    if (Object.keys(body).length > 0) await ask("PATCH", ["queues", queue.name], { body });
  }
  return html`<${FormDialog} title=${`Change ${queue.name}`} yes="Save" fields=${fields} send=${send} done=${`${queue.name} is changed.`} onClose=${onClose} after=${after} />`;
}

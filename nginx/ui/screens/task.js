// One task: what is sent, how each attempt went, what comes next, and what may be done to it.
import { ask, get, mount, post } from "../js/api.js";
import { delays, milliseconds, plural, seconds } from "../js/format.js";
import { html, useState } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { go, href } from "../js/router.js";
import { useMay } from "../js/session.js";
import { Copy } from "../parts/copy.js";
import { Acting, Asking, Dialog } from "../parts/dialog.js";
import { FormDialog, numberOrNull, timeOrNull } from "../parts/form.js";
import { Exactly, Head, Pairs, Pill, Sheet } from "../parts/layout.js";
import { Loaded } from "../parts/states.js";
import { target } from "../parts/tasks.js";
import { tell } from "../parts/toasts.js";

const kOver = 60;  // s: what is over may still be retried by somebody
const endings = ["completed", "failed", "cancelled"];

function decoded(base64) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(base64), (each) => each.charCodeAt(0)));
  } catch {
    return null;
  }
}

// The body as it can be read; null: there is none.
function contentOf({ payload, body, payload_base64 }) {
  if (payload !== undefined) return JSON.stringify(payload, null, 2);
  if (payload_base64 !== undefined) return decoded(payload_base64) ?? payload_base64;
  return body ?? null;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// Characters that a terminal obeys, as DEL, or that change what is seen, as JSON may write them.
const plain = (json) => json.replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);

// A request that makes such a task again. Headers whose values the API hides are hidden here, too.
function curl(task) {
  const wanted = {};
  for (const name of ["queue", "webhook_url", "endpoint", "method", "headers", "payload", "body", "payload_base64", "content_type", "priority",
    "max_retries", "retry_policy", "timeout", "tags", "key", "on_complete_url", "on_failure_url"]) {
    if (task[name] !== undefined && task[name] !== null) wanted[name] = task[name];
  }
  if (wanted.endpoint !== undefined) delete wanted.method;
  const url = new URL("v1/tasks", mount).href;
  return `curl ${quoted(url)} \\\n  -H "Authorization: Bearer $POSTERN_KEY" -H 'Content-Type: application/json' \\\n  -d ${quoted(plain(JSON.stringify(wanted)))}`;
}

function Attempt({ of: attempt }) {
  const { number, status, response_code, executed_at, duration_ms, error, response } = attempt;
  return html`<li class=${{ success: "good", failed: "bad", lost: "warn" }[status] ?? ""}>
    <div class="row"><b>Attempt ${number}</b><${Pill}>${status}<//>
      ${response_code ? html`<span>HTTP ${response_code}</span>` : status !== "lost" && html`<span>no answer</span>`}
      <span class="quiet">after ${milliseconds(duration_ms)}</span><span class="quiet"><${Exactly} at=${executed_at} /></span></div>
    ${error && error !== `HTTP ${response_code}` && html`<p>${error}</p>`}
    ${response && html`<details><summary>What the receiver answered</summary><pre tabindex="0">${response}</pre></details>`}
  </li>`;
}

function Timeline({ task }) {
  const status = task.status;
  const { attempts } = task;
  const hidden = task.attempt_count - attempts.length - (task.status === "active" ? 1 : 0);
  const next = {
    pending: html`<div class="row"><b>${attempts.length > 0 ? "Next attempt" : "First attempt"}</b><${Exactly} at=${task.next_attempt_at} /></div>`,
    active: html`<div class="row"><b>Being delivered</b><span class="quiet">its receiver has not answered yet</span></div>`,
    blocked: html`<div class="row"><b>Waits for other tasks</b></div>`,
  }[status];
  return html`<ol class="timeline">
    ${hidden > 0 && html`<li><div class="row quiet">${plural(hidden, "earlier attempt")} not kept</div></li>`}
    ${attempts.map((each) => html`<${Attempt} key=${each.number} of=${each} />`)}
    ${next && html`<li class=${status === "active" ? "busy" : "next"}>${next}</li>`}
    ${endings.includes(status) && html`<li class=${status === "completed" ? "good" : status === "failed" ? "bad" : ""}>
      <div class="row"><b>${status === "completed" ? "Delivered" : status === "failed" ? "Given up" : "Cancelled"}</b><${Exactly} at=${task.completed_at} /></div>
      ${task.reason && html`<p>${task.reason}${task.last_error ? `: ${task.last_error}` : ""}</p>`}</li>`}
  </ol>`;
}

const Change = ({ task, onClose, after }) => html`<${FormDialog} title="Change this task" yes="Save" done="The task is changed." onClose=${onClose} after=${after}
  fields=${[
    { name: "run_at", label: "Start at (your time)", hint: "empty: as it is", kind: "time", value: "" },
    { name: "priority", label: "Priority, 1 to 10", hint: "higher first", kind: "number", value: String(task.priority ?? "") },
    ...(task.payload !== undefined && typeof task.payload === "object" ? [{ name: "payload", label: "Payload, JSON", kind: "area", value: JSON.stringify(task.payload, null, 2) }] : []),
  ]}
  send=${async (values, changed) => {
    const body = {};
    if (values.run_at) body.run_at = timeOrNull(values.run_at);
    if (changed.includes("priority")) body.priority = numberOrNull(values.priority);
    if (changed.includes("payload")) {
      try {
        body.payload = JSON.parse(values.payload);
      } catch (fault) {
        throw new Error(`The payload is no JSON: ${fault.message}`);
      }
    }
    return ask("PATCH", ["tasks", task.id], { body });
  }} />`;

function Actions({ task, name, reload }) {
  const mayRetry = useMay("retry"), mayWrite = useMay("write");
  const [changing, setChanging] = useState(false);
  const status = task.status;
  const waits = status === "pending" || status === "blocked";
  return html`
    ${mayRetry && endings.includes(status) && html`<${Acting} label="Retry" act=${() => post(["tasks", name, "retry"])} done="It is tried again." after=${reload} />`}
    ${mayWrite && status === "pending" && html`<${Acting} label="Run now" act=${() => post(["tasks", name, "run"])} done="It is due now." after=${reload} />`}
    ${mayWrite && waits && html`<button onClick=${() => setChanging(true)}>Change …</button>`}
    ${mayWrite && waits && html`<${Asking} danger label="Cancel …" dialog=${(close) => html`
      <${Dialog} title="Cancel this task?" yes="Cancel it" danger onClose=${close} act=${async () => { await post(["tasks", name, "cancel"]); tell("It is cancelled."); reload(); }}>
        <p>It is not delivered. It stays listed as cancelled, and can be retried.</p><//>`} />`}
    ${mayWrite && waits && html`<${Asking} danger label="Delete …" dialog=${(close) => html`
      <${Dialog} title="Delete this task?" yes="Delete it" danger onClose=${close} act=${async () => { await ask("DELETE", ["tasks", name]); tell("It is deleted."); go(["tasks"]); }}>
        <p>It goes without a trace: nothing lists it any more. Cancelling keeps it.</p><//>`} />`}
    <${Copy} label="Copy as curl" text=${() => curl(task)} />
    ${changing && html`<${Change} task=${task} onClose=${() => setChanging(false)} after=${reload} />`}`;
}

const Links = ({ ids }) => ids.map((id, at) => html`${at > 0 && ", "}<a class="mono" href=${href(["tasks", id])}>${id}</a>`);

export function Task({ name }) {
  const task = usePolled((signal) => get(["tasks", name], { signal }), ({ status }) => (endings.includes(status) ? kOver : 5), [name]);
  return html`<${Loaded} of=${task} head=${html`<${Head} title=${name} what="Task" />`}>${(data) => {
    const text = contentOf(data);
    return html`
      <${Head} title=${name} mono what=${html`Task <${Pill}>${data.status}<//>`}>
        <${Actions} task=${data} name=${name} reload=${task.reload} />
      <//>
      <div class="columns">
        <div class="stack">
          <${Sheet} title="How it goes"><${Timeline} task=${data} /><//>
          ${data.result && html`<${Sheet} title="Result"><${Pairs} of=${[
            ["Answer", `HTTP ${data.result.response_code ?? "–"}`],
            ["Took", milliseconds(data.result.duration_ms)],
            ["Body", data.result.body ? html`<pre tabindex="0">${data.result.body}</pre>` : "empty"],
          ]} /><//>`}
        </div>
        <div class="stack">
          <${Sheet} title="What it is"><${Pairs} of=${[
            ["Queue", html`<a href=${href(["queues", data.queue])}>${data.queue}</a>`],
            ["Goes to", data.webhook_url === undefined ? html`endpoint <a href=${href(["endpoints", data.endpoint ?? "*"])}>${data.endpoint ?? "*"}</a>` : html`<code>${data.method} ${target(data)}</code>`],
            ["Resolved to", data.resolved_endpoint !== undefined && (data.resolved_endpoint || "the catch-all")],
            ["Made by", data.schedule && html`schedule <a href=${href(["schedules", data.schedule.name])}>${data.schedule.name}</a>, for <${Exactly} at=${data.schedule.nominal_time} />`],
            ["Priority", data.priority],
            ["Retries at most", data.max_retries],
            ["Delays", data.retry_policy && delays(data.retry_policy)],
            ["Timeout", data.timeout && seconds(data.timeout)],
            ["Deadline", data.deadline && html`<${Exactly} at=${data.deadline} />`],
            ["Ordering key", data.key],
            ["Tags", data.tags?.length > 0 && data.tags.map((each, at) => html`${at > 0 && ", "}<a href=${href(["tasks"], { tag: each })}>${each}</a>`)],
            ["Waits for", data.dependencies?.length > 0 && html`<${Links} ids=${data.dependencies} />`],
            ["Then calls", data.on_complete_url],
            ["When it fails", data.on_failure_url],
            ["Created", html`<${Exactly} at=${data.created_at} />`],
            ["Changed", data.updated_at && html`<${Exactly} at=${data.updated_at} />`],
          ]} /><//>
          <${Sheet} title="What is sent" end=${text !== null && html`<${Copy} small text=${text} />`}>
            ${data.headers && Object.keys(data.headers).length > 0 && html`<${Pairs} of=${Object.entries(data.headers).map(([header, value]) => [html`<code>${header}</code>`, html`<code>${value}</code>`])} /><br />`}
            ${text !== null ? html`<pre tabindex="0">${text}</pre>`
              : html`<p class="quiet">It has no body.</p>`}
          <//>
        </div>
      </div>`;
  }}<//>`;
}

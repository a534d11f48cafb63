// What failed lately, put together by what the failures have in common, and the way back.
import { get } from "../js/api.js";
import { count, plural } from "../js/format.js";
import { html } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { go, href } from "../js/router.js";
import { useMay } from "../js/session.js";
import { Counted } from "../parts/counted.js";
import { Asking } from "../parts/dialog.js";
import { Field, Head, Table, When } from "../parts/layout.js";
import { Empty, Loaded } from "../parts/states.js";

// What `reason` of a failed task means; docs/api/tasks.md has the list.
const meanings = {
  exhausted: "every attempt failed",
  deadline: "its deadline passed",
  terminated: "the receiver said not to retry",
  gone: "the receiver answered 410",
  egress_denied: "its address is not allowed",
  invalid: "its receiver or its data cannot be used",
  unreachable: "a task that it waited for did not complete",
  max_age: "it waited longer than its queue allows",
  corrupt_row: "its row in the database cannot be read",
  signal_timeout: "no signal came in time",
  queue_full: "its queue was full",
  quota_exceeded: "its tenant had too many waiting",
};

const spans = { "": "all that are kept", 1: "the last hour", 24: "the last day", 168: "the last week" };
const hour = 3_600_000;

function Redrive({ group, since, after }) {
  const filter = { status: "failed", queue: group.queue, reason: group.reason, ...(group.endpoint && { endpoint: group.endpoint }), ...(since && { created_since: since }) };
  return html`<${Asking} small label="Retry …" dialog=${(close) => html`
    <${Counted} title="Retry these failed tasks?" verb="retry" filter=${filter} yes="Retry them" onClose=${close} after=${after}>
      <p>Tasks of the queue <b>${group.queue}</b> that failed with <b>${group.reason}</b>${group.endpoint ? html` at the endpoint <b>${group.endpoint}</b>` : html`, whatever their target`}.
        Each starts again with all its attempts. Is what made them fail mended?</p><//>`} />`;
}

export function Failures({ query }) {
  // To the minute, so that the address of the request does not change with each drawing.
  const hours = Object.hasOwn(spans, query.hours) ? query.hours : "";  // an address may say anything
  const since = hours ? new Date(Math.floor((Date.now() - hours * hour) / 60_000) * 60_000).toISOString() : "";
  const wanted = { queue: query.queue, endpoint: query.endpoint, reason: query.reason, created_since: since };
  const failures = usePolled((signal) => get(["failures"], { query: wanted, signal }), 15, [query.queue, query.endpoint, query.reason, hours]);
  const mayRetry = useMay("retry");
  const change = (name) => (event) => go(["failures"], { ...query, [name]: event.target.value.trim() }, { replace: true });
  return html`
    <${Head} title="Failures" what="Tasks that are over without having been delivered, and why. A retry gives each all its attempts again." />
    <div class="sheet"><div class="inside filters">
      <${Field} label="Created in"><select value=${hours} onChange=${change("hours")}>${Object.entries(spans).map(([value, text]) => html`<option value=${value} selected=${value === hours}>${text}</option>`)}</select><//>
      <${Field} label="Queue"><input size="14" value=${query.queue ?? ""} onChange=${change("queue")} /><//>
      <${Field} label="Endpoint"><input size="14" value=${query.endpoint ?? ""} onChange=${change("endpoint")} /><//>
      <${Field} label="Reason"><select value=${query.reason ?? ""} onChange=${change("reason")}><option value="">any</option>${Object.keys(meanings).map((each) => html`<option value=${each} selected=${each === query.reason}>${each}</option>`)}</select><//>
      ${Object.values(query).some(Boolean) && html`<a class="button" href=${href(["failures"])}>Show all</a>`}
    </div></div>
    <${Loaded} of=${failures}>${({ groups, looked, complete }) => html`<div class="sheet">
      <header><h2>${complete ? plural(looked, "failed task") : `The newest ${plural(looked, "failed task")}`}</h2>
        <div class="end"><a href=${href(["tasks"], { ...wanted, status: "failed" })}>List them</a></div></header>
      ${groups.length === 0
        ? html`<${Empty} title="Nothing failed"><p>${Object.values(query).some(Boolean) ? html`With these filters. <a href=${href(["failures"])}>Show all</a>` : "Tasks appear here when all their attempts have failed, or when they could not be delivered at all."}</p><//>`
        : html`<${Table} caption="Failures" rows=${groups} id=${(each) => `${each.reason} ${each.queue} ${each.endpoint} ${each.host}`} columns=${[
          { title: "Reason", cell: ({ reason }) => html`${reason}<br /><span class="quiet">${meanings[reason] ?? ""}</span>` },
          { title: "Tasks", number: true, cell: (each) => html`<a href=${href(["tasks"], { status: "failed", queue: each.queue, endpoint: each.endpoint, reason: each.reason, created_since: since })}>${count(each.count)}</a>` },
          { title: "Queue", cell: ({ queue }) => html`<a href=${href(["queues", queue])}>${queue}</a>` },
          { title: "Went to", cell: ({ endpoint, host }) => (endpoint ? html`endpoint <a href=${href(["endpoints", endpoint])}>${endpoint}</a>` : host ?? "–") },
          { title: "Last error", long: true, cell: ({ last_error, last_task }) => html`${last_error ?? "–"} ${last_task && html`<a class="nowrap" href=${href(["tasks", last_task])}>last task</a>`}` },
          { title: "Last", cell: ({ last_at }) => html`<${When} at=${last_at} />` },
          ...(mayRetry ? [{ title: "", actions: true, cell: (each) => html`<${Redrive} group=${each} since=${since} after=${failures.reload} />` }] : []),
        ]} />`}
    </div>`}<//>`;
}

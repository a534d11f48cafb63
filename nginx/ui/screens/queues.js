// Queues: how much is in them, their limits, and what may be done to them.
import { get, post } from "../js/api.js";
import { count, depthOf, delays, limit, nanoseconds, plural, seconds } from "../js/format.js";
import { html, useMemo, useState } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { go, href } from "../js/router.js";
import { useMay } from "../js/session.js";
import { Sparkline } from "../parts/chart.js";
import { Counted } from "../parts/counted.js";
import { Acting, Asking } from "../parts/dialog.js";
import { Exactly, Field, Figures, Head, Pairs, Pill, Sheet, Table } from "../parts/layout.js";
import { LastHour, taskLines } from "../parts/minutes.js";
import { Empty, Loaded } from "../parts/states.js";
import { QueueSettings } from "./queue_settings.js";

const kShown = 200;

const PauseQueue = ({ name, paused, after, small }) => (paused
  ? html`<${Acting} small=${small} label="Resume" act=${() => post(["queues", name, "resume"])} done=${`${name} goes on.`} after=${after} />`
  : html`<${Acting} small=${small} label="Pause" act=${() => post(["queues", name, "pause"])} done=${`${name} is paused: what is under way ends, nothing new begins.`} after=${after} />`);

const Purge = ({ name, after }) => html`<${Asking} danger label="Purge …" dialog=${(close) => html`
  <${Counted} title=${`Cancel everything that waits in ${name}?`} verb="cancel" filter=${{ queue: name }} yes="Cancel them"
    act=${() => post(["queues", name, "purge"])} done=${`${name} is purged.`} onClose=${close} after=${after}>
    <p>Tasks that are being delivered end as they would. Cancelled tasks stay listed, and can be retried.</p>
  <//>`} />`;

export function Queues({ query }) {
  const stats = usePolled((signal) => get(["stats"], { signal }), 5, []);
  const series = usePolled((signal) => get(["stats", "series"], { query: { by: "queue", minutes: 60, limit: 100 }, signal }), 30, []);
  const may = useMay("write");
  const lines = useMemo(() => new Map(series.data?.series.map((each) => [each.queue, each])), [series.data]);
  const wanted = (query.name ?? "").toLowerCase();
  return html`
    <${Head} title="Queues" what="A queue is made by its first task. Its limits hold for all schedulers together.">
      <${Field} label="Find by name"><input type="search" value=${query.name ?? ""} onInput=${(event) => go(["queues"], { name: event.target.value }, { replace: true })} /><//>
    <//>
    <${Loaded} of=${stats}>${({ queues, queues_left_out }) => {
      const found = queues.filter(({ name }) => name.toLowerCase().includes(wanted));
      if (found.length === 0) {
        return html`<div class="sheet">${queues.length === 0
          ? html`<${Empty} title="There is no queue yet"><p>The first task makes one: <code>POST /v1/tasks</code> with <code>"queue": "emails"</code>.</p><//>`
          : html`<${Empty} title="No queue has such a name"><p><a href=${href(["queues"])}>Show all</a></p><//>`}</div>`;
      }
      return html`<div class="sheet">
        <${Table} caption="Queues" rows=${found.slice(0, kShown)} id=${({ name }) => name} columns=${[
          { title: "Queue", cell: ({ name, paused }) => html`<a href=${href(["queues", name])}>${name}</a> ${paused && html`<${Pill}>paused<//>`}` },
          { title: "Delivered, last hour", cell: ({ name }) => html`<${Sparkline} values=${lines.get(name)?.completed} label=${`Delivered by minute, ${name}`} />` },
          { title: "Ready", number: true, cell: (each) => `${each.depth_estimated ? "≥ " : ""}${count(depthOf(each, "ready"))}` },
          { title: "In flight", number: true, cell: (each) => count(depthOf(each, "active")) },
          { title: "Delayed", number: true, cell: (each) => count(depthOf(each, "delayed")) },
          { title: "Blocked", number: true, cell: (each) => count(depthOf(each, "blocked")) },
          { title: "Oldest due", number: true, cell: (each) => (each.oldest_due_seconds > 0 ? seconds(each.oldest_due_seconds) : "–") },
          { title: "Delivered", number: true, cell: ({ finished }) => count(finished.completed) },
          { title: "Failed", number: true, cell: ({ name, finished }) => (finished.failed > 0 ? html`<a href=${href(["failures"], { queue: name })}>${count(finished.failed)}</a>` : "0") },
          ...(may ? [{ title: "", actions: true, cell: ({ name, paused }) => html`<${PauseQueue} small name=${name} paused=${paused} after=${stats.reload} />` }] : []),
        ]} />
        ${found.length + queues_left_out > kShown && html`<p class="inside quiet">${count(Math.max(0, found.length - kShown) + queues_left_out)} more are not shown; <code>postern queue list</code> shows all.</p>`}
      </div>`;
    }}<//>`;
}

function Depth({ name }) {
  const stats = usePolled((signal) => get(["queues", name, "stats"], { signal }), 5, [name]);
  return html`<${Loaded} of=${stats}>${({ depth, totals, engine_paused }) => html`
    ${engine_paused && html`<div class="note warn"><p>The whole engine is paused, and this queue with it.</p></div>`}
    <${Figures} of=${[
      { name: "Live tasks", value: count(depth.total) },
      { name: "Ready to go", value: count(depth.ready) },
      { name: "In flight", value: count(depth.active) },
      { name: "Delayed", value: count(depth.delayed) },
      { name: "Blocked", value: count(depth.blocked) },
      { name: "Oldest due", value: depth.oldest_due_seconds ? seconds(depth.oldest_due_seconds) : "–" },
      { name: "Delivered, ever", value: count(totals.completed) },
      { name: "Failed, ever", value: count(totals.failed) },
    ]} />`}<//>`;
}

export function Queue({ name }) {
  const queue = usePolled((signal) => get(["queues", name], { signal }), 30, [name]);
  const series = usePolled((signal) => get(["stats", "series"], { query: { queue: name, minutes: 60 }, signal }), 20, [name]);
  const may = useMay("write");
  const [changing, setChanging] = useState(false);
  const data = queue.data;
  if (data === null && queue.error) return html`<${Head} title=${name} what="Queue" /><${Loaded} of=${queue} />`;
  return html`
    <${Head} title=${name} what=${html`Queue ${data?.paused && html`<${Pill}>paused<//>`}`}>
      <a class="button" href=${href(["tasks"], { queue: name })}>Its tasks</a>
      ${may && data && html`
        <${PauseQueue} name=${name} paused=${data.paused} after=${queue.reload} />
        <button onClick=${() => setChanging(true)}>Change …</button>
        <${Purge} name=${name} />`}
    <//>
    <${Depth} name=${name} />
    <${LastHour} title="Tasks by minute" label=${`Tasks of ${name} by minute`} of=${series} lines=${taskLines} />
    <${Loaded} of=${queue}>${(each) => html`
      ${changing && html`<${QueueSettings} queue=${each} onClose=${() => setChanging(false)} after=${queue.reload} />`}
      <div class="columns">
        <${Sheet} title="Limits"><${Pairs} of=${[
          ["At the same time", each.max_concurrent === -1 ? "any number" : plural(each.max_concurrent, "delivery", "deliveries")],
          ["Rate", each.rate_limit ? `${count(each.rate_limit.count)} in ${seconds(each.rate_limit.period_seconds)}${each.rate_limit.burst ? `, ${count(each.rate_limit.burst)} at once after a pause` : ""}` : "none"],
          ["Live tasks at most", limit(each.max_entries) + (each.discard_old ? ", the oldest go" : "")],
          ["May wait at most", nanoseconds(each.max_age)],
          ["An attempt may take", nanoseconds(each.max_runtime)],
          ["Attempts at most", limit(each.max_tries)],
        ]} /><//>
        <${Sheet} title="For tasks that do not say"><${Pairs} of=${[
          ["Retries", count(each.max_retries)],
          ["Delays between them", delays(each.retry_policy)],
          ["Timeout", seconds(each.timeout_seconds)],
          ["Endpoint", each.endpoint ? html`<a href=${href(["endpoints", each.endpoint])}>${each.endpoint}</a>` : "none"],
          ["Retention class when", html`completed: ${each.retention.completed}, failed: ${each.retention.failed}, cancelled: ${each.retention.cancelled}`],
          ["Made", html`<${Exactly} at=${each.created_at} />`],
          ["Changed", html`<${Exactly} at=${each.updated_at} />`],
        ]} /><//>
      </div>`}<//>`;
}

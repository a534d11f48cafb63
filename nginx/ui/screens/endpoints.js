// Named targets: how they do, and what may be done to them.
import { ask, get, post } from "../js/api.js";
import { count, p95, percent, plural, seconds } from "../js/format.js";
import { html, useMemo, useState } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { go, href } from "../js/router.js";
import { useMay, useWho } from "../js/session.js";
import { Sparkline } from "../parts/chart.js";
import { Copy } from "../parts/copy.js";
import { Acting, Asking, Dialog } from "../parts/dialog.js";
import { FormDialog, numberOrNull, timeOrNull } from "../parts/form.js";
import { Address, Exactly, Figures, Head, Pairs, Pill, Sheet, Table } from "../parts/layout.js";
import { attemptLines, LastHour, newest } from "../parts/minutes.js";
import { Empty, Loaded } from "../parts/states.js";
import { tell } from "../parts/toasts.js";

// The catch-all has an empty name, which paths spell with a star.
const inPath = (name) => name || "*";
const shown = (name) => name || "* (catch-all)";

const worst = ["open", "half_open", "throttled"];

function fieldsOf(endpoint) {
  const text = (value) => (value === null || value === undefined ? "" : String(value));
  return [
    ...(endpoint ? [] : [{ name: "name", label: "Name", hint: "as tasks name it; * for all that no other endpoint takes", required: true }]),
    { name: "url", label: "URL", required: true, value: endpoint?.url },
    { name: "method", label: "Method", kind: "choice", choices: ["POST", "PUT", "PATCH", "GET", "DELETE"], value: endpoint?.method ?? "POST" },
    { name: "timeout_seconds", label: "Timeout of an attempt, in seconds", hint: "empty: the queue's", kind: "number", value: text(endpoint?.timeout_seconds) },
    { name: "max_in_flight", label: "Attempts at the same time", hint: "empty: any number", kind: "number", value: text(endpoint?.max_in_flight) },
  ];
}
const bodyOf = (values, names) => Object.fromEntries(names.filter((name) => name in values)
  .map((name) => [name, ["timeout_seconds", "max_in_flight"].includes(name) ? numberOrNull(values[name]) : values[name]]));

function NewEndpoint({ onClose }) {
  return html`<${FormDialog} title="A new endpoint" yes="Make it" fields=${fieldsOf(null)} onClose=${onClose} done="It is made."
    send=${(values) => post(["endpoints"], bodyOf(values, ["name", "url", "method", ...["timeout_seconds", "max_in_flight"].filter((each) => values[each] !== "")]))}
    after=${(made) => go(["endpoints", inPath(made.name)])} />`;
}

export function Endpoints({ query }) {
  const list = usePolled((signal) => get(["endpoints"], { query: { limit: 100, cursor: query.cursor }, signal }), 15, [query.cursor]);
  const series = usePolled((signal) => get(["stats", "series"], { query: { by: "endpoint", minutes: 60, limit: 100 }, signal }), 30, []);
  const lines = useMemo(() => new Map(series.data?.series.map((each) => [each.endpoint, each])), [series.data]);
  const health = usePolled((signal) => get(["health"], { signal }), 30, []);
  // An operator's health holds the breakers of all tenants.
  const { tenant } = useWho();
  const breakerOf = (name) => {
    if (!health.data) return "–";
    const states = health.data.breakers.filter((each) => each.target === `endpoint:${name}` && (each.tenant ?? tenant) === tenant).map(({ state }) => state);
    return worst.find((each) => states.includes(each)) ?? "closed";
  };
  const may = useMay("write");
  const [making, setMaking] = useState(false);
  return html`
    <${Head} title="Endpoints" what="Named targets of tasks. A change holds at once for tasks that wait already.">
      ${may && html`<button onClick=${() => setMaking(true)}>New endpoint …</button>`}
    <//>
    ${making && html`<${NewEndpoint} onClose=${() => setMaking(false)} />`}
    <${Loaded} of=${list}>${({ endpoints, next_cursor }) => html`<div class="sheet">
      ${endpoints.length === 0
        ? html`<${Empty} title="There is no endpoint"><p>Tasks may name a URL each. With an endpoint they name a target whose address, limits and secret stand in one place.</p><//>`
        : html`<${Table} caption="Endpoints" rows=${endpoints} id=${({ name }) => name} columns=${[
          { title: "Endpoint", cell: ({ name, paused }) => html`<a href=${href(["endpoints", inPath(name)])}>${shown(name)}</a> ${paused && html`<${Pill}>paused<//>`}` },
          { title: "Goes to", long: true, cell: ({ method, url }) => html`<code>${method} <${Address} text=${url} /></code>` },
          { title: "Attempts, last hour", cell: ({ name }) => html`<${Sparkline} values=${lines.get(name)?.attempts} label=${`Attempts by minute, ${shown(name)}`} />` },
          { title: "Succeeded", number: true, cell: ({ name }) => {
            const each = lines.get(name);
            const all = each?.attempts.reduce((sum, value) => sum + (value ?? 0), 0);
            return all ? percent(1 - each.attempts_failed.reduce((sum, value) => sum + (value ?? 0), 0) / all) : "–";
          } },
          { title: "p95", number: true, cell: ({ name }) => p95(newest(lines.get(name)?.p95_ms, 10)) },
          { title: "Breaker", cell: ({ name }) => html`<${Pill}>${breakerOf(name)}<//>` },
          { title: "At once", number: true, cell: ({ max_in_flight }) => (max_in_flight ? count(max_in_flight) : "any") },
        ]} />`}
      ${(next_cursor || query.cursor) && html`<div class="inside filters">
        ${query.cursor && html`<a class="button" href=${href(["endpoints"])}>First page</a>`}
        ${next_cursor && html`<a class="button" href=${href(["endpoints"], { cursor: next_cursor })}>More</a>`}</div>`}
    </div>`}<//>`;
}

function Rotate({ name, after }) {
  const [secret, setSecret] = useState(null);
  return html`<${Asking} label="Rotate secret …" dialog=${(close) => html`
      <${Dialog} title="Make a new secret?" yes="Make it" onClose=${close} act=${async () => setSecret((await post(["endpoints", name, "rotate"])).secret)}>
        <p>For 24 hours both secrets sign, so that receivers have time to learn the new one. It is shown once.</p><//>`} />
    ${secret && html`<${Dialog} title="The new secret" onClose=${() => { setSecret(null); after(); }}>
      <p>Give it to the receiver now: it is not shown again.</p><pre tabindex="0">${secret}</pre><p><${Copy} text=${secret} /></p><//>`}`;
}

// How many a recovery would retry, while its times are typed.
function RecoverCount({ name, since, until }) {
  const counted = usePolled((signal) => (since ? post(["endpoints", name, "recover"], { since, ...(until && { until }), dry_run: true }, { signal }) : { count: 0 }), 0, [since, until]);
  return html`<p role="status">${counted.error ? html`<span class="wrong">${counted.error.message}</span>`
    : counted.data === null ? "Counting …"
      : html`<b>${plural(counted.data.count, "task")}</b>${counted.data.more ? ", the oldest of more" : ""}. Each starts again with all its attempts.`}</p>`;
}

function Actions({ endpoint, reload }) {
  const name = inPath(endpoint.name);
  const mayRetry = useMay("retry"), mayWrite = useMay("write");
  const [open, setOpen] = useState("");
  const close = () => setOpen("");
  const hourAgo = new Date(Date.now() - 3_600_000);
  return html`
    ${mayWrite && html`
      <${Acting} label="Test" act=${() => post(["endpoints", name, "test"])} done="A test task is on its way." after=${(task) => go(["tasks", task.id])} />
      ${endpoint.paused
        ? html`<${Acting} label="Resume" act=${() => post(["endpoints", name, "resume"])} done="It goes on." after=${reload} />`
        : html`<${Acting} label="Pause" act=${() => post(["endpoints", name, "pause"])} done="It is paused: its tasks wait." after=${reload} />`}`}
    ${mayRetry && html`<button onClick=${() => setOpen("recover")}>Recover …</button>`}
    ${mayWrite && html`
      <button onClick=${() => setOpen("change")}>Change …</button>
      <${Rotate} name=${name} after=${reload} />
      <${Asking} danger label="Delete …" dialog=${(shut) => html`
        <${Dialog} title=${`Delete ${shown(endpoint.name)}?`} yes="Delete it" danger onClose=${shut} act=${async () => { await ask("DELETE", ["endpoints", name]); tell("It is deleted."); go(["endpoints"]); }}>
          <p>Tasks that name it go where the next shorter name says, or their attempts fail until it is made anew.</p><//>`} />`}
    ${open === "change" && html`<${FormDialog} title=${`Change ${shown(endpoint.name)}`} yes="Save" done="It is changed." fields=${fieldsOf(endpoint)} onClose=${close} after=${reload}
      send=${(values, changed) => (changed.length > 0 ? ask("PATCH", ["endpoints", name], { body: bodyOf(values, changed) }) : null)} />`}
    ${open === "recover" && html`<${FormDialog} title="Retry what failed here" yes="Retry it" onClose=${close} after=${({ count: n, more }) => { tell(`${plural(n, "task")} retried${more ? "; there are more" : ""}.`); reload(); }}
      fields=${[{ name: "since", label: "Failed since (your time)", kind: "time", required: true, value: new Date(hourAgo.getTime() - 60_000 * hourAgo.getTimezoneOffset()).toISOString().slice(0, 16) },
        { name: "until", label: "Until", hint: "empty: now", kind: "time", value: "" },
        { kind: "shown", show: ({ since, until }) => html`<${RecoverCount} name=${name} since=${timeOrNull(since)} until=${timeOrNull(until)} />` }]}
      send=${({ since, until }) => post(["endpoints", name, "recover"], { since: timeOrNull(since), ...(until && { until: timeOrNull(until) }) })} />`}`;
}

export function Endpoint({ name }) {
  const endpoint = usePolled((signal) => get(["endpoints", name], { signal }), 10, [name]);
  const series = usePolled((signal) => get(["stats", "series"], { query: { endpoint: name, minutes: 60 }, signal }), 20, [name]);
  return html`<${Loaded} of=${endpoint} head=${html`<${Head} title=${shown(name)} what="Endpoint" />`}>${(each) => html`
    <${Head} title=${shown(each.name)} what=${html`Endpoint ${each.paused && html`<${Pill}>paused<//>`}`}><${Actions} endpoint=${each} reload=${endpoint.reload} /><//>
    <${Figures} of=${[
      { name: "Succeeded, last hour", value: percent(each.health.success_rate), mood: each.health.success_rate !== null && each.health.success_rate < 0.9 ? "warn" : "" },
      { name: "Attempts take, p95", value: p95(each.health.p95_ms) },
      { name: "Attempts, last hour", value: count(each.health.attempts) },
      { name: "In flight", value: count(each.health.in_flight) },
      { name: "Breaker", value: html`<${Pill}>${each.health.breaker}<//>` },
    ]} />
    <${LastHour} title="Attempts by minute" of=${series} lines=${attemptLines} />
    <${Sheet} title="What it is"><${Pairs} of=${[
      ["Goes to", html`<code>${each.method} ${each.url}</code>`],
      ["Headers", each.headers && Object.keys(each.headers).length > 0 && Object.entries(each.headers).map(([header, value]) => html`<code>${header}: ${value}</code><br />`)],
      ["Timeout", each.timeout_seconds ? seconds(each.timeout_seconds) : "the queue's"],
      ["At the same time", each.max_in_flight ? plural(each.max_in_flight, "attempt") : "any number"],
      ["Rate", each.rate_limit ? `${count(each.rate_limit.count)} in ${seconds(each.rate_limit.period_seconds)}` : "no limit"],
      ["Signed with", each.own_secret ? "its own secret" : "the tenant's secret"],
      ["Former secret until", each.previous_secret_until && html`<${Exactly} at=${each.previous_secret_until} />`],
      ["Tasks", html`<a href=${href(["tasks"], { endpoint: inPath(each.name) })}>those that name it</a>, <a href=${href(["failures"], { endpoint: inPath(each.name) })}>its failures</a>`],
      ["Made", html`<${Exactly} at=${each.created_at} />`],
      ["Changed", html`<${Exactly} at=${each.updated_at} />`],
    ]} /><//>`}<//>`;
}

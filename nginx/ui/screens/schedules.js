// Recurring tasks: when they come next, how they went, and a look ahead while an expression is typed.
import { ask, get, post } from "../js/api.js";
import { count } from "../js/format.js";
import { html, useEffect, useState } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { go, href } from "../js/router.js";
import { useMay } from "../js/session.js";
import { Acting, Asking, Dialog } from "../parts/dialog.js";
import { FormDialog } from "../parts/form.js";
import { Exactly, Head, Pairs, Pill, Sheet, Table, When } from "../parts/layout.js";
import { Empty, Loaded } from "../parts/states.js";
import { tell } from "../parts/toasts.js";

const kTyping = 300;  // ms without a key before the API is asked
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

const shape = { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
// A zone that this browser does not know, such as one that is being typed, stands in the viewer's own.
function formatIn(timezone) {
  try {
    return new Intl.DateTimeFormat("en-GB", { ...shape, timeZone: timezone });
  } catch {
    return new Intl.DateTimeFormat("en-GB", shape);
  }
}

// An occurrence in the zone of its schedule, and in the viewer's when that is another.
function Occurrence({ at, timezone }) {
  const there = formatIn(timezone).format(new Date(at));
  return html`<time dateTime=${at}>${there}</time> <span class="quiet">${timezone === zone ? "" : html`(<${Exactly} at=${at} />)`}</span>`;
}

function Preview({ schedule, timezone }) {
  const [settled, setSettled] = useState({ schedule, timezone });
  useEffect(() => {
    const timer = setTimeout(() => setSettled({ schedule, timezone }), kTyping);
    return () => clearTimeout(timer);
  }, [schedule, timezone]);
  const next = usePolled(async (signal) => {
    if (!settled.schedule.trim()) return { next: [] };
    return post(["schedules", "preview"], { ...timing(settled.schedule), timezone: settled.timezone || "UTC", count: 5 }, { signal });
  }, 0, [settled.schedule, settled.timezone]);
  if (!settled.schedule.trim()) return html`<p class="quiet">The next times stand here as soon as something is typed.</p>`;
  return html`<div aria-live="polite"><p class="quiet">The next times:</p>
    ${next.error ? html`<div class="note warn"><p>${next.error.message}</p></div>`
      : html`<ol>${(next.data?.next ?? []).map((at) => html`<li><${Occurrence} at=${at} timezone=${settled.timezone || "UTC"} /></li>`)}</ol>`}
  </div>`;
}

// A plain number of seconds is an interval; what else may be written, "@every 90s" too, the API reads.
function timing(text) {
  const seconds = /^\s*(\d+)\s*s?\s*$/.exec(text);
  return seconds ? { interval_seconds: Number(seconds[1]) } : { schedule: text.trim() };
}

function fieldsOf(schedule) {
  return [
    ...(schedule ? [] : [{ name: "name", label: "Name", required: true }]),
    { name: "schedule", label: "When", hint: "a cron expression as 30 6 * * 1-5, @every 90s, or a number of seconds", required: true, value: schedule?.schedule },
    { name: "timezone", label: "Time zone", hint: "as Europe/Berlin", value: schedule?.timezone ?? zone ?? "UTC" },
    { kind: "shown", show: ({ schedule: when, timezone }) => html`<${Preview} schedule=${when} timezone=${timezone} />` },
    ...(schedule ? [] : [
      { name: "queue", label: "Queue of its tasks", required: true },
      { name: "webhook_url", label: "URL", hint: "empty: the queue's endpoint" },
      { name: "payload", label: "Payload, JSON", kind: "area", value: "{}" },
    ]),
    { name: "misfire", label: "Late occurrences", hint: "skip: none fires; last: the newest; all: the newest ten", kind: "choice", choices: ["last", "skip", "all"], value: schedule?.misfire ?? "last" },
    { name: "overlap", label: "While the task of the run before is live", hint: "allow: make another; skip: make none", kind: "choice", choices: ["allow", "skip"], value: schedule?.overlap ?? "allow" },
  ];
}

function bodyOf(values, names) {
  const body = {};
  for (const name of names) {
    if (name === "schedule") Object.assign(body, timing(values.schedule));
    else if (name === "payload") {
      try {
        body.payload = JSON.parse(values.payload || "{}");
      } catch (fault) {
        throw new Error(`The payload is no JSON: ${fault.message}`);
      }
    } else if (values[name] !== "") body[name] = values[name];
    else if (name === "timezone") body.timezone = "UTC";
  }
  return body;
}

const ScheduleDialog = ({ schedule, ...rest }) => html`<${FormDialog} fields=${fieldsOf(schedule)} ...${rest} />`;

export function Schedules({ query }) {
  const list = usePolled((signal) => get(["schedules"], { query: { limit: 100, cursor: query.cursor }, signal }), 15, [query.cursor]);
  const may = useMay("write");
  const [making, setMaking] = useState(false);
  return html`
    <${Head} title="Schedules" what="Tasks that are made again and again, by cron or interval.">
      ${may && html`<button onClick=${() => setMaking(true)}>New schedule …</button>`}
    <//>
    ${making && html`<${ScheduleDialog} title="A new schedule" yes="Make it" done="It is made." onClose=${() => setMaking(false)}
      send=${(values) => post(["schedules"], bodyOf(values, Object.keys(values)))} after=${(made) => go(["schedules", made.name])} />`}
    <${Loaded} of=${list}>${({ schedules, next_cursor }) => html`<div class="sheet">
      ${schedules.length === 0
        ? html`<${Empty} title="There is no schedule"><p>A schedule makes a task at the times that a cron expression or an interval names.</p><//>`
        : html`<${Table} caption="Schedules" rows=${schedules} id=${({ name }) => name} columns=${[
          { title: "Schedule", cell: ({ name, paused }) => html`<a href=${href(["schedules", name])}>${name}</a> ${paused && html`<${Pill}>paused<//>`}` },
          { title: "When", cell: ({ schedule }) => html`<code>${schedule}</code>` },
          { title: "Zone", cell: ({ timezone }) => timezone },
          { title: "Queue", cell: ({ queue }) => html`<a href=${href(["queues", queue])}>${queue}</a>` },
          { title: "Next", cell: ({ next_at, error }) => (error ? html`<${Pill} mood="bad">cannot fire<//>` : html`<${When} at=${next_at} />`) },
          { title: "Last", cell: ({ last_at }) => html`<${When} at=${last_at} />` },
        ]} />`}
      ${(next_cursor || query.cursor) && html`<div class="inside filters">
        ${query.cursor && html`<a class="button" href=${href(["schedules"])}>First page</a>`}
        ${next_cursor && html`<a class="button" href=${href(["schedules"], { cursor: next_cursor })}>More</a>`}</div>`}
    </div>`}<//>`;
}

function Actions({ schedule, reload }) {
  const { name, paused } = schedule;
  const [changing, setChanging] = useState(false);
  return html`
    <${Acting} label="Run once now" act=${() => post(["schedules", name, "trigger"])} done="A task is made." after=${({ task_id }) => go(["tasks", task_id])} />
    ${paused
      ? html`<${Acting} label="Resume" act=${() => post(["schedules", name, "resume"])} done="It goes on." after=${reload} />`
      : html`<${Acting} label="Pause" act=${() => post(["schedules", name, "pause"])} done="It is paused." after=${reload} />`}
    <button onClick=${() => setChanging(true)}>Change …</button>
    <${Asking} danger label="Delete …" dialog=${(close) => html`
      <${Dialog} title=${`Delete ${name}?`} yes="Delete it" danger onClose=${close} act=${async () => { await ask("DELETE", ["schedules", name]); tell("It is deleted."); go(["schedules"]); }}>
        <p>The list of its runs goes with it; the tasks that it made stay.</p><//>`} />
    ${changing && html`<${ScheduleDialog} schedule=${schedule} title=${`Change ${name}`} yes="Save" done="It is changed." onClose=${() => setChanging(false)} after=${reload}
      send=${(values, changed) => (changed.length > 0 ? ask("PATCH", ["schedules", name], { body: bodyOf(values, changed) }) : null)} />`}`;
}

export function Schedule({ name }) {
  const schedule = usePolled((signal) => get(["schedules", name], { signal }), 15, [name]);
  const next = usePolled((signal) => get(["schedules", name, "next"], { query: { n: 10 }, signal }), 60, [name, schedule.data?.updated_at]);
  const runs = usePolled((signal) => get(["schedules", name, "runs"], { query: { limit: 25 }, signal }), 15, [name]);
  const may = useMay("write");
  return html`<${Loaded} of=${schedule} head=${html`<${Head} title=${name} what="Schedule" />`}>${(data) => html`
    <${Head} title=${name} what=${html`Schedule ${data.paused && html`<${Pill}>paused<//>`}`}>${may && html`<${Actions} schedule=${data} reload=${() => { schedule.reload(); next.reload(); runs.reload(); }} />`}<//>
    ${data.error && html`<div class="note bad" role="alert"><p>It cannot fire: ${data.error}</p></div>`}
    <div class="columns">
      <div class="stack">
        <${Sheet} title="The next ten times" end=${html`<span class="quiet">${data.timezone}</span>`}>
          <${Loaded} of=${next}>${({ next: times }) => (data.paused
            ? html`<p class="quiet">It is paused. When it goes on:</p>` : "") || (times.length === 0 ? html`<p class="quiet">It is over.</p>` : "")}<//>
          <ol>${(next.data?.next ?? []).map((at) => html`<li><${Occurrence} at=${at} timezone=${data.timezone} /></li>`)}</ol>
        <//>
        <${Sheet} title="What it makes"><${Pairs} of=${[
          ["When", html`<code>${data.schedule}</code>`],
          ["Queue", html`<a href=${href(["queues", data.queue])}>${data.queue}</a>`],
          ["Goes to", data.endpoint ? html`endpoint <a href=${href(["endpoints", data.endpoint])}>${data.endpoint}</a>` : html`<code>${data.webhook_url ?? data.task_type ?? "the queue's endpoint"}</code>`],
          ["Late occurrences", data.misfire],
          ["When the one before is live", data.overlap === "skip" ? "no task" : "another task"],
          ["From", data.starts_at && html`<${Exactly} at=${data.starts_at} />`],
          ["Until", data.ends_at && html`<${Exactly} at=${data.ends_at} />`],
          ["Spread over", data.jitter_seconds > 0 && `${count(data.jitter_seconds)} s`],
          ["Payload", data.payload !== undefined && data.payload !== null && html`<pre tabindex="0">${JSON.stringify(data.payload, null, 2)}</pre>`],
          ["Made", html`<${Exactly} at=${data.created_at} />`],
          ["Changed", html`<${Exactly} at=${data.updated_at} />`],
        ]} /><//>
      </div>
      <${Sheet} title="Its runs" plain><${Loaded} of=${runs}>${({ runs: made }) => (made.length === 0
        ? html`<${Empty} title="It has not run yet" />`
        : html`<${Table} caption="Runs" rows=${made} id=${({ nominal_time }) => nominal_time} columns=${[
          { title: "For", cell: ({ nominal_time }) => html`<${Exactly} at=${nominal_time} />` },
          { title: "Fired", cell: ({ fired_at }) => html`<${When} at=${fired_at} />` },
          { title: "Made", cell: ({ task_id, skipped }) => (task_id ? html`<a class="nowrap" href=${href(["tasks", task_id])}>its task</a>` : html`<${Pill} mood="warn">${skipped}<//>`) },
        ]} />`)}<//><//>
    </div>`}<//>`;
}

// Lists of tasks by what somebody looks for; the address holds the filters, so that it can be handed on.
import { get, post } from "../js/api.js";
import { count, plural } from "../js/format.js";
import { html, useEffect, useState } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { go, href } from "../js/router.js";
import { useMay } from "../js/session.js";
import { Counted } from "../parts/counted.js";
import { Acting, Asking, Dialog } from "../parts/dialog.js";
import { Field, Head } from "../parts/layout.js";
import { Empty, Loaded } from "../parts/states.js";
import { statuses, TaskTable } from "../parts/tasks.js";
import { tell } from "../parts/toasts.js";

const names = ["status", "queue", "endpoint", "reason", "tag", "created_since", "created_until"];
const kPage = 50;

// The conditions in words.
const described = (query) => names.filter((name) => query[name]).map((name) => `${name.replaceAll("_", " ")} ${query[name]}`).join(", ");

// A datetime-local field holds the viewer's time, the address the API's.
const toField = (time) => {
  if (!time) return "";
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? "" : new Date(at.getTime() - 60_000 * at.getTimezoneOffset()).toISOString().slice(0, 16);
};

function Filters({ query }) {
  const [draft, setDraft] = useState(query);
  useEffect(() => setDraft(query), [JSON.stringify(query)]);
  const set = (name) => (event) => setDraft({ ...draft, [name]: event.target.value });
  const setTime = (name) => (event) => setDraft({ ...draft, [name]: event.target.value ? new Date(event.target.value).toISOString() : "" });
  const show = (wanted) => go(["tasks"], Object.fromEntries(names.map((name) => [name, wanted[name]?.trim()])));
  function submit(event) {
    event.preventDefault();
    if (draft.id?.trim()) go(["tasks", draft.id.trim()]);
    else show(draft);
  }
  return html`<form class="filters" onSubmit=${submit} aria-label="Filters">
    <${Field} label="Status"><select value=${draft.status ?? ""} onChange=${(event) => show({ ...draft, status: event.target.value })}>
      <option value="">any</option>${statuses.map((each) => html`<option value=${each} selected=${each === query.status}>${each}</option>`)}</select><//>
    <${Field} label="Queue"><input size="14" value=${draft.queue ?? ""} onInput=${set("queue")} /><//>
    <${Field} label="Endpoint"><input size="14" value=${draft.endpoint ?? ""} onInput=${set("endpoint")} /><//>
    <${Field} label="Reason"><input size="11" value=${draft.reason ?? ""} onInput=${set("reason")} /><//>
    <${Field} label="Tag"><input size="11" value=${draft.tag ?? ""} onInput=${set("tag")} /><//>
    <${Field} label="Created since"><input type="datetime-local" value=${toField(draft.created_since)} onChange=${setTime("created_since")} /><//>
    <${Field} label="Created until"><input type="datetime-local" value=${toField(draft.created_until)} onChange=${setTime("created_until")} /><//>
    <${Field} label="Id"><input size="16" value=${draft.id ?? ""} onInput=${set("id")} placeholder="task_…" /><//>
    <button class="main">Show</button>
    ${names.some((name) => query[name]) && html`<a class="button" href=${href(["tasks"])}>Show all</a>`}
  </form>`;
}

// What can be done to all that match: a filter of the bulk verbs has no pages, so a page's address is none.
function ToAll({ query, after }) {
  const filter = Object.fromEntries(names.filter((name) => query[name]).map((name) => [name, query[name]]));
  const ended = ["completed", "failed", "cancelled"].includes(query.status) || (query.reason && !query.status);
  const mayRetry = useMay("retry"), mayWrite = useMay("write");
  const whole = Object.keys(filter).length === 0 ? { all: true } : filter;
  return html`
    ${mayRetry && ended && html`<${Asking} label="Retry all of these …" dialog=${(close) => html`
      <${Counted} title="Retry all of these?" verb="retry" filter=${filter} yes="Retry them" onClose=${close} after=${after}>
        <p>Tasks with ${described(query)}. Each starts again with all its attempts.</p><//>`} />`}
    ${mayWrite && (query.status === "pending" || query.status === "blocked" || !query.status) && !query.reason && html`<${Asking} danger label="Cancel what waits …" dialog=${(close) => html`
      <${Counted} title="Cancel what waits of these?" verb="cancel" filter=${whole} yes="Cancel them" onClose=${close} after=${after}>
        <p>${whole.all ? "Every task that waits, in all queues" : `Waiting tasks with ${described(query)}`}. They stay listed as cancelled, and can be retried.</p><//>`} />`}`;
}

function ToChosen({ chosen, onDone }) {
  const mayRetry = useMay("retry"), mayWrite = useMay("write");
  const act = (verb) => async () => {
    const { results } = await post(["tasks", verb], { ids: [...chosen] });
    const good = results.filter(({ status }) => status === "ok").length;
    const refused = results.find(({ status }) => status !== "ok");
    if (refused) tell(`${plural(results.length - good, "task")} could not be: ${refused.error}`, "warn");
    onDone();
    return good;
  };
  return html`
    <span role="status">${count(chosen.size)} chosen</span>
    ${mayRetry && html`<${Acting} small label="Retry" act=${act("retry")} done=${(good) => `${plural(good, "task")} retried.`} />`}
    ${mayWrite && html`<${Asking} small danger label="Cancel …" dialog=${(close) => html`
      <${Dialog} title=${`Cancel ${plural(chosen.size, "task")}?`} yes="Cancel them" danger onClose=${close} act=${async () => tell(`${plural(await act("cancel")(), "task")} cancelled.`)}>
        <p>What is being delivered or over stays as it is.</p><//>`} />`}`;
}

export function Tasks({ query }) {
  const wanted = { ...Object.fromEntries(names.map((name) => [name, query[name]])), cursor: query.cursor, limit: kPage };
  const list = usePolled((signal) => get(["tasks"], { query: wanted, signal }), query.cursor ? 0 : 10, [JSON.stringify(wanted)]);
  const mayRetry = useMay("retry");
  const [chosen, setChosen] = useState(new Set());
  useEffect(() => setChosen(new Set()), [JSON.stringify(wanted)]);
  const choose = (id, on) => setChosen((before) => {
    const next = new Set(before);
    if (on) next.add(id);
    else next.delete(id);
    return next;
  });
  // Those that were chosen and are still in sight.
  const listed = (tasks) => new Set(tasks.map(({ id }) => id).filter((id) => chosen.has(id)));
  const done = () => { setChosen(new Set()); list.reload(); };
  return html`
    <${Head} title="Tasks" what="Newest first. A link to this page shows the same tasks to others who may see them." />
    <div class="sheet"><div class="inside"><${Filters} query=${query} /></div></div>
    <${Loaded} of=${list}>${({ tasks, pagination }) => html`<div class="sheet">
      <header>
        <h2>${pagination.total_estimated ? `${count(pagination.total)} or more` : count(pagination.total)} found</h2>
        <div class="end">${listed(tasks).size > 0 ? html`<${ToChosen} chosen=${listed(tasks)} onDone=${done} />` : html`<${ToAll} query=${query} after=${list.reload} />`}</div>
      </header>
      ${tasks.length === 0
        ? html`<${Empty} title=${pagination.next_cursor ? "None in this part" : "No task matches"}>
            <p>${pagination.next_cursor ? "What is looked for is rare: the search goes on from here." : names.some((name) => query[name]) ? html`Other filters may: <a href=${href(["tasks"])}>show all</a>.` : "Tasks appear here as soon as they are created."}</p><//>`
        : html`<${TaskTable} caption="Tasks" tasks=${tasks} chosen=${chosen} onChoose=${mayRetry ? choose : null} />`}
      ${(pagination.next_cursor || query.cursor) && html`<div class="inside filters">
        ${query.cursor && html`<a class="button" href=${href(["tasks"], { ...query, cursor: "" })}>Newest</a>`}
        ${pagination.next_cursor && html`<a class="button" href=${href(["tasks"], { ...query, cursor: pagination.next_cursor })}>Older</a>`}
      </div>`}
    </div>`}<//>`;
}

// What lists of tasks have in common.
import { html } from "../js/html.js";
import { href } from "../js/router.js";
import { Pill, Table, When } from "./layout.js";

export const statuses = ["pending", "active", "blocked", "completed", "failed", "cancelled"];

// Where it goes; a task of another dialect names its target in another field.
export const target = (task) => task.webhook_url ?? task.targetUrl ?? (task.endpoint !== undefined && task.endpoint !== null ? `endpoint ${task.endpoint || "*"}` : task.type ?? task.task_type ?? "–");

// A list on a mount that speaks all dialects shows each task as its own dialect does.
export const idOf = (task) => task.id ?? String(task.job_id);
export const statusOf = (task) => task.status ?? task.state ?? "–";

export const TaskTable = ({ caption, tasks, chosen, onChoose }) => html`
  <${Table} caption=${caption} rows=${tasks} id=${idOf} columns=${[
    ...(onChoose ? [{
      title: "Chosen",
      cell: (task) => html`<input type="checkbox" aria-label=${`Choose ${idOf(task)}`} checked=${chosen.has(idOf(task))} onChange=${(event) => onChoose(idOf(task), event.target.checked)} />`,
    }] : []),
    { title: "Task", cell: (task) => html`<a class="mono" href=${href(["tasks", idOf(task)])}>${idOf(task)}</a>` },
    { title: "Status", cell: (task) => html`<${Pill}>${statusOf(task)}<//>${task.reason && html` <span class="quiet">${task.reason}</span>`}` },
    { title: "Queue", cell: ({ queue }) => (queue ? html`<a href=${href(["queues", queue])}>${queue}</a>` : "–") },
    { title: "Goes to", long: true, cell: target },
    { title: "Attempts", number: true, cell: ({ attempt_count, attempts }) => attempt_count ?? attempts?.length ?? "–" },
    { title: "Created", cell: (task) => html`<${When} at=${task.created_at ?? task.createdAt} />` },
  ]} />`;

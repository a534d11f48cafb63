// What lists of tasks have in common.
import { html } from "../js/html.js";
import { href } from "../js/router.js";
import { Address, Pill, Table, When } from "./layout.js";

export const statuses = ["pending", "active", "blocked", "completed", "failed", "cancelled"];

// Where it goes: a task without a URL names an endpoint, if only the catch-all.
export const target = ({ webhook_url, endpoint }) => webhook_url ?? `endpoint ${endpoint ?? "*"}`;

export const TaskTable = ({ caption, tasks, chosen, onChoose }) => html`
  <${Table} caption=${caption} rows=${tasks} heads=${onChoose ? 1 : 0} id=${({ id }) => id} columns=${[
    ...(onChoose ? [{
      title: "Chosen",
      cell: ({ id }) => html`<input type="checkbox" aria-label=${`Choose ${id}`} checked=${chosen.has(id)} onChange=${(event) => onChoose(id, event.target.checked)} />`,
    }] : []),
    { title: "Task", cell: ({ id }) => html`<a class="mono" href=${href(["tasks", id])}>${id}</a>` },
    { title: "Status", cell: ({ status, reason }) => html`<${Pill}>${status}<//>${reason && html` <span class="quiet">${reason}</span>`}` },
    { title: "Queue", cell: ({ queue }) => html`<a href=${href(["queues", queue])}>${queue}</a>` },
    { title: "Goes to", long: true, cell: (task) => html`<${Address} text=${target(task)} />` },
    { title: "Attempts", number: true, cell: ({ attempt_count }) => attempt_count },
    { title: "Created", cell: ({ created_at }) => html`<${When} at=${created_at} />` },
  ]} />`;

// All tenants of the installation, for operators.
import { get, post } from "../js/api.js";
import { count } from "../js/format.js";
import { html, useState } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { href } from "../js/router.js";
import { FormDialog } from "../parts/form.js";
import { Exactly, Head, Table } from "../parts/layout.js";
import { Loaded } from "../parts/states.js";

export function Tenants({ query }) {
  const tenants = usePolled((signal) => get(["tenants"], { query: { limit: 100, cursor: query.cursor }, signal }), 30, [query.cursor]);
  const [making, setMaking] = useState(false);
  return html`
    <${Head} title="Tenants" what="Each has queues, keys and secrets of its own, and sees nothing of the others.">
      <button onClick=${() => setMaking(true)}>New tenant …</button>
    <//>
    ${making && html`<${FormDialog} title="A new tenant" yes="Make it" done="It is made. Keys for it are made on the host: postern key create --tenant." onClose=${() => setMaking(false)} after=${tenants.reload}
      fields=${[{ name: "name", label: "Name", hint: "small letters, digits, - and _", required: true }]} send=${({ name }) => post(["tenants"], { name })} />`}
    <${Loaded} of=${tenants}>${({ tenants: all, next_cursor }) => html`<div class="sheet">
      <${Table} caption="Tenants" rows=${all} id=${({ name }) => name} columns=${[
        { title: "Tenant", cell: ({ name }) => name },
        { title: "Queues", number: true, cell: ({ queues }) => count(queues) },
        { title: "Live tasks", number: true, cell: ({ tasks_live }) => count(tasks_live) },
        { title: "Keys", number: true, cell: ({ keys }) => count(keys) },
        { title: "Made", cell: ({ created_at }) => html`<${Exactly} at=${created_at} />` },
      ]} />
      ${(next_cursor || query.cursor) && html`<div class="inside filters">
        ${query.cursor && html`<a class="button" href=${href(["tenants"])}>First page</a>`}
        ${next_cursor && html`<a class="button" href=${href(["tenants"], { cursor: next_cursor })}>More</a>`}</div>`}
    </div>`}<//>`;
}

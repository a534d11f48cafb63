// What `postern doctor` says, and for operators the programs and the database behind it.
import { get } from "../js/api.js";
import { bytes, count, plural, seconds } from "../js/format.js";
import { html } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { Figures, Head, Pill, Prose, Sheet, Table, When } from "../parts/layout.js";
import { Empty, Loaded } from "../parts/states.js";

const Programs = ({ title, caption, of, more = [] }) => html`<${Sheet} title=${title} plain>
  ${of.length === 0 ? html`<${Empty} title="None is known"><p>None has been heard since the last was stopped.</p><//>`
    : html`<${Table} caption=${caption} rows=${of} id=${(each) => `${each.name} ${each.since}`} columns=${[
      { title: "Name", cell: ({ name }) => name },
      { title: "State", cell: ({ up }) => html`<${Pill}>${up ? "up" : "down"}<//>` },
      { title: "Version", cell: ({ version }) => version },
      { title: "Since", cell: ({ since }) => html`<${When} at=${since} />` },
      { title: "Heard", number: true, cell: ({ beat_age_seconds }) => `${seconds(beat_age_seconds)} ago` },
      ...more,
    ]} />`}<//>`;

const Database = ({ of }) => html`<${Figures} of=${[
  { name: "PostgreSQL", value: of.version.split(" ")[0] },
  { name: "Size", value: bytes(of.size_bytes) },
  { name: "Connections", value: count(of.connections), unit: `of ${count(of.max_connections)}`, mood: of.connections > 0.9 * of.max_connections ? "warn" : "" },
  { name: "Transaction ids used", value: count(of.transaction_ids_used), unit: "of 2,000M" },
  { name: "Takes writes", value: of.in_recovery ? "no" : "yes", mood: of.in_recovery ? "bad" : "" },
]} />`;

function Checks({ checks }) {
  const order = ["wrong", "warning", "skipped", "ok"];
  const sorted = [...checks].sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
  return html`<${Table} caption="Checks" rows=${sorted} id=${({ name }) => name} columns=${[
    { title: "Check", cell: ({ name }) => name },
    { title: "Verdict", cell: ({ verdict }) => html`<${Pill}>${verdict}<//>` },
    { title: "Finding", long: true, cell: ({ finding }) => finding },
    { title: "What to do", long: true, cell: ({ hint, verdict }) => (verdict === "ok" ? "" : html`<${Prose} text=${hint} />`) },
  ]} />`;
}

export function Health() {
  const health = usePolled((signal) => get(["health"], { signal }), 30, []);
  return html`<${Loaded} of=${health} head=${html`<${Head} title="Health" />`}>${(data) => {
    const mood = { ok: "good", warning: "warn", wrong: "bad" }[data.status];
    const troubles = data.checks.filter(({ verdict }) => verdict === "wrong" || verdict === "warning").length;
    return html`
      <${Head} title="Health" what=${data.scope === "all" ? "Of the whole installation, in the words of postern doctor." : "Of this tenant, in the words of postern doctor. An operator's key shows the whole installation."} />
      <div class=${`note ${mood}`}><p><b>${data.status === "ok" ? "All is well." : `${plural(troubles, "check")} to look at.`}</b>${" "}
        ${data.schedulers_up === 0 ? "No scheduler is alive." : `${plural(data.schedulers_up, "scheduler")} alive.`}</p></div>
      ${data.database && html`<${Database} of=${data.database} />`}
      <${Sheet} title="Checks" plain><${Checks} checks=${data.checks} /><//>
      ${data.breakers.length > 0 && html`<${Sheet} title="Receivers that are held back" plain><${Table} caption="Receivers that are held back" rows=${data.breakers} id=${(each) => `${each.tenant} ${each.queue} ${each.target} ${each.state}`} columns=${[
        ...(data.scope === "all" ? [{ title: "Tenant", cell: ({ tenant }) => tenant }] : []),
        { title: "Queue", cell: ({ queue }) => queue },
        { title: "Receiver", long: true, cell: ({ target }) => target },
        { title: "State", cell: ({ state }) => html`<${Pill}>${state}<//>` },
      ]} /><//>`}
      ${data.schedulers && html`<${Programs} title="Schedulers" caption="Schedulers" of=${data.schedulers} more=${[
        { title: "In flight", number: true, cell: ({ in_flight }) => count(in_flight) }, { title: "Slots", number: true, cell: ({ slots }) => count(slots) }]} />`}
      ${data.handlers && html`<${Programs} title="Handlers" caption="Handlers" of=${data.handlers} />`}
      ${data.partitions && html`<${Sheet} title="Finished tasks, by day" plain><${Table} caption="Partitions" rows=${data.partitions} id=${({ name }) => name} columns=${[
        { title: "Partition", cell: ({ name }) => html`<code>${name}</code>` },
        { title: "Retention class", cell: (each) => each.class },
        { title: "Day", cell: ({ day }) => day ?? "any other" },
        { title: "Rows, about", number: true, cell: ({ rows_estimate }) => count(rows_estimate) },
        { title: "Size", number: true, cell: ({ bytes: size }) => bytes(size) },
      ]} /><//>`}`;
  }}<//>`;
}

// How it goes: rates, what waits, and what somebody should look at.
import { get } from "../js/api.js";
import { count, p95, rate, seconds } from "../js/format.js";
import { html, useRef } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { href } from "../js/router.js";
import { Figures, Head, Pill, Prose, Sheet, Table } from "../parts/layout.js";
import { LastHour, newest, taskLines } from "../parts/minutes.js";
import { Empty, Loaded } from "../parts/states.js";

const kGap = 30_000;  // ms
const kLate = 60;  // s: as long as the doctor lets a task be due

// Rates are of the time between two answers; until there are two, of the last minute that was counted.
function useRates(stats, series) {
  const seen = useRef([]);
  if (!stats.data) return {};
  const all = seen.current;
  if (stats.at - all.at(-1)?.at > kGap) all.length = 0;  // the tab was hidden
  if (all.at(-1)?.at !== stats.at) all.push({ at: stats.at, totals: stats.data.totals });
  while (all.length > 4) all.shift();
  const [first, last] = [all[0], all.at(-1)];
  const between = (last.at - first.at) / 1000;
  const minute = series.data?.series[0];
  const of = (value, name) => {
    if (between >= 4) return (value(last.totals) - value(first.totals)) / between;
    const known = newest(minute?.[name], 3);
    return known === undefined ? null : known / 60;
  };
  return {
    created: of((totals) => totals.created, "created"),
    delivered: of((totals) => totals.finished.completed, "completed"),
    failed: of((totals) => totals.finished.failed, "failed"),
  };
}

// Of the queues that the schedulers have looked at; null: there are queues, and none of them has been.
function sum(queues, state) {
  const looked = queues.filter(({ depth_unknown }) => !depth_unknown);
  return queues.length > 0 && looked.length === 0 ? null : looked.reduce((all, { depth }) => all + depth[state], 0);
}

// Where more is to be seen of what a check found.
const places = { failures: "failures", pauses: "queues", "oldest due": "queues", breakers: "endpoints" };

function Warnings({ health }) {
  const found = health.checks.filter(({ verdict }) => verdict === "warning" || verdict === "wrong");
  if (found.length === 0) return html`<p class="quiet">Nothing. <a href=${href(["health"])}>All checks</a></p>`;
  return html`<ul class="timeline">${found.map((each) => html`
    <li class=${each.verdict === "wrong" ? "bad" : "warn"}>
      <div class="row"><b>${places[each.name] ? html`<a href=${href([places[each.name]])}>${each.name}</a>` : each.name}</b><${Pill}>${each.verdict}<//><span>${each.finding}</span></div>
      <p class="quiet"><${Prose} text=${each.hint} /></p>
    </li>`)}</ul>`;
}

export function Overview() {
  const stats = usePolled((signal) => get(["stats"], { signal }), 5, []);
  const series = usePolled((signal) => get(["stats", "series"], { query: { minutes: 60 }, signal }), 20, []);
  const health = usePolled((signal) => get(["health"], { signal }), 60, []);
  const rates = useRates(stats, series);
  return html`
    <${Head} title="Overview" />
    <${Loaded} of=${stats}>${({ paused, queues, schedulers, queues_left_out }) => {
      const late = Math.max(0, ...queues.map((each) => each.oldest_due_seconds));
      const up = schedulers.filter((each) => each.up).length;
      const minute = series.data?.series[0];
      const busiest = queues.filter(({ depth }) => depth.ready + depth.active + depth.delayed > 0)
        .sort((a, b) => b.depth.ready - a.depth.ready).slice(0, 8);
      const held = queues.filter((each) => each.paused);
      return html`
        ${paused && html`<div class="note warn"><p><b>Everything is paused</b>: tasks are taken in, and none is delivered.
          <code>postern resume --all</code> on the host goes on.</p></div>`}
        ${!paused && held.length > 0 && html`<div class="note warn"><p><b>Paused:</b> ${held.slice(0, 6).map((each, at) => html`${at ? ", " : ""}<a href=${href(["queues", each.name])}>${each.name}</a>`)}${held.length > 6 && ` and ${held.length - 6} more`}.
          Their tasks wait.</p></div>`}
        ${up === 0 && html`<div class="note bad" role="alert"><p><b>No scheduler is alive:</b> nothing is delivered until
          <code>postern-scheduler</code> is started.</p></div>`}
        <${Figures} of=${[
          { name: "Created", value: rate(rates.created), unit: "/s" },
          { name: "Delivered", value: rate(rates.delivered), unit: "/s" },
          { name: "Failed", value: rate(rates.failed), unit: "/s", mood: rates.failed > 0 ? "bad" : "" },
          { name: "Ready to go", value: count(sum(queues, "ready")), unit: queues_left_out > 0 ? `in ${count(queues.length)} queues` : "" },
          { name: "In flight", value: count(sum(queues, "active")) },
          { name: "Waiting for their time", value: count(sum(queues, "delayed")) },
          { name: "Oldest due", value: late > 0 ? seconds(late) : queues.some(({ depth_unknown }) => depth_unknown) ? "–" : "nothing", mood: late > kLate ? "warn" : "" },
          { name: "Attempts take, p95", value: p95(newest(minute?.p95_ms, 10)) },
          { name: "Schedulers alive", value: `${up}`, unit: up < schedulers.length ? `of ${schedulers.length}` : "", mood: up === 0 ? "bad" : up < schedulers.length ? "warn" : "" },
        ]} />
        <${LastHour} title="Tasks by minute" of=${series} lines=${taskLines} />
        <div class="columns">
          <${Sheet} title="What to look at"><${Loaded} of=${health}>${(data) => html`<${Warnings} health=${data} />`}<//><//>
          <${Sheet} title="Queues with work" plain end=${html`<a href=${href(["queues"])}>All queues</a>`}>
            ${busiest.length === 0
              ? queues.some(({ depth_unknown }) => depth_unknown)
                ? html`<${Empty} title="Not known yet"><p>The schedulers look every 10 seconds.</p><//>`
                : html`<${Empty} title="No task waits"><p>Everything that was created has been delivered, failed or was cancelled.</p><//>`
              : html`<${Table} caption="Queues with work" rows=${busiest} id=${(each) => each.name} columns=${[
                { title: "Queue", cell: (each) => html`<a href=${href(["queues", each.name])}>${each.name}</a> ${each.paused && html`<${Pill}>paused<//>`}` },
                { title: "Ready", number: true, cell: ({ depth }) => count(depth.ready) },
                { title: "In flight", number: true, cell: ({ depth }) => count(depth.active) },
                { title: "Delayed", number: true, cell: ({ depth }) => count(depth.delayed) },
                { title: "Oldest due", number: true, cell: (each) => (each.oldest_due_seconds > 0 ? seconds(each.oldest_due_seconds) : "–") },
              ]} />`}
            ${queues_left_out > 0 && html`<p class="inside quiet">${count(queues_left_out)} more queues are not shown here.</p>`}
          <//>
        </div>`;
    }}<//>`;
}

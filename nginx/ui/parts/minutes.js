// What happened minute by minute in the last hour, from an answer of /v1/stats/series.
import { html } from "../js/html.js";
import { Chart } from "./chart.js";
import { Sheet } from "./layout.js";
import { Loaded } from "./states.js";

// The newest value of the last so many minutes that is known; undefined: none is.
export const newest = (values, minutes) => values?.slice(-minutes).findLast((each) => each !== null) ?? undefined;

// Lines of a chart: {name, tone, kind}, the kind being the series' own word.
export const taskLines = [
  { name: "created", tone: "busy", kind: "created" },
  { name: "delivered", tone: "good", kind: "completed" },
  { name: "failed", tone: "bad", kind: "failed" },
];
export const attemptLines = [
  { name: "attempts", tone: "busy", kind: "attempts" },
  { name: "failed", tone: "bad", kind: "attempts_failed" },
];

// `of`: the polled answer. `label`: what the chart is called for those who do not see it.
export const LastHour = ({ title, label = title, of, lines }) => html`
  <${Sheet} title=${title} end=${html`<span class="quiet">the last hour</span>`}>
    <${Loaded} of=${of}>${({ since, step_seconds, series: [found] }) => html`
      <${Chart} label=${label} since=${since} step=${step_seconds} lines=${lines.map(({ name, tone, kind }) => ({ name, tone, values: found[kind] }))} />`}<//>
  <//>`;

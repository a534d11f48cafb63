// Lines over time, by uPlot, and the small ones in tables.
import { html, useEffect, useRef, useState } from "../js/html.js";
import { clockTime, count } from "../js/format.js";

const kHeight = 210;

// uPlot is large beside the rest, so it is loaded when the first chart is shown.
let loading = null;
function loadPlot() {
  loading ??= new Promise((resolve, reject) => {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = new URL("../vendor/uPlot.min.css", import.meta.url).href;
    const script = document.createElement("script");
    script.src = new URL("../vendor/uPlot.iife.min.js", import.meta.url).href;
    script.onload = () => resolve(globalThis.uPlot);
    script.onerror = () => {
      loading = null;  // the next chart tries again
      reject(new Error("not loaded"));
    };
    document.head.append(sheet, script);
  });
  return loading;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Of what is known; the legend shows it while no minute is pointed at. null: no minute is.
const total = (values) => values.reduce((sum, each) => (each === null ? sum : (sum ?? 0) + each), null);

function options(width, lines) {
  // "14:05", whatever the browser's language: as times stand everywhere here.
  const clock = (_, marks) => marks.map((each) => clockTime(1000 * each).slice(0, 5));
  const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px sans-serif" };
  return {
    width, height: kHeight,
    padding: [10, 12, 0, 0],
    cursor: { y: false, drag: { setScale: false } },
    scales: { y: { range: (_, low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] } },
    axes: [{ ...axis, values: clock }, { ...axis, size: 54, values: (_, marks) => marks.map((each) => (Number.isInteger(each) ? count(each) : "")) }],
    series: [
      { label: "Minute", value: (_, time, __, at) => (at === null ? "all" : clockTime(1000 * time).slice(0, 5)) },
      ...lines.map(({ name, tone }) => ({
        label: name, stroke: colour(tone), width: 2, points: { show: false }, value: (plot, value, line, at) => count(at === null ? total(plot.data[line]) : value),
      })),
    ],
  };
}

// `lines`: {name, tone (a colour of frame.css), values}, a value for each minute from `since` on; null where none is known.
export const Chart = (given) => (given.lines.every(({ values }) => total(values) === null)
  ? html`<p class="quiet">No minute is known yet. A scheduler counts them, and the first is here two minutes after it was started.</p>`
  : html`<${Plotted} ...${given} />`);

function Plotted({ label, since, step, lines }) {
  const place = useRef(null), plot = useRef(null);
  const [made, setMade] = useState(0);
  const data = [lines[0].values.map((_, at) => new Date(since).getTime() / 1000 + at * step), ...lines.map((each) => each.values)];
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    let over = false;
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const make = async () => {
      const Plot = await loadPlot().catch(() => null);
      if (over) return;
      if (!Plot) {
        place.current.textContent = "The chart could not be loaded.";
        return;
      }
      plot.current?.destroy();
      plot.current = new Plot(options(place.current.clientWidth, lines), latest.current, place.current);
    };
    const size = new ResizeObserver(() => plot.current?.setSize({ width: place.current.clientWidth, height: kHeight }));
    const again = () => setMade((times) => times + 1);
    make();
    size.observe(place.current);
    scheme.addEventListener("change", again);
    return () => {
      over = true;
      size.disconnect();
      scheme.removeEventListener("change", again);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [made]);
  useEffect(() => { plot.current?.setData(latest.current); });

  const sums = lines.map(({ name, values }) => `${name}: ${count(total(values))}`);
  return html`<div class="chart" ref=${place} role="img" aria-label=${`${label}. ${sums.join(", ")}.`}></div>`;
}

// One line without axes; a gap where nothing is known.
export function Sparkline({ values, label, kind = "" }) {
  if (!values || values.every((each) => each === null)) return html`<span class="quiet">–</span>`;
  const most = Math.max(1, ...values.map((each) => each ?? 0));
  const runs = [[]];
  values.forEach((each, at) => {
    if (each === null) runs.push([]);
    else runs.at(-1).push(`${at},${(20 - (18 * each) / most).toFixed(1)}`);
  });
  return html`<svg class="sparkline" viewBox=${`0 0 ${Math.max(1, values.length - 1)} 22`} preserveAspectRatio="none" role="img" aria-label=${label}>
    ${runs.filter((each) => each.length > 0).map((each) => html`<polyline class=${kind} points=${each.join(" ")} />`)}
  </svg>`;
}

// Figures and times for people. What is not known is a dash, never 0.

export const kUnknown = "–";
const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export function count(value) {
  if (!known(value)) return kUnknown;
  return Math.abs(value) < 100_000 ? whole.format(value) : short.format(value);
}

export function rate(perSecond) {
  if (!known(perSecond)) return kUnknown;
  if (perSecond === 0) return "0";
  if (perSecond < 0.01) return "<0.01";
  return perSecond < 10 ? String(Number(perSecond.toPrecision(2))) : count(Math.round(perSecond));
}

export const percent = (share) => (known(share) ? `${Number((100 * share).toFixed(1))} %` : kUnknown);

export function seconds(value) {
  if (!known(value)) return kUnknown;
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 10) return `${Number(value.toFixed(1))} s`;
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  if (value < 172_800) return `${Math.round(value / 3600)} h`;
  return `${Math.round(value / 86_400)} d`;
}

export const milliseconds = (value) => (known(value) ? seconds(value / 1000) : kUnknown);

// Of the buckets of core/model/histogram.h, the last of which begins at 10 s.
export const p95 = (value) => (value >= 10_000 ? "≥ 10 s" : milliseconds(value));

export function bytes(value) {
  if (!known(value)) return kUnknown;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (; value >= 1024 && at < units.length - 1; ++at) value /= 1024;
  return `${Number(value.toFixed(value < 10 ? 1 : 0))} ${units[at]}`;
}

const stamp = new Intl.DateTimeFormat("en-GB", {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const clockOnly = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

// In the viewer's own time zone.
export const dateTime = (value) => (value ? stamp.format(new Date(value)) : kUnknown);
export const clockTime = (value) => (value ? clockOnly.format(new Date(value)) : kUnknown);

// "3 min ago", "in 2 h".
export function relative(value, now = Date.now()) {
  if (!value) return kUnknown;
  const away = (new Date(value).getTime() - now) / 1000;
  if (Math.abs(away) < 1) return "now";
  return away > 0 ? `in ${seconds(away)}` : `${seconds(-away)} ago`;
}

// A duration that the API gives in nanoseconds, where 0 means that there is none.
export const nanoseconds = (value) => (value ? seconds(value / 1e9) : "none");
// A retry policy in words: the name of one, or the delays of an own one.
export function delays(policy) {
  if (typeof policy === "string") return policy;
  const shown = policy.intervals.slice(0, 6).map(seconds).join(", ");
  return `${shown}${policy.intervals.length > 6 ? ", …" : ""}${policy.jitter ? `, ±${Math.round(100 * policy.jitter)} %` : ""}`;
}

// How many tasks of a state a queue of /v1/stats holds; null until a scheduler has looked.
export const depthOf = ({ depth, depth_unknown }, state) => (depth_unknown ? null : depth[state]);

export const limit = (value) => (value === -1 || !known(value) ? "none" : count(value));
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

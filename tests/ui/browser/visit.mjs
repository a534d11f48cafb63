// A visitor's browser: Debian's Chromium without a window, on the stack that the environment names.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);  // finds what NODE_PATH leads to
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const env = process.env;
const wide = { width: 1280, height: 860 };

let browser = null;
export async function close() {
  await browser?.close();
  browser = null;
}

// A new tab of a new visitor at the dashboard's address `at` ("#/tasks"), signed in when `key` is given. Whatever goes
// wrong in it is in `problems`: errors of the console, exceptions, requests to other hosts, violations of the
// Content-Security-Policy, and answers that refuse.
export async function visit({ at = "", key, scheme = "light", viewport = wide, url = `${env.POSTERN_URL}/ui/` } = {}) {
  browser ??= await chromium.launch({ executablePath: env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  const context = await browser.newContext({ viewport, colorScheme: scheme, ignoreHTTPSErrors: true, reducedMotion: "reduce", timezoneId: "Europe/Berlin" });
  const page = await context.newPage();
  const problems = [], requests = [];
  const host = new URL(url).host;
  page.on("console", (message) => { if (message.type() === "error") problems.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => problems.push(`exception: ${error.stack}`));
  page.on("request", (request) => {
    requests.push({ at: Date.now(), method: request.method(), url: request.url() });
    if (!request.url().startsWith("data:") && new URL(request.url()).host !== host) problems.push(`another host: ${request.url()}`);
  });
  page.on("response", (answer) => { if (answer.status() >= 400) problems.push(`${answer.status()} ${answer.request().method()} ${answer.url()}`); });
  await page.exposeFunction("onViolation", (text) => problems.push(text));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => globalThis.onViolation(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  if (key) {
    await page.addInitScript(([path, value]) => sessionStorage.setItem(`postern.key:${path}`, value), [mountOf(url), key]);
  }
  await page.goto(url + at);
  return { page, context, problems, requests, leave: () => context.close() };
}

function mountOf(url) {
  return new URL(url).pathname.replace(/(v1\/)?ui\/$/, "");
}

// Nothing went wrong so far.
export function assertClean({ problems }) {
  assert.deepEqual(problems, []);
}

// What axe-core finds against WCAG 2 A and AA, in words.
export async function inaccessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 200)} ${node.failureSummary ?? ""}`));
}

// Whether the page is wider than its window.
export const overflows = (page) => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

// One request to the API with the key of `role`, besides the browser.
export async function api(method, path, body, role = "ADMIN") {
  const answer = await fetch(env.POSTERN_URL + path, {
    method,
    headers: { Authorization: `Bearer ${env[`POSTERN_${role}_KEY`]}`, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, json: text === "" ? null : JSON.parse(text) };
}

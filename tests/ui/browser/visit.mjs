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

// A new tab of a new visitor at the dashboard's address `at` ("#/tasks"), signed in when a `key`, or the `role` whose key
// the stack has, is given. Whatever goes wrong in it is in `problems`: errors of the console, exceptions, requests to other
// hosts, violations of the Content-Security-Policy, and answers that refuse. `open` leads to another screen.
export async function visit({ at = "", role, key = role && env[`POSTERN_${role.toUpperCase()}_KEY`], scheme = "light", viewport = wide, url = `${env.POSTERN_URL}/ui/`, prepare } = {}) {
  browser ??= await chromium.launch({ executablePath: env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  const context = await browser.newContext({ viewport, colorScheme: scheme, ignoreHTTPSErrors: true, reducedMotion: "reduce", timezoneId: "Europe/Berlin" });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
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
  await prepare?.(context, page);
  await page.goto(url + at);
  return {
    page, context, problems, requests,
    open: async (to) => {
      await page.goto(url + to);
      await drawn(page);
      await settled(page);
    },
    leave: () => context.close(),
  };
}

function mountOf(url) {
  return new URL(url).pathname.replace(/(v1\/)?ui\/$/, "");
}

// Until the screen is that of the address: a change of it is drawn with the next frame, and its effects come behind that.
export const drawn = (page) => page.evaluate(() => new Promise((done) => {
  requestAnimationFrame(() => setTimeout(() => setTimeout(done)));
}));

// Until all that the screen asks for is shown.
export async function settled(page) {
  await page.locator("h1").first().waitFor();
  await page.waitForFunction(() => !document.querySelector(".waiting")
    && [...document.querySelectorAll(".chart")].every((each) => each.querySelector("canvas")));
}

// What a visitor does first, without a key.
export async function signIn(page, key) {
  await page.getByLabel("API key or token").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Screens" }).waitFor();
}

// Nothing went wrong since this was called last, but for answers with one of the statuses `meant`, which a test caused itself.
export function assertClean({ problems }, ...meant) {
  const expected = (text) => meant.some((status) => text.startsWith(`${status} `) || text.includes(`with a status of ${status} `));
  assert.deepEqual(problems.splice(0).filter((each) => !expected(each)), []);
}

// The dialog that is open.
export const dialogOf = (page) => page.locator("dialog[open]");

// Presses the button `opens`, and in the dialog that comes the one that says yes.
export async function answer(page, opens, yes) {
  await page.getByRole("button", { name: opens, exact: true }).first().click();
  await dialogOf(page).getByRole("button", { name: yes, exact: true }).click();
  await dialogOf(page).waitFor({ state: "hidden" });
}

export const press = (page, name) => page.getByRole("button", { name, exact: true }).first().click();

// Waits for a message that no test has waited for: one of the same words may still be shown.
export const told = (page, text) =>
  page.locator(".toasts .note:not([data-told])").filter({ hasText: text }).first().evaluate((note) => { note.dataset.told = "yes"; });

// Polls until `look` answers with something, and returns it.
export async function until(look, what = "what the test waits for") {
  const end = Date.now() + 60_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `not within 60 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

// Has ui_test.py do something with the stack; answers with what that returns.
export async function command(name, body = {}) {
  const reply = await fetch(`${env.COMMANDS_URL}/${name}`, { method: "POST", body: JSON.stringify(body) });
  assert.equal(reply.status, 200, await reply.clone().text());
  return reply.json();
}

// What axe-core finds against WCAG 2 A and AA, in words.
export async function inaccessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 200)} ${node.failureSummary ?? ""}`));
}

// The dialog that is open is in the middle, and nothing of it is beside it.
export async function assertDialogFits(page) {
  const { left, right, width, inside } = await dialogOf(page).evaluate((each) => {
    const { left: from, right: to } = each.getBoundingClientRect();
    return { left: from, right: to, width: document.documentElement.clientWidth, inside: each.scrollWidth <= each.clientWidth };
  });
  assert.ok(inside, "the dialog's text is wider than the dialog");
  assert.ok(Math.abs(left - (width - right)) < 20, `the dialog is from ${left} to ${right} of ${width}`);
}

// Whether the page is wider than its window.
export const overflows = (page) => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

// What furnish.py made.
export const known = JSON.parse(env.FURNISHED ?? "{}");

// One request to the API with the key of `role`, besides the browser.
export async function api(method, path, body, role = "ADMIN") {
  const reply = await fetch(env.POSTERN_URL + path, {
    method,
    headers: { Authorization: `Bearer ${env[`POSTERN_${role}_KEY`]}`, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await reply.text();
  return { status: reply.status, json: text === "" ? null : JSON.parse(text) };
}

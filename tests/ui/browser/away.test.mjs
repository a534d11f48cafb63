// The API goes away while a screen is open, and comes back; and a tab that nobody sees asks nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { api, close, command, env, press, settled, signIn, until, visit } from "./visit.mjs";

before(async () => {
  await api("POST", "/v1/queues", { name: "kept" });
  await api("POST", "/v1/queues/kept/pause");
  for (let n = 0; n < 3; ++n) await api("POST", "/v1/tasks", { queue: "kept", webhook_url: env.RECEIVER_URL });
});
after(close);

const figure = (page, name) => page.locator(".figures > div").filter({ hasText: name }).locator("dd").first();
const isBack = () => until(async () => (await fetch(`${env.POSTERN_URL}/readyz`)).status === 200 && (await api("GET", "/v1/stats")).status === 200, "the API is back");

for (const what of ["handlers", "database"]) {
  test(`without ${what}, what was known stays, with a banner, until it is back by itself`, async () => {
    const tab = await visit({ at: "#/", role: "admin" });
    const { page } = tab;
    await settled(page);
    await until(async () => (await figure(page, "Ready to go").innerText()) === "3");
    await command(`stop_${what}`);
    const banner = page.getByRole("alert").filter({ hasText: "Below is what was known at" }).first();
    await banner.waitFor({ timeout: 60_000 });
    assert.match(await banner.innerText(), /\d\d:\d\d:\d\d/);
    assert.equal(await figure(page, "Ready to go").innerText(), "3");
    await page.getByRole("link", { name: "kept" }).first().waitFor();

    // Where nothing was known: no figure, and so no 0 either.
    await page.getByRole("link", { name: "Queues", exact: true }).click();
    await page.getByRole("heading", { name: "Queues", level: 1 }).waitFor();
    await page.getByRole("alert").first().waitFor({ timeout: 60_000 });
    assert.equal(await page.locator("main table, main .figures").count(), 0);
    assert.equal(await page.getByText("There is no queue yet").count(), 0, "not known is not none");

    // A task is made meanwhile, as soon as it can be: the screen shows it without anybody's doing.
    await command("start");
    await isBack();
    await page.getByRole("row").filter({ hasText: "kept" }).waitFor({ timeout: 90_000 });
    assert.equal(await page.getByRole("alert").count(), 0);
    assert.deepEqual(tab.problems.filter((each) => !/status of 50\d|^50\d /.test(each)), []);
    await tab.leave();
  });
}

test("where one answer is missing, its figures are dashes, and the others are there", async () => {
  const refuse = (route) => route.fulfill({ status: 503, json: { error: { code: "unavailable", message: "Nobody counts.", details: { reason: "database_unavailable" } } } });
  const tab = await visit({ at: "#/", role: "admin", prepare: async (context) => {
    await context.route("**/v1/stats/series**", refuse);
    await context.route("**/v1/health", refuse);
  } });
  await until(async () => (await figure(tab.page, "Ready to go").innerText()) === "3");
  assert.equal(await figure(tab.page, "Attempts take, p95").innerText(), "–");
  await until(async () => (await tab.page.getByText("Nobody counts.").count()) === 2);
  assert.equal(await tab.page.locator(".chart").count(), 0);
  await tab.leave();
});

test("depths at which no scheduler has looked are dashes, too", async () => {
  const tab = await visit({ at: "#/", role: "admin", prepare: (context) => context.route("**/v1/stats", async (route) => {
    const answer = await (await route.fetch()).json();
    await route.fulfill({ json: { ...answer, queues: answer.queues.map((each) => ({ ...each, depth_unknown: true, depth: { ready: 0, active: 0, delayed: 0, blocked: 0, total: 0 } })) } });
  }) });
  await settled(tab.page);
  assert.equal(await figure(tab.page, "Ready to go").innerText(), "–");
  await tab.page.getByText("Not known yet").waitFor();
  await tab.open("#/queues");
  assert.doesNotMatch((await tab.page.getByRole("row").filter({ hasText: "kept" }).innerText()).split("\t").slice(2, 6).join(), /0/);
  await tab.leave();
});

test("a chart of which no minute is known says so, and has no 0", async () => {
  const nothing = Array(60).fill(null);
  const series = { queue: null, endpoint: null, created: nothing, completed: nothing, failed: nothing, cancelled: nothing, attempts: nothing, attempts_failed: nothing, p95_ms: nothing };
  const tab = await visit({ at: "#/queues/kept", role: "admin", prepare: (context) => context.route("**/v1/stats/series**", (route) =>
    route.fulfill({ json: { since: new Date(Date.now() - 3_600_000).toISOString(), step_seconds: 60, minutes: 60, series: [series] } })) });
  await tab.page.getByText("No minute is known yet").waitFor();
  await tab.open("#/queues");
  assert.match(await tab.page.getByRole("row").filter({ hasText: "kept" }).innerText(), /–/);
  await tab.leave();
});

test("the banner's button asks at once", async () => {
  const tab = await visit({ at: "#/queues", role: "admin" });
  await settled(tab.page);
  await command("stop_handlers");
  await tab.page.getByRole("alert").waitFor({ timeout: 60_000 });
  await command("start");
  await isBack();
  await until(async () => {
    if ((await tab.page.getByRole("alert").count()) === 0) return true;
    await tab.page.getByRole("button", { name: "Try again" }).click().catch(() => {});
    return false;
  });
  await tab.leave();
});

test("a page that is opened while it is away says so, keeps the key, and goes on", async () => {
  const tab = await visit();
  await signIn(tab.page, env.POSTERN_READ_KEY);
  await command("stop_handlers");
  await tab.page.reload();
  await tab.page.getByRole("heading", { name: "The API does not answer" }).waitFor();
  await tab.page.getByRole("alert").waitFor();
  await command("start");
  await isBack();
  await press(tab.page, "Try again");
  await tab.page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  await tab.leave();
});

test("with a network that breaks", async () => {
  const tab = await visit({ at: "#/queues", role: "read" });
  await settled(tab.page);
  await tab.context.setOffline(true);
  await tab.page.getByRole("alert").getByText("The API does not answer").waitFor({ timeout: 30_000 });
  await tab.page.getByRole("row").filter({ hasText: "kept" }).waitFor();
  await tab.context.setOffline(false);
  await tab.page.getByRole("alert").waitFor({ state: "detached", timeout: 60_000 });
  await tab.leave();
});

test("a tab that nobody sees asks nothing, and asks at once when it is seen", async () => {
  const tab = await visit({ at: "#/", role: "read" });
  await settled(tab.page);
  // Without a window Chromium takes every tab for visible, so the page is told what a browser with one tells.
  const become = (state) => tab.page.evaluate((wanted) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => wanted });
    Object.defineProperty(document, "hidden", { configurable: true, get: () => wanted === "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
  const asked = (since) => tab.requests.filter(({ at, url }) => at > since && url.includes("/v1/")).length;
  const opened = Date.now();
  await until(() => asked(opened) >= 2, "it asks again and again");
  await become("hidden");
  await new Promise((resolve) => setTimeout(resolve, 3000));  // what was under way
  const hidden = Date.now();
  await new Promise((resolve) => setTimeout(resolve, 12_000));  // more than two of the overview's rounds
  assert.equal(asked(hidden), 0);
  const seen = Date.now();
  await become("visible");
  await until(() => asked(seen) >= 3, "it asks at once");
  assert.ok(Date.now() - seen < 5000);
  await tab.leave();
});

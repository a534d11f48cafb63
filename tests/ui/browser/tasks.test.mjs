// Lists of tasks: every filter, its address, and what is done to many.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { answer, api, assertClean, close, dialogOf, drawn, env, press, told, until, visit } from "./visit.mjs";

const made = {};
let tab;
before(async () => {
  const create = async (fields) => (await api("POST", "/v1/tasks", { webhook_url: env.RECEIVER_URL, ...fields })).json.id;
  const over = (id) => until(async () => ["completed", "failed"].includes((await api("GET", `/v1/tasks/${id}`)).json.status), id);
  await api("POST", "/v1/endpoints", { name: "mail", url: env.BROKEN_URL });
  made.old = await create({ queue: "alpha" });
  await over(made.old);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  made.middle = new Date();
  made.broken = [];
  for (let n = 0; n < 3; ++n) made.broken.push(await create({ queue: "beta", endpoint: "mail", webhook_url: undefined, max_retries: 0 }));
  made.tagged = await create({ queue: "alpha", tags: ["invoice"] });
  made.later = [];
  for (let n = 0; n < 4; ++n) made.later.push(await create({ queue: "gamma", delay: 3600 }));
  for (const id of [...made.broken, made.tagged]) await over(id);
  tab = await visit({ at: "#/tasks", role: "admin" });
});
after(close);

const shown = () => tab.page.locator("tbody tr").locator("a.mono").allInnerTexts();
const shows = (ids, what) => until(async () => JSON.stringify((await shown()).sort()) === JSON.stringify([...ids].sort()), what);

// Fills filters in, presses Show, and looks at what comes; then once more by the address alone, as another sees it.
async function filtered(fields, ids) {
  const { page } = tab;
  await page.goto(`${env.POSTERN_URL}/ui/#/tasks`);
  await drawn(page);  // which empties the fields
  for (const [label, value] of Object.entries(fields)) {
    const field = page.getByLabel("Filters").locator(".field").filter({ has: page.getByText(label, { exact: true }) }).locator("input, select");
    if (label === "Status") await field.selectOption(value);
    else await field.fill(value);
  }
  await press(page, "Show");
  await shows(ids, JSON.stringify(fields));
  const other = await visit({ at: new URL(page.url()).hash, role: "read" });
  await until(async () => JSON.stringify((await other.page.locator("tbody tr a.mono").allInnerTexts()).sort()) === JSON.stringify([...ids].sort()), page.url());
  assertClean(other);
  await other.leave();
}

test("by status", () => filtered({ Status: "pending" }, made.later));
test("by queue", () => filtered({ Queue: "alpha" }, [made.old, made.tagged]));
test("by endpoint", () => filtered({ Endpoint: "mail" }, made.broken));
test("by reason", () => filtered({ Reason: "exhausted" }, made.broken));
test("by tag", () => filtered({ Tag: "invoice" }, [made.tagged]));
test("by several", () => filtered({ Status: "failed", Queue: "beta", Endpoint: "mail" }, made.broken));

test("by time, which a link carries to other zones", async () => {
  const at = made.middle.toISOString();
  const rest = [...made.broken, made.tagged, ...made.later];
  await tab.open(`#/tasks?created_since=${encodeURIComponent(at)}`);
  await shows(rest, "created since");
  await tab.open(`#/tasks?created_until=${encodeURIComponent(at)}`);
  await shows([made.old], "created until");
});

test("a time is typed as the visitor's, and the address has everybody's", async () => {
  await tab.open("#/tasks");
  await tab.page.getByLabel("Created since").fill("2026-01-02T03:04");
  await tab.page.getByLabel("Created until").fill("2026-07-02T03:04");
  await press(tab.page, "Show");
  await until(() => tab.page.url().includes("created_since"));
  const query = new URLSearchParams(new URL(tab.page.url()).hash.split("?")[1]);
  assert.deepEqual([query.get("created_since"), query.get("created_until")], ["2026-01-02T02:04:00.000Z", "2026-07-02T01:04:00.000Z"], "Berlin, in winter and in summer");
  assert.equal(await tab.page.getByLabel("Created until").inputValue(), "2026-07-02T03:04");
});

test("by id, which leads to the task", async () => {
  await tab.open("#/tasks");
  await tab.page.getByLabel("Id").fill(` ${made.old} `);
  await press(tab.page, "Show");
  await tab.page.getByRole("heading", { name: made.old, level: 1 }).waitFor();
});

test("an id that nobody has says so", async () => {
  await tab.open(`#/tasks/${made.old.slice(0, -4)}zzzz`);
  await tab.page.getByRole("alert").waitFor();
});

test("a filter that is none says so, and what is there is not shown as its result", async () => {
  await tab.open("#/tasks");
  await until(async () => (await shown()).length > 0);
  await tab.open("#/tasks?created_since=yesterday");
  await tab.page.getByRole("alert").waitFor();
  assert.equal((await shown()).length, 0);
});

test("some are chosen and cancelled, and retried", async () => {
  await tab.open("#/tasks?queue=gamma");
  await shows(made.later, "gamma");
  for (const id of made.later.slice(0, 2)) await tab.page.getByLabel(`Choose ${id}`).check();
  await tab.page.getByText("2 chosen").waitFor();
  await tab.page.locator(".sheet header").getByRole("button", { name: "Cancel …", exact: true }).click();
  await dialogOf(tab.page).getByText("Cancel 2 tasks?").waitFor();
  await dialogOf(tab.page).getByRole("button", { name: "Cancel them" }).click();
  await told(tab.page, "2 tasks cancelled");
  for (const [at, id] of made.later.entries()) {
    assert.equal((await api("GET", `/v1/tasks/${id}`)).json.status, at < 2 ? "cancelled" : "pending");
  }
  await tab.page.getByLabel(`Choose ${made.later[0]}`).check();
  await tab.page.locator(".sheet header").getByRole("button", { name: "Retry", exact: true }).click();
  await told(tab.page, "1 task retried");
  await until(async () => (await api("GET", `/v1/tasks/${made.later[0]}`)).json.status !== "cancelled");
});

test("all that match are cancelled, after a count", async () => {
  const left = made.later.slice(2);
  await tab.open("#/tasks?queue=gamma&status=pending");
  await until(async () => (await api("GET", "/v1/tasks?queue=gamma&status=pending")).json.tasks.length === 2);
  await press(tab.page, "Cancel what waits …");
  await dialogOf(tab.page).getByText("2 tasks match now").waitFor();
  await dialogOf(tab.page).getByRole("button", { name: "Cancel them" }).click();
  await told(tab.page, "2 tasks cancelled");
  for (const id of left) assert.equal((await api("GET", `/v1/tasks/${id}`)).json.status, "cancelled");
});

test("all that failed are retried, after a count", async () => {
  await tab.open("#/tasks?status=failed&reason=exhausted&queue=beta");
  await shows(made.broken, "failed");
  await press(tab.page, "Retry all of these …");
  await dialogOf(tab.page).getByText("3 tasks match now").waitFor();
  await dialogOf(tab.page).getByRole("button", { name: "Retry them" }).click();
  await told(tab.page, "3 tasks retried");
  await until(async () => (await Promise.all(made.broken.map((id) => api("GET", `/v1/tasks/${id}`)))).every(({ json }) => json.attempt_count >= 1));
  assertClean(tab, 400, 404);
});

test("many are on pages, newest first", async () => {
  const tasks = Array.from({ length: 60 }, () => ({ queue: "pages", webhook_url: env.RECEIVER_URL, delay: 3600 }));
  assert.equal((await api("POST", "/v1/tasks/batch", { tasks })).status, 200);
  await tab.open("#/tasks?queue=pages");
  await until(async () => (await shown()).length === 50);
  const first = await shown();
  await tab.page.getByRole("link", { name: "Older" }).click();
  await until(async () => (await shown()).length === 10);
  assert.equal((await shown()).filter((id) => first.includes(id)).length, 0);
  await tab.page.getByRole("link", { name: "Newest" }).click();
  await until(async () => (await shown()).length === 50);
  assert.deepEqual(await shown(), first);
});

// Endpoints, and the failures that they cause: every action of an admin.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { answer, api, assertClean, close, command, dialogOf, env, press, told, until, visit } from "./visit.mjs";

let tab;
before(async () => { tab = await visit({ at: "#/endpoints", role: "admin" }); });
after(close);

const get = async (name) => (await api("GET", `/v1/endpoints/${encodeURIComponent(name)}`)).json;
const heading = (name) => tab.page.getByRole("heading", { name, level: 1 }).waitFor();

test("without one, the screen says what they are for", async () => {
  await tab.page.getByText("There is no endpoint").waitFor();
});

test("a new one", async () => {
  await press(tab.page, "New endpoint …");
  const dialog = dialogOf(tab.page);
  await dialog.getByLabel("Name").fill("bad name");
  await dialog.getByLabel("URL").fill(env.BROKEN_URL);
  await dialog.getByRole("button", { name: "Make it" }).click();
  await dialog.locator(".field", { hasText: "Name" }).locator(".wrong").waitFor();
  await dialog.getByLabel("Name").fill("shop:orders");
  await dialog.getByLabel("Attempts at the same time").fill("4");
  await dialog.getByRole("button", { name: "Make it" }).click();
  await heading("shop:orders");
  await told(tab.page, "It is made");
  const made = await get("shop:orders");
  assert.deepEqual([made.url, made.method, made.max_in_flight], [env.BROKEN_URL, "POST", 4]);
});

test("the figures of one that nothing went to are dashes", async () => {
  const text = await tab.page.locator(".figures").innerText();
  assert.match(text, /Succeeded, last hour\s+–/);
  assert.match(text, /Attempts take, p95\s+–/);
});

test("change", async () => {
  await press(tab.page, "Change …");
  await dialogOf(tab.page).getByLabel("Method").selectOption("PUT");
  await dialogOf(tab.page).getByLabel("Timeout of an attempt").fill("7");
  await press(tab.page, "Save");
  await told(tab.page, "It is changed");
  const { method, timeout_seconds, url } = await get("shop:orders");
  assert.deepEqual([method, timeout_seconds, url], ["PUT", 7, env.BROKEN_URL]);
  await tab.page.getByText(`PUT ${env.BROKEN_URL}`).waitFor();
});

test("pause and resume", async () => {
  await press(tab.page, "Pause");
  await told(tab.page, "It is paused");
  assert.equal((await get("shop:orders")).paused, true);
  await press(tab.page, "Resume");
  await told(tab.page, "It goes on");
  assert.equal((await get("shop:orders")).paused, false);
});

test("a test task goes there, and is shown", async () => {
  await press(tab.page, "Test");
  await told(tab.page, "A test task is on its way");
  await tab.page.getByText("endpoint-tests").waitFor();
  await tab.page.getByText("HTTP 503").first().waitFor();
  assert.equal(await command("came", { path: "/broken" }), 1);
});

test("failures are put together, and the tasks behind them are listed", async () => {
  const ids = [];
  for (let n = 0; n < 3; ++n) ids.push((await api("POST", "/v1/tasks", { queue: "orders", endpoint: "shop:orders", max_retries: 0 })).json.id);
  for (const id of ids) await until(async () => (await api("GET", `/v1/tasks/${id}`)).json.status === "failed");
  await tab.open("#/failures");
  const row = tab.page.getByRole("row").filter({ hasText: "orders" }).filter({ hasText: "exhausted" }).filter({ has: tab.page.getByRole("link", { name: "3", exact: true }) });
  await row.waitFor();
  assert.match(await row.innerText(), /every attempt failed[\s\S]*shop:orders[\s\S]*503/);
  await tab.open("#/failures?queue=nowhere");
  await tab.page.getByText("Nothing failed").waitFor();
  await tab.page.getByRole("link", { name: "Show all" }).first().click();
  await row.waitFor();
  await row.getByRole("link", { name: "3", exact: true }).click();
  await tab.page.getByText("3 found").waitFor();
  for (const id of ids) await tab.page.getByRole("link", { name: id }).waitFor();
});

test("a redrive counts first, and retries", async () => {
  await tab.open("#/failures?queue=orders");
  await press(tab.page, "Retry …");
  await dialogOf(tab.page).getByText("3 tasks match now").waitFor();
  await dialogOf(tab.page).getByRole("button", { name: "Retry them" }).click();
  await told(tab.page, "3 tasks retried");
  await until(async () => (await command("came", { path: "/broken" })) === 7, "they are sent again");
});

test("recover retries what failed there, once it is mended", async () => {
  await until(async () => (await api("GET", "/v1/tasks?queue=orders&status=failed")).json.tasks.length === 3);
  await command("mend");
  await tab.open("#/endpoints/shop%3Aorders");
  await press(tab.page, "Recover …");
  await dialogOf(tab.page).getByText(/^[3-9] tasks\. Each starts again/).waitFor();
  await dialogOf(tab.page).getByRole("button", { name: "Retry it" }).click();
  await told(tab.page, "tasks retried");
  await until(async () => (await api("GET", "/v1/tasks?queue=orders&status=completed")).json.tasks.length === 3);
});

test("a rotated secret is shown once, and is nowhere after that", async () => {
  await press(tab.page, "Rotate secret …");
  await dialogOf(tab.page).getByRole("button", { name: "Make it" }).click();
  const secret = await dialogOf(tab.page).locator("pre").innerText();
  assert.match(secret, /^whsec_/);
  await dialogOf(tab.page).getByRole("button", { name: "Close" }).click();
  await tab.page.getByText("its own secret").waitFor();
  assert.ok(!(await tab.page.content()).includes(secret));
  assert.equal((await get("shop:orders")).own_secret, true);
  await press(tab.page, "Rotate secret …");
  await dialogOf(tab.page).getByRole("button", { name: "Make it" }).click();
  await dialogOf(tab.page).getByRole("alert").waitFor();  // within 24 hours of the last
  await tab.page.keyboard.press("Escape");
});

test("the catch-all, whose name is a star", async () => {
  await tab.open("#/endpoints");
  await press(tab.page, "New endpoint …");
  await dialogOf(tab.page).getByLabel("Name").fill("*");
  await dialogOf(tab.page).getByLabel("URL").fill(env.RECEIVER_URL);
  await dialogOf(tab.page).getByRole("button", { name: "Make it" }).click();
  await heading("* (catch-all)");
  await press(tab.page, "Pause");
  await told(tab.page, "It is paused");
  assert.equal((await get("*")).paused, true);
});

test("delete", async () => {
  await answer(tab.page, "Delete …", "Delete it");
  await heading("Endpoints");
  await told(tab.page, "It is deleted");
  assert.equal((await api("GET", "/v1/endpoints/*")).status, 404);
  assertClean(tab, 400, 409);
});

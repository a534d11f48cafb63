// Queues: how many wait, and what an admin does to them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { answer, api, assertClean, close, dialogOf, env, press, told, until, visit } from "./visit.mjs";

let tab;
before(async () => {
  await api("POST", "/v1/queues", { name: "letters", max_concurrent: 5 });
  await api("POST", "/v1/queues/letters/pause");
  for (let n = 0; n < 7; ++n) await api("POST", "/v1/tasks", { queue: "letters", webhook_url: env.RECEIVER_URL });
  await api("POST", "/v1/tasks", { queue: "parcels", webhook_url: env.RECEIVER_URL });
  tab = await visit({ at: "#/queues", role: "admin" });
});
after(close);

const row = (name) => tab.page.getByRole("row").filter({ has: tab.page.getByRole("link", { name, exact: true }) });
const figure = (name) => tab.page.locator(".figures > div").filter({ hasText: name }).locator("dd");
const shows = (name, text) => until(async () => (await figure(name).innerText()).trim() === text, `${name}: ${text}`);
const queue = async () => (await api("GET", "/v1/queues/letters")).json;

test("the list shows what waits, and finds a queue by a part of its name", async () => {
  await until(async () => /paused[\s\S]*\b7\b/.test(await row("letters").innerText()), "7 wait in a paused queue");
  await tab.page.getByLabel("Find by name").fill("LETT");
  await row("parcels").waitFor({ state: "detached" });
  assert.ok(await row("letters").isVisible());
  assert.equal(new URL(tab.page.url()).hash, "#/queues?name=LETT");
  await tab.page.reload();
  await row("letters").waitFor();
  assert.equal(await row("parcels").count(), 0, "the address holds the filter");
  await tab.page.getByLabel("Find by name").fill("no such");
  await tab.page.getByText("No queue has such a name").waitFor();
  await tab.page.getByRole("link", { name: "Show all" }).click();
  await row("parcels").waitFor();
});

test("pause and resume in the list", async () => {
  await row("parcels").getByRole("button", { name: "Pause" }).click();
  await told(tab.page, "parcels is paused");
  await row("parcels").getByRole("button", { name: "Resume" }).waitFor();
  assert.equal((await api("GET", "/v1/queues/parcels")).json.paused, true);
  await row("parcels").getByRole("button", { name: "Resume" }).click();
  await row("parcels").getByRole("button", { name: "Pause" }).waitFor();
  assert.equal((await api("GET", "/v1/queues/parcels")).json.paused, false);
});

test("a change of limits", async () => {
  await row("letters").getByRole("link").first().click();
  await tab.page.getByRole("heading", { name: "letters", level: 1 }).waitFor();
  await shows("Ready to go", "7");
  await press(tab.page, "Change …");
  const dialog = dialogOf(tab.page);
  await dialog.getByLabel("Deliveries at the same time").fill("3");
  await dialog.getByLabel("Attempts in a period").fill("10");
  await dialog.getByLabel("That period").fill("2");
  await dialog.getByLabel("A task may wait at most").fill("1h30m");
  await press(tab.page, "Save");
  await dialog.waitFor({ state: "hidden" });
  await tab.page.getByText("3 deliveries").waitFor();
  const { max_concurrent, rate_limit, max_age } = await queue();
  assert.deepEqual([max_concurrent, rate_limit.count, rate_limit.period_seconds, max_age], [3, 10, 2, 5400 * 1e9]);
});

test("a change that is refused says so at the field, and nothing is changed", async () => {
  await press(tab.page, "Change …");
  const dialog = dialogOf(tab.page);
  await dialog.getByLabel("Deliveries at the same time").fill("20000");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.locator(".field", { hasText: "Deliveries at the same time" }).locator(".wrong").waitFor();
  assert.match(await dialog.getByRole("alert").innerText(), /10,?000/);
  await dialog.getByRole("button", { name: "Back" }).click();
  assert.equal((await queue()).max_concurrent, 3);
});

test("an emptied limit is none", async () => {
  await press(tab.page, "Change …");
  await dialogOf(tab.page).getByLabel("Attempts in a period").fill("");
  await press(tab.page, "Save");
  await dialogOf(tab.page).waitFor({ state: "hidden" });
  await until(async () => (await queue()).rate_limit === null || (await queue()).rate_limit === undefined);
});

test("a purge says first how many it hits", async () => {
  await press(tab.page, "Purge …");
  await dialogOf(tab.page).getByText("7 tasks match now").waitFor();
  await dialogOf(tab.page).getByRole("button", { name: "Back" }).click();
  assert.equal((await api("GET", "/v1/queues/letters/stats")).json.depth.ready, 7, "closing does nothing");
  await answer(tab.page, "Purge …", "Cancel them");
  await told(tab.page, "letters is purged");
  await shows("Ready to go", "0");
  assert.equal((await api("GET", "/v1/tasks?queue=letters&status=cancelled")).json.tasks.length, 7);
  await press(tab.page, "Purge …");
  await dialogOf(tab.page).getByText("0 tasks match now").waitFor();
  assert.ok(await dialogOf(tab.page).getByRole("button", { name: "Cancel them" }).isDisabled());
  await tab.page.keyboard.press("Escape");
});

test("resumed, it delivers again", async () => {
  await press(tab.page, "Resume");
  await told(tab.page, "letters goes on");
  await api("POST", "/v1/tasks", { queue: "letters", webhook_url: env.RECEIVER_URL });
  await shows("Delivered, ever", "1");
  assertClean(tab, 400, 422);
});

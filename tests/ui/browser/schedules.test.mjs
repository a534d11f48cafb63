// Schedules: what comes next, also while an expression is typed, and every action of an admin.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { answer, api, assertClean, close, dialogOf, env, press, told, until, visit } from "./visit.mjs";

let tab;
before(async () => { tab = await visit({ at: "#/schedules", role: "admin" }); });
after(close);

const get = async () => (await api("GET", "/v1/schedules/report")).json;
const heading = (name) => tab.page.getByRole("heading", { name, level: 1 }).waitFor();

test("while an expression is typed, the next times are shown in its zone, and what is wrong with it at its field", async () => {
  await tab.page.getByText("There is no schedule").waitFor();
  await press(tab.page, "New schedule …");
  const dialog = dialogOf(tab.page);
  await dialog.getByLabel("When").fill("30 6 * * 1");
  await dialog.getByLabel("Time zone").fill("America/New_York");
  await until(async () => (await dialog.locator("ol li").count()) === 5);
  for (const each of await dialog.locator("ol li").allInnerTexts()) assert.match(each, /^Mon.*06:30:00/);
  const asked = tab.page.waitForResponse((reply) => reply.url().endsWith("/preview") && reply.status() === 400);
  await dialog.getByLabel("Time zone").fill("America/New_Yor");
  await asked;
  await dialog.getByText("There is no time zone").first().waitFor();
  assertClean(tab, 400);
  await dialog.getByLabel("Time zone").fill("America/New_York");
  await until(async () => (await dialog.locator("ol li").count()) === 5);
  await dialog.getByLabel("When").fill("30 26 * * 1");
  await dialog.locator(".note").first().waitFor();
  assert.equal(await dialog.locator("ol li").count(), 0);
  await dialog.getByLabel("Name").fill("report");
  await dialog.getByLabel("Queue of its tasks").fill("reports");
  await dialog.getByLabel("URL").fill(env.RECEIVER_URL);
  await dialog.getByRole("button", { name: "Make it" }).click();
  await dialog.locator(".field", { hasText: "When" }).locator(".wrong").waitFor();
  await dialog.getByLabel("When").fill("30 6 * * 1-5");
  await until(async () => (await dialog.locator("ol li").count()) === 5);
  await dialog.getByLabel("Payload, JSON").fill('{"kind": "weekly"}');
  await dialog.getByRole("button", { name: "Make it" }).click();
  await heading("report");
  const made = await get();
  assert.deepEqual([made.schedule, made.timezone, made.queue, made.payload], ["30 6 * * 1-5", "America/New_York", "reports", { kind: "weekly" }]);
});

test("the next ten times are those of the API, in the schedule's zone", async () => {
  await until(async () => (await tab.page.locator("ol > li time").count()) >= 10);
  const { next } = (await api("GET", "/v1/schedules/report/next?n=10")).json;
  const shown = await tab.page.locator("ol > li > time").evaluateAll((all) => all.map((each) => each.getAttribute("datetime")));
  assert.deepEqual(shown, next);
  for (const each of await tab.page.locator("ol > li > time").allInnerTexts()) assert.match(each, /06:30:00/);
});

test("change, to an interval", async () => {
  await press(tab.page, "Change …");
  const dialog = dialogOf(tab.page);
  await dialog.getByLabel("When").fill("5400");
  await dialog.getByLabel("While the task of the run before is live").selectOption("skip");
  await dialog.getByRole("button", { name: "Save" }).click();
  await told(tab.page, "It is changed");
  const { schedule, overlap } = await get();
  assert.deepEqual([schedule, overlap], ["@every 5400s", "skip"]);
});

test("what a change does not touch stays", async () => {
  await press(tab.page, "Change …");
  await dialogOf(tab.page).getByLabel("Late occurrences").selectOption("all");
  await dialogOf(tab.page).getByRole("button", { name: "Save" }).click();
  await until(async () => (await get()).misfire === "all");
  assert.equal((await get()).schedule, "@every 5400s");
});

test("pause and resume", async () => {
  await press(tab.page, "Pause");
  await told(tab.page, "It is paused");
  await tab.page.getByText("When it goes on:").waitFor();
  assert.equal((await get()).paused, true);
  await press(tab.page, "Resume");
  await told(tab.page, "It goes on");
  assert.equal((await get()).paused, false);
});

test("run once now leads to the task, which leads back, and is among its runs", async () => {
  await press(tab.page, "Run once now");
  await told(tab.page, "A task is made");
  await until(() => tab.page.url().includes("#/tasks/task_"));
  const id = tab.page.url().replace(/^.*\//, "");
  await tab.page.getByText("Delivered").waitFor();
  await tab.page.getByRole("link", { name: "report", exact: true }).click();
  await heading("report");
  await tab.page.getByRole("link", { name: "its task" }).first().click();
  await heading(id);
});

test("delete", async () => {
  await tab.open("#/schedules/report");
  await answer(tab.page, "Delete …", "Delete it");
  await heading("Schedules");
  assert.equal((await api("GET", "/v1/schedules/report")).status, 404);
  assertClean(tab, 400);
});

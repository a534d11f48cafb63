// One task: what is shown of it, and every action.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, test } from "node:test";
import { promisify } from "node:util";

import { answer, api, assertClean, close, dialogOf, env, press, told, until, visit } from "./visit.mjs";

after(close);

const create = async (fields) => (await api("POST", "/v1/tasks", { queue: "one", webhook_url: env.RECEIVER_URL, ...fields })).json.id;
const get = async (id) => (await api("GET", `/v1/tasks/${id}`)).json;
const is = (id, status) => until(async () => (await get(id)).status === status, `${id} is ${status}`);

async function on(id) {
  const tab = await visit({ at: `#/tasks/${id}`, role: "admin", prepare: (context) => context.grantPermissions(["clipboard-read", "clipboard-write"]) });
  await tab.page.getByRole("heading", { name: id, level: 1 }).waitFor();
  return tab;
}

test("its attempts with what was answered, and the next one", async () => {
  const id = await create({ webhook_url: env.BROKEN_URL, retry_policy: { intervals: [3600] }, max_retries: 3, tags: ["a/b"], headers: { "X-Kind": "test" } });
  await until(async () => (await get(id)).attempt_count === 1);
  const tab = await on(id);
  await tab.page.getByText("Attempt 1").waitFor();
  await tab.page.getByText("HTTP 503").first().waitFor();
  await tab.page.getByText("What the receiver answered").click();
  await tab.page.getByText("the mail server is down").waitFor();
  await tab.page.getByText("Next attempt").waitFor();
  await tab.page.getByText("X-Kind").waitFor();
  await tab.page.getByRole("link", { name: "a/b" }).click();
  await tab.page.getByRole("link", { name: id }).waitFor();
  assertClean(tab);
  await tab.leave();
});

test("what it waits for leads there", async () => {
  const before = await create({ delay: 3600 });
  const id = await create({ dependencies: [before] });
  const tab = await on(id);
  await tab.page.getByText("Waits for other tasks").waitFor();
  await tab.page.getByRole("link", { name: before }).click();
  await tab.page.getByRole("heading", { name: before, level: 1 }).waitFor();
  assertClean(tab);
  await tab.leave();
});

test("run now", async () => {
  const id = await create({ delay: 3600 });
  const tab = await on(id);
  await press(tab.page, "Run now");
  await told(tab.page, "It is due now");
  await is(id, "completed");
  await tab.page.getByText("Delivered").waitFor();
  assert.equal(await tab.page.getByRole("button", { name: "Run now" }).count(), 0);
  assertClean(tab);
  await tab.leave();
});

test("change", async () => {
  const id = await create({ delay: 3600, payload: { n: 1 } });
  const tab = await on(id);
  await press(tab.page, "Change …");
  const dialog = dialogOf(tab.page);
  await dialog.getByLabel("Payload, JSON").fill("{ no JSON");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByRole("alert").getByText("The payload is no JSON").waitFor();
  await dialog.getByLabel("Payload, JSON").fill('{"n": 2}');
  await dialog.getByLabel("Priority").fill("9");
  await dialog.getByLabel("Start at").fill("2099-01-02T03:04:05");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.locator(".field", { hasText: "Start at" }).getByText("at most ten years from now").waitFor();
  const year = new Date().getFullYear() + 1;
  await dialog.getByLabel("Start at").fill(`${year}-01-02T03:04:05`);
  await dialog.getByRole("button", { name: "Save" }).click();
  await told(tab.page, "The task is changed");
  await tab.page.getByText('"n": 2').waitFor();
  const task = await get(id);
  assert.deepEqual([task.payload, task.priority], [{ n: 2 }, 9]);
  assert.equal(new Date(task.next_attempt_at).toISOString(), `${year}-01-02T02:04:05.000Z`, "the visitor's time is that of Berlin");
  assertClean(tab, 400);
  await tab.leave();
});

test("cancel, and retry what is cancelled", async () => {
  const id = await create({ delay: 3600 });
  const tab = await on(id);
  await answer(tab.page, "Cancel …", "Cancel it");
  await told(tab.page, "It is cancelled");
  await is(id, "cancelled");
  await press(tab.page, "Retry");
  await told(tab.page, "It is tried again");
  await is(id, "completed");
  assertClean(tab);
  await tab.leave();
});

test("delete", async () => {
  const id = await create({ delay: 3600 });
  const tab = await on(id);
  await answer(tab.page, "Delete …", "Delete it");
  await tab.page.getByRole("heading", { name: "Tasks", level: 1 }).waitFor();
  await told(tab.page, "It is deleted");
  assert.equal((await api("GET", `/v1/tasks/${id}`)).status, 404);
  assertClean(tab, 404);
  await tab.leave();
});

test("copied as curl, it makes such a task again", async () => {
  const payload = { text: "it's \"quoted\" $HOME `id` \\ \n ü" };
  const id = await create({ payload, tags: ["copy"], priority: 7, max_retries: 2, headers: { "X-Kind": "it's" } });
  await is(id, "completed");
  const tab = await on(id);
  await press(tab.page, "Copy as curl");
  await told(tab.page, "Copied");
  const text = await tab.page.evaluate(() => navigator.clipboard.readText());
  assert.doesNotMatch(text, new RegExp(env.POSTERN_ADMIN_KEY), "the key is not in it");
  const { stdout } = await promisify(execFile)("bash", ["-c", `${text.replace(/^curl /, "curl -sS ")}`], { env: { ...env, POSTERN_KEY: env.POSTERN_ADMIN_KEY } });
  const again = await get(JSON.parse(stdout).id);
  assert.notEqual(again.id, id);
  assert.deepEqual([again.payload, again.tags, again.priority, again.max_retries, again.headers], [payload, ["copy"], 7, 2, { "X-Kind": "it's" }]);
  assertClean(tab);
  await tab.leave();
});

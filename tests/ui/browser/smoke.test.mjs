// The dashboard from the door to a task: that it works at all.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { api, assertClean, close, env, visit } from "./visit.mjs";

after(close);

test("a visitor signs in, sees what there is, and finds a task", async () => {
  const created = await api("POST", "/v1/tasks", { queue: "smoke", webhook_url: env.RECEIVER_URL, payload: { hello: "world" } });
  assert.equal(created.status, 201);
  const tab = await visit();
  const { page } = tab;
  await page.getByLabel("API key or token").fill(env.POSTERN_READ_KEY);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  await page.getByText("Schedulers alive").waitFor();
  await page.getByRole("link", { name: "Tasks", exact: true }).click();
  await page.getByRole("link", { name: created.json.id }).click();
  await page.getByRole("heading", { name: created.json.id }).waitFor();
  await page.getByText("Delivered").waitFor();
  assert.match(await page.locator("pre").first().innerText(), /"hello": "world"/);
  assert.equal(await page.getByRole("button", { name: /^(Retry|Cancel|Delete)/ }).count(), 0, "a read key sees no buttons");
  assertClean(tab);
  await tab.leave();
});

test("a wrong key is refused with the API's words", async () => {
  const tab = await visit();
  await tab.page.getByLabel("API key or token").fill("postern_wrong");
  await tab.page.getByRole("button", { name: "Sign in" }).click();
  await tab.page.getByRole("alert").getByText("unknown, revoked or expired").waitFor();
  await tab.leave();
});

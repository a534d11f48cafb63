// Where nginx asks a sign-on who somebody is, nobody needs a key.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { assertClean, close, env, press, settled, told, visit } from "./visit.mjs";

after(close);

const as = (session) => visit({ at: "#/endpoints", prepare: (context) => context.addCookies([{ name: "session", value: session, url: env.POSTERN_URL }]) });

test("an admin is known at once, and may do what admins may", async () => {
  const tab = await as("ann");
  await settled(tab.page);
  await tab.page.locator(".bar").getByText("ann").waitFor();
  await tab.page.locator(".bar").getByText("role admin").waitFor();
  assert.equal(await tab.page.getByRole("button", { name: "Sign out" }).count(), 0, "there is no key to forget");
  await press(tab.page, "New endpoint …");
  await tab.page.getByLabel("Name").fill("of-ann");
  await tab.page.getByLabel("URL").fill(env.RECEIVER_URL);
  await press(tab.page, "Make it");
  await told(tab.page, "It is made");
  assert.equal(await tab.page.evaluate(() => sessionStorage.length), 0);
  assertClean(tab);
  await tab.leave();
});

test("a reader of another tenant sees that, and no button", async () => {
  const tab = await as("bob");
  await tab.page.getByText("There is no endpoint").waitFor();
  await tab.page.locator(".bar").getByText("tenant acme").waitFor();
  assert.equal(await tab.page.locator("main button").count(), 0);
  assertClean(tab);
  await tab.leave();
});

test("who is not signed on, or has no role, is told so", async () => {
  for (const session of ["nobody", "eve"]) {
    const tab = await as(session);
    await tab.page.getByRole("alert").waitFor();
    assertClean(tab, 401, 403);
    await tab.leave();
  }
});

test("whose sign-on ends is asked to reload", async () => {
  const tab = await as("ann");
  await settled(tab.page);
  await tab.context.clearCookies();
  await tab.page.getByRole("link", { name: "Queues", exact: true }).click();
  await tab.page.getByText("Reload this page").waitFor();
  await tab.leave();
});

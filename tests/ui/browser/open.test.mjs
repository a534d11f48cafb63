// A server without authentication: everybody is an admin, and never an operator.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { screens } from "./screens.mjs";
import { assertClean, close, settled, visit } from "./visit.mjs";

after(close);

test("no key is asked for", async () => {
  const tab = await visit();
  await settled(tab.page);
  await tab.page.locator(".bar").getByText("role admin").waitFor();
  assert.equal(await tab.page.getByRole("button", { name: "Sign out" }).count(), 0);
  for (const { at, title } of screens.filter(({ at: address, least }) => least !== "operator" && address.split("/").length === 2)) {
    await tab.open(at);
    await tab.page.getByRole("heading", { name: title, level: 1 }).waitFor();
  }
  assertClean(tab);
  await tab.open("#/keys");
  await tab.page.getByText("Nobody needs a key here").waitFor();
  assertClean(tab);
  await tab.open("#/tenants");
  await tab.page.getByText("Not with this role").waitFor();
  await tab.leave();
});

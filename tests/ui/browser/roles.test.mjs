// What each role sees, and what it may press.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { screens } from "./screens.mjs";
import { assertClean, close, dialogOf, env, known, settled, visit } from "./visit.mjs";

after(close);

// The buttons of the screen itself that change something; those of every screen are left out.
async function buttons(page) {
  await settled(page);
  const all = await page.locator("main button:visible").allInnerTexts();
  return all.filter((each) => !["Show", "Copy", "Copy as curl"].includes(each));
}

const links = (page) => page.getByRole("navigation", { name: "Screens" }).getByRole("link").allInnerTexts();
const everywhere = ["Overview", "Queues", "Tasks", "Failures", "Schedules", "Endpoints", "Health"];

// Every screen that the role may see, with what may be pressed there, by the screen's name.
async function pressable(role) {
  const tab = await visit({ role });
  const found = {};
  for (const { name, at, least, title } of screens) {
    if (least) continue;
    await tab.open(at);
    await tab.page.getByRole("heading", { name: title, level: 1 }).waitFor();
    const all = await buttons(tab.page);
    if (all.length > 0) found[name] = [...new Set(all)].sort();
  }
  const shown = await links(tab.page);
  assertClean(tab);
  await tab.leave();
  return { found, shown };
}

test("read: every screen, and no button", async () => {
  const { found, shown } = await pressable("read");
  assert.deepEqual(found, {});
  assert.deepEqual(shown, everywhere);
});

test("worker: only retries", async () => {
  const { found, shown } = await pressable("worker");
  assert.deepEqual(found, {
    "tasks-failed": ["Retry all of these …"], "task-failed": ["Retry"], "task-delivered": ["Retry"], failures: ["Retry …"], endpoint: ["Recover …"],
  });
  assert.deepEqual(shown, everywhere);
});

test("sandbox: looks, whatever its role", async () => {
  const { found, shown } = await pressable("sandbox");
  assert.deepEqual(found, {});
  assert.deepEqual(shown, everywhere);
});

test("a worker retries", async () => {
  const tab = await visit({ at: `#/tasks/${known.failed}`, role: "worker" });
  await tab.page.getByRole("button", { name: "Retry" }).click();
  await tab.page.locator(".toasts").getByText("It is tried again").waitFor();
  assertClean(tab);
  await tab.leave();
});

test("who one is stands in the bar", async () => {
  for (const [role, text] of [["read", "role read"], ["admin", "role admin"], ["operator", "role operator"], ["sandbox", "sandbox"]]) {
    const tab = await visit({ role });
    await tab.page.locator(".bar").getByText(text).first().waitFor();
    await tab.page.locator(".bar").getByText("tenant default").waitFor();
    const shown = await links(tab.page);
    assert.equal(shown.includes("Tenants"), role === "operator");
    await tab.leave();
  }
});

test("a screen above one's role says so, also by its address, and asks the API nothing", async () => {
  for (const [role, at] of [["read", "#/keys"], ["worker", "#/keys"], ["read", "#/tenants"], ["admin", "#/tenants"], ["sandbox", "#/keys"]]) {
    const tab = await visit({ at, role });
    await tab.page.getByText("Not with this role").waitFor();
    await tab.page.getByText(`with the role ${role === "sandbox" ? "admin, sandbox" : role}`).waitFor();
    assert.deepEqual(tab.requests.filter(({ url }) => /\/v1\/(keys|tenants)/.test(url)), []);
    assertClean(tab);
    await tab.leave();
  }
});

test("an address that is no screen leads on", async () => {
  for (const at of ["#/nothing", "#/queues/a/b", "#/overview/more", "#/tasks/%E0%A4%A"]) {
    const tab = await visit({ at, role: "read" });
    await tab.page.locator("main").getByText(/There is no such screen|no task|not a|invalid/i).first().waitFor();
    assert.deepEqual(tab.problems.filter((each) => each.startsWith("exception")), []);
    await tab.leave();
  }
});

test("what the API refuses to a role is said, although no button leads there", async () => {
  const tab = await visit({ at: "#/queues/emails", role: "admin" });
  await tab.page.getByRole("button", { name: "Pause" }).waitFor();
  // The key in this tab becomes another's while the page goes on showing the buttons.
  await tab.page.route("**/v1/queues/emails/pause", (route) => route.continue({ headers: { ...route.request().headers(), authorization: `Bearer ${env.POSTERN_READ_KEY}` } }));
  await tab.page.getByRole("button", { name: "Pause" }).click();
  await tab.page.locator(".toasts .bad").getByText("role").waitFor();
  assert.equal(await dialogOf(tab.page).count(), 0);
  assertClean(tab, 403);
  await tab.leave();
});

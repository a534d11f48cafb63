// With a keyboard alone.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { assertClean, close, dialogOf, env, settled, until, visit } from "./visit.mjs";

after(close);

const focused = (page) => page.evaluate(() => document.activeElement?.innerText || document.activeElement?.tagName);

// Presses Tab until what is focused has the text.
async function tabTo(page, text, most = 80) {
  for (let n = 0; n < most; ++n) {
    await page.keyboard.press("Tab");
    if ((await focused(page)) === text) return;
  }
  assert.fail(`Tab does not lead to ${text}`);
}

// Whether a line or a ring shows where the focus is.
const isSeen = (page) => page.evaluate(() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
});

test("signs in, goes to a screen, opens and closes a dialog, and is back where it was", async () => {
  const tab = await visit();
  const { page } = tab;
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await until(async () => (await focused(page)) === "INPUT", "the field of the key has the focus");
  await page.keyboard.type(env.POSTERN_ADMIN_KEY);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  await settled(page);
  await page.locator("body").evaluate(() => document.activeElement.blur());
  await tabTo(page, "To the content");  // the first of the page: Tab has to go around
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.keyboard.press("Shift+Tab");
  assert.ok(await isSeen(page), "the focus is seen");
  await page.goto(`${env.POSTERN_URL}/ui/#/`);
  await page.locator("body").evaluate(() => document.activeElement.blur());
  await tabTo(page, "Schedules");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Schedules", level: 1 }).waitFor();
  await until(async () => (await focused(page)) === "Schedules", "the new screen's title has the focus");
  await tabTo(page, "New schedule …");
  assert.ok(await isSeen(page));
  await page.keyboard.press("Enter");
  await dialogOf(page).waitFor();
  assert.equal(await focused(page), "INPUT", "the first field has the focus");
  for (let n = 0; n < 25; ++n) {
    await page.keyboard.press("Tab");
    const place = await page.evaluate(() => (document.activeElement === document.body ? "page" : document.activeElement.closest("dialog") ? "dialog" : "behind"));
    assert.notEqual(place, "behind", "Tab does not leave the dialog for what is behind it");
  }
  await page.keyboard.press("Escape");
  await dialogOf(page).waitFor({ state: "detached" });
  assert.equal(await focused(page), "New schedule …");
  assertClean(tab);
  await tab.leave();
});

test("chooses a filter, a row, and what is done to it", async () => {
  const tab = await visit({ at: "#/tasks?queue=newsletter", role: "admin" });
  const { page } = tab;
  await page.getByText("12 found").waitFor();
  await page.locator("tbody input").first().focus();
  await page.keyboard.press("Space");
  await page.getByText("1 chosen").waitFor();
  assert.ok(await isSeen(page));
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: /^task_/, level: 1 }).waitFor();
  await tabTo(page, "Cancel …");
  await page.keyboard.press("Enter");
  await dialogOf(page).waitFor();
  await tabTo(page, "Cancel it", 5);
  await page.keyboard.press("Enter");
  await page.locator(".toasts").getByText("It is cancelled").waitFor();
  assertClean(tab);
  await tab.leave();
});

test("what scrolls has the focus, too", async () => {
  const tab = await visit({ at: "#/queues", role: "read", viewport: { width: 400, height: 800 } });
  await tab.page.getByRole("region", { name: "Queues" }).focus();
  await tab.page.keyboard.press("ArrowRight");
  await until(() => tab.page.getByRole("region", { name: "Queues" }).evaluate((each) => each.scrollLeft > 0));
  await tab.leave();
});

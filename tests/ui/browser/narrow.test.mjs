// A telephone: no screen is wider than its window of 400 px, and all of it can be reached.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { screens } from "./screens.mjs";
import { assertClean, assertDialogFits, close, dialogOf, overflows, press, settled, visit } from "./visit.mjs";

const viewport = { width: 400, height: 800 };
let tab;
before(async () => { tab = await visit({ role: "operator", viewport }); });
after(close);

// What sticks out of the window, or of a box that does not scroll.
const outside = (page) => page.evaluate(() => [...document.querySelectorAll("a, button, input, select, textarea, h1, h2, dd, td, th, p, pre")].filter((each) => {
  const { left, right, width } = each.getBoundingClientRect();
  for (let box = each.parentElement; box; box = box.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(box).overflowX)) return false;
  }
  const hidden = each.closest(".hidden-text, .skip");
  return !hidden && width > 0 && (left < -1 || right > innerWidth + 1);
}).map((each) => each.outerHTML.slice(0, 120)));

for (const { name, at, dialogs = [] } of screens) {
  test(`${name}`, async () => {
    await tab.open(at);
    assert.equal(await overflows(tab.page), false);
    assert.deepEqual(await outside(tab.page), []);
    for (const button of dialogs) {
      await press(tab.page, button);
      await settled(tab.page);
      await assertDialogFits(tab.page);
      assert.equal(await overflows(tab.page), false, button);
      assert.deepEqual(await outside(tab.page), [], button);
      await dialogOf(tab.page).getByRole("button").last().scrollIntoViewIfNeeded();
      const box = await dialogOf(tab.page).getByRole("button").last().boundingBox();
      assert.ok(box.y >= 0 && box.y + box.height <= viewport.height, `the answer of ${button} is reached`);
      await tab.page.keyboard.press("Escape");
      await dialogOf(tab.page).waitFor({ state: "detached" });
    }
    assertClean(tab);
  });
}

test("every screen is reached by the list of screens", async () => {
  await tab.open("#/");
  for (const title of ["Queues", "Tasks", "Failures", "Schedules", "Endpoints", "Health", "Keys", "Tenants", "Overview"]) {
    await tab.page.getByRole("navigation", { name: "Screens" }).getByRole("link", { name: title }).click();
    await tab.page.getByRole("heading", { name: title, level: 1 }).waitFor();
    const { left, right } = await tab.page.locator("nav [aria-current]").evaluate((each) => each.getBoundingClientRect());
    assert.ok(left >= 0 && right <= viewport.width, `${title} is seen in the list`);
  }
});

test("a table that is wider scrolls in itself", async () => {
  await tab.open("#/queues");
  const last = tab.page.getByRole("button", { name: "Pause" }).first();
  await last.scrollIntoViewIfNeeded();
  const box = await last.boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= viewport.width);
});

test("the door", async () => {
  const other = await visit({ viewport });
  await other.page.getByRole("button", { name: "Sign in" }).waitFor();
  assert.equal(await overflows(other.page), false);
  await other.leave();
});

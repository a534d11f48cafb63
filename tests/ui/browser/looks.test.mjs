// What everybody needs: no screen and no dialog with an obstacle that axe-core knows, an error in the console, or a violation of
// the Content-Security-Policy. SCHEME is light or dark.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { screens } from "./screens.mjs";
import { assertClean, assertDialogFits, close, dialogOf, env, inaccessible, press, settled, visit } from "./visit.mjs";

const scheme = env.SCHEME;
let tab;
before(async () => { tab = await visit({ role: "operator", scheme }); });
after(close);

test(`the colours are those of ${scheme}`, async () => {
  const [red] = (await tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor)).match(/\d+/g).map(Number);
  assert.equal(red > 128, scheme === "light");
});

for (const { name, at, title, dialogs = [] } of screens) {
  test(`${name}`, async () => {
    await tab.open(at);
    await tab.page.getByRole("heading", { name: title, level: 1 }).waitFor();
    if (["overview", "queue", "endpoint"].includes(name)) await tab.page.locator(".chart canvas").first().waitFor();
    assert.deepEqual(await inaccessible(tab.page), []);
    for (const button of dialogs) {
      await press(tab.page, button);
      await dialogOf(tab.page).waitFor();
      await settled(tab.page);
      await assertDialogFits(tab.page);
      assert.deepEqual(await inaccessible(tab.page), [], button);
      await tab.page.keyboard.press("Escape");
      await dialogOf(tab.page).waitFor({ state: "detached" });
    }
    assertClean(tab);
  });
}

test("what is not there, what one may not, and the door", async () => {
  for (const [role, at] of [["read", "#/keys"], ["read", "#/nothing"], ["read", "#/queues/none"], ["read", "#/tasks?queue=none"], [undefined, ""]]) {
    const other = await visit({ role, at, scheme });
    await other.page.getByRole(/none/.test(at) ? "heading" : "main").first().waitFor();
    await settled(other.page).catch(() => {});
    assert.deepEqual(await inaccessible(other.page), [], at);
    assert.deepEqual(other.problems.filter((each) => !each.includes("404")), []);
    await other.leave();
  }
});

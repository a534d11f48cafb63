// Pictures of every screen, in light and dark, and some as on a telephone, for people to look at: they are in PICTURES.
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { after, before, test } from "node:test";

import { screens } from "./screens.mjs";
import { assertClean, close, dialogOf, env, press, settled, visit } from "./visit.mjs";

before(() => {
  rmSync(env.PICTURES, { recursive: true, force: true });
  mkdirSync(env.PICTURES, { recursive: true });
});
after(close);

const narrow = { width: 400, height: 800 };

for (const [kind, options] of [["light", { scheme: "light" }], ["dark", { scheme: "dark" }], ["narrow", { scheme: "light", viewport: narrow }]]) {
  test(`${kind}`, async () => {
    const tab = await visit({ role: "operator", ...options });
    let taken = 0;
    const take = async (name) => {
      // The chart's lines and the browser's own scrollbars come after the page is there.
      await tab.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      await tab.page.screenshot({ path: `${env.PICTURES}/${name}-${kind}.png`, fullPage: (await dialogOf(tab.page).count()) === 0 });
      ++taken;
    };
    for (const { name, at, dialogs = [] } of screens) {
      if (kind === "narrow" && !["overview", "queues", "tasks", "task-retrying", "schedule", "endpoint"].includes(name)) continue;
      await tab.open(at);
      await take(name);
      if (kind !== "light") continue;
      for (const button of dialogs.slice(0, 1)) {
        await press(tab.page, button);
        await settled(tab.page);
        await take(`${name}-dialog`);
        await tab.page.keyboard.press("Escape");
        await dialogOf(tab.page).waitFor({ state: "detached" });
      }
    }
    assertClean(tab);
    await tab.leave();
    const door = await visit(options);
    await door.page.getByRole("button", { name: "Sign in" }).waitFor();
    await door.page.screenshot({ path: `${env.PICTURES}/door-${kind}.png` });
    await door.leave();
    assert.ok(taken > 5);
  });
}

test("without permission, and as a reader", async () => {
  for (const [name, role, at] of [["no-permission", "read", "#/keys"], ["reader", "read", screens.find((each) => each.name === "task-failed").at], ["not-found", "read", "#/queues/none"]]) {
    const tab = await visit({ role, at });
    await settled(tab.page).catch(() => {});
    await tab.page.screenshot({ path: `${env.PICTURES}/${name}-light.png` });
    await tab.leave();
  }
});

// The dashboard under a prefix, and by the snippet's one line in a site of another: every screen, at its own API.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { screens } from "./screens.mjs";
import { api, assertClean, close, env, press, settled, signIn, told, visit } from "./visit.mjs";

after(close);

for (const [place, url] of [["a prefix", env.PREFIX_URL], ["a site", env.SNIPPET_URL]]) {
  const base = new URL(url).pathname.replace(/ui\/$/, "");

  test(`${place}: every screen`, async () => {
    const tab = await visit({ url, role: "operator" });
    for (const { at, title } of screens) {
      await tab.open(at);
      await tab.page.getByRole("heading", { name: title, level: 1 }).waitFor();
    }
    assertClean(tab);
    assert.deepEqual(tab.requests.filter((each) => !each.url.startsWith("data:") && !new URL(each.url).pathname.startsWith(base)), []);
    await tab.leave();
  });

  test(`${place}: the door, an action, the way to the pages of the API, and signing out`, async () => {
    const tab = await visit({ url });
    await signIn(tab.page, env.POSTERN_ADMIN_KEY);
    await tab.open("#/queues/imports");
    await press(tab.page, "Pause");
    await told(tab.page, "imports is paused");
    assert.equal((await api("GET", "/v1/queues/imports")).json.paused, true);
    await press(tab.page, "Resume");
    await told(tab.page, "imports goes on");
    const there = await tab.page.getByRole("navigation", { name: "About the API" }).getByRole("link").first().getAttribute("href");
    assert.equal((await fetch(new URL(there, url))).status, 200, there);
    await press(tab.page, "Sign out");
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    assertClean(tab);
    await tab.leave();
  });

  test(`${place}: without its last slash it leads there`, async () => {
    const reply = await fetch(url.replace(/\/$/, ""), { redirect: "manual" });
    assert.equal(reply.status, 302);
    assert.equal(new URL(reply.headers.get("location"), url.replace(/\/$/, "")).href, url);
  });
}

test("what is copied as curl names the API under its prefix", async () => {
  const tab = await visit({ url: env.PREFIX_URL, at: screens.find(({ name }) => name === "task-failed").at, role: "read", prepare: (context) => context.grantPermissions(["clipboard-read", "clipboard-write"]) });
  await settled(tab.page);
  await press(tab.page, "Copy as curl");
  await told(tab.page, "Copied");
  assert.ok((await tab.page.evaluate(() => navigator.clipboard.readText())).includes(env.PREFIX_URL.replace(/ui\/$/, "tasks'")));
  await tab.leave();
});

test("the ready vhost's / leads to it", async () => {
  const tab = await visit({ url: `${env.POSTERN_URL}/` });
  assert.equal(tab.page.url(), `${env.POSTERN_URL}/ui/`);
  assertClean(tab);
  await tab.leave();
});

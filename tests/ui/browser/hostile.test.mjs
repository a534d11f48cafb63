// Data of others is text: whatever is in it is shown, and neither runs nor breaks a screen.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { api, assertClean, close, dialogOf, env, inaccessible, overflows, press, settled, until, visit } from "./visit.mjs";

const script = "<script>hacked=1</script>", image = '"><img/src=x/onerror=hacked=1>', quotes = `'"\`&lt;${"${7*7}"}{{7*7}}`;
const long = "x".repeat(900), rtl = "\u202eesrever\u202c \u05d0\u05d1\u05d2", controls = "a\u0001b\u001b[31mred\u0007";
const evil = { [script]: image, [quotes]: quotes, long, rtl, controls, deep: [[[[{ script }]]]] };
let id = "";

before(async () => {
  const made = await api("POST", "/v1/tasks", {
    queue: "evil", webhook_url: env.EVIL_URL, payload: evil, max_retries: 0, priority: 3,
    tags: ["<b>bold</b>", image, "javascript:alert(1)", "w".repeat(60)], headers: { "X-Evil": `${image} ${"y".repeat(400)}` }, key: script,
  });
  assert.equal(made.status, 201, JSON.stringify(made.json));
  id = made.json.id;
  await until(async () => (await api("GET", `/v1/tasks/${id}`)).json.status === "failed");
});
after(close);

// On a wide window and on a telephone: nothing ran, nothing is wider than the window.
async function harmless(tab, what) {
  const { page } = tab;
  for (const width of [1280, 400]) {
    await page.setViewportSize({ width, height: 800 });
    // Charts draw themselves anew when they see that their width has changed.
    await until(async () => !(await overflows(page)), `${what} fits into ${width}`);
  }
  await page.setViewportSize({ width: 1280, height: 860 });
  assert.equal(await page.evaluate(() => typeof globalThis.hacked), "undefined", what);
  assert.equal(await page.locator("main script, main img, main b:text('bold')").count(), 0, what);
}

test("a task's payload, tags, headers, and what its receiver answered", async () => {
  const tab = await visit({ at: `#/tasks/${id}`, role: "admin" });
  const { page } = tab;
  await page.getByText("Given up").waitFor();
  await page.getByText("What the receiver answered").click();
  const pres = await page.locator("pre").allInnerTexts();
  assert.ok(pres.some((text) => text.includes(script) && text.includes("evil")), "the answer");
  assert.ok(pres.some((text) => text.includes(JSON.stringify(image)) && text.includes(JSON.stringify(quotes))), "the payload");
  for (const tag of ["<b>bold</b>", image, "javascript:alert(1)"]) await page.getByRole("link", { name: tag, exact: true }).waitFor();
  await harmless(tab, "the task");
  assert.deepEqual(await inaccessible(page), []);
  await page.getByRole("link", { name: "javascript:alert(1)", exact: true }).click();
  await page.getByText("1 found").waitFor();
  await harmless(tab, "its list");
  assertClean(tab);
  await tab.leave();
});

test("what is copied for a terminal holds no character that one obeys", async () => {
  const made = await api("POST", "/v1/tasks", { queue: "evil", webhook_url: env.EVIL_URL, delay: 3600, payload: { a: "\u007f\u007f'\u009b31m \u202e\u2066 ü" } });
  const tab = await visit({ at: `#/tasks/${made.json.id}`, role: "read", prepare: (context) => context.grantPermissions(["clipboard-read", "clipboard-write"]) });
  await settled(tab.page);
  await press(tab.page, "Copy as curl");
  await tab.page.getByText("Copied.").waitFor();
  const copied = await tab.page.evaluate(() => navigator.clipboard.readText());
  assert.doesNotMatch(copied, /[\u007f-\u009f\u202e\u2066]/);
  assert.ok(copied.includes(String.raw`"\u007f\u007f'\''\u009b31m \u202e\u2066 ü"`), copied);
  await tab.leave();
});

test("what failed, and the overview", async () => {
  const tab = await visit({ role: "admin" });
  for (const at of ["#/failures", "#/", "#/queues", "#/tasks?status=failed", "#/tasks?status=failed&queue=evil"]) {
    await tab.open(at);
    await harmless(tab, at);
  }
  await tab.open(`#/tasks/${id}`);
  await press(tab.page, "Retry");
  await tab.page.locator(".toasts .note").first().waitFor();
  await harmless(tab, "a toast");
  assertClean(tab);
  await tab.leave();
});

test("names of keys", async () => {
  const tab = await visit({ at: "#/keys", role: "admin" });
  // They have no slash.
  for (const name of ["<script>hacked=1", '"><img src=x onerror=hacked=1>', "k".repeat(64), quotes]) {
    await press(tab.page, "New key …");
    await dialogOf(tab.page).getByLabel("Name").fill(name);
    await dialogOf(tab.page).getByRole("button", { name: "Make it" }).click();
    await dialogOf(tab.page).getByRole("heading", { name: `The key ${name}` }).waitFor();
    await harmless(tab, `the dialog of ${name}`);
    await tab.page.keyboard.press("Escape");
    await tab.page.getByRole("rowheader", { name }).waitFor();
    await harmless(tab, name);
    await tab.page.getByRole("row").filter({ has: tab.page.getByRole("rowheader", { name }) }).getByRole("button", { name: "Revoke …" }).click();
    await harmless(tab, `the question of ${name}`);
    await dialogOf(tab.page).getByRole("button", { name: "Revoke it" }).click();
    await until(async () => (await api("GET", "/v1/keys")).json.keys.find((each) => each.name === name).revoked_at);
  }
  assertClean(tab);
  await tab.leave();
});

test("addresses", async () => {
  for (const at of [`#/queues/${encodeURIComponent(script)}`, `#/tasks/${encodeURIComponent("../../etc/passwd")}`, `#/endpoints/${encodeURIComponent(image)}`,
    `#/tasks?queue=${encodeURIComponent(image)}&status=%3Cscript%3E`, `#/queues?name=${encodeURIComponent(image)}`, `#/failures?reason=${encodeURIComponent(script)}`,
    "#/failures?hours=x", "#/failures?hours=1e300", "#/failures?hours=constructor", "#/__proto__", "#/constructor?__proto__=1", `#/${"z".repeat(3000)}`]) {
    const tab = await visit({ at, role: "admin" });
    await tab.page.locator("main").getByText(/\S/).first().waitFor();
    await harmless(tab, at);
    assert.deepEqual(tab.problems.filter((each) => !/ status of 4\d\d /.test(each) && !/^4\d\d /.test(each)), [], at);
    assert.ok(tab.requests.every(({ url }) => /\/(ui|v1)\//.test(new URL(url).pathname)), "no request leaves the API");
    await tab.leave();
  }
});

test("a screen that cannot be drawn leaves the others", async () => {
  const tab = await visit({ role: "admin", at: "#/queues" });
  await settled(tab.page);
  await tab.page.route("**/v1/schedules?**", (route) => route.fulfill({ json: { schedules: 7 } }));
  await tab.page.getByRole("link", { name: "Schedules" }).click();
  await tab.page.getByRole("alert").getByText("This screen cannot be shown").waitFor();
  await tab.page.getByRole("link", { name: "Queues", exact: true }).click();
  await tab.page.getByRole("link", { name: "evil" }).waitFor();
  await tab.leave();
});

test("answers that are none of the API", async () => {
  for (const [body, contentType, status] of [["<html><script>hacked=1</script>", "text/html", 200], ["{", "application/json", 200], ['{"error": "text"}', "application/json", 500],
    ['{"error": {"message": "<script>hacked=1</script>"}}', "application/json", 500], ["", "text/plain", 200]]) {
    const tab = await visit({ role: "admin", at: "#/queues" });
    await settled(tab.page);
    await tab.page.route("**/v1/**", (route) => route.fulfill({ body, contentType, status }));
    await tab.page.getByRole("link", { name: "Endpoints" }).click();
    await tab.page.getByText(/Something else than the API|The API answered|hacked=1|Try again/).first().waitFor();
    await harmless(tab, body);
    assert.deepEqual(tab.problems.filter((each) => !/500/.test(each)), [], body);
    await tab.leave();
  }
});
